"""Credits: cumulative, claimed once, by the site that earned them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.contracts.chain import digest
from tests.contracts.world import Party, World, leaf_hash, merkle_proof, merkle_root


@dataclass
class Earned:
    """A run whose rounds settle the given cumulative credits of three sites."""

    world: World
    run: int
    by_round: dict[int, tuple[int, ...]]

    def leaves(self, round_number: int) -> list[bytes]:
        world, parties = self.world, self.world.parties[:3]
        return [
            leaf_hash(
                world.chain.w3.eth.chain_id, world.credits.address, self.run, party.site, earned
            )
            for party, earned in zip(parties, self.by_round[round_number], strict=True)
        ]

    def play(self, round_number: int, *earned: int, total: int | None = None) -> None:
        world = self.world
        self.by_round[round_number] = earned
        for party in world.parties[:3]:
            world.submit(self.run, party)
        world.propose(
            self.run,
            world.turns_party(self.run, world.parties[:3]),
            creditsTotal=sum(earned) if total is None else total,
            creditsRoot=merkle_root(self.leaves(round_number)),
        )
        for party in world.parties[:2]:
            world.attest(self.run, party)
        world.go_on(self.run)

    def claim(self, round_number: int, index: int, **changes: object) -> object:
        leaves, earned = self.leaves(round_number), self.by_round[round_number]
        party = self.world.parties[index]
        values = {
            "run": self.run,
            "site": party.site,
            "round": round_number,
            "settlement": self.world.settlement(
                self.run, round_number, sum(earned), merkle_root(leaves)
            ),
            "earned": earned[index],
            "proof": merkle_proof(leaves, index),
        } | changes
        return self.world.credits.functions.claim(*values.values())

    def account(self, party: Party) -> tuple[int, int]:
        claimed, balance = self.world.credits.functions.accountOf(self.run, party.site).call()
        return claimed, balance


def start(world: World, transferable: bool = False) -> Earned:
    run = world.open(transferable=transferable, targetSites=3)
    for party in world.parties[:3]:
        world.consent(run, party)
    return Earned(world, run, {})


@pytest.fixture
def earned(world: World) -> Earned:
    started = start(world)
    started.play(1, 500, 300, 200)
    return started


def test_claim_pays_what_was_earned_and_emits(world: World, earned: Earned) -> None:
    party = world.parties[0]
    receipt = world.send(party.account, earned.claim(1, 0))
    assert world.events(receipt) == [
        (
            "CreditsClaimed",
            {
                "run": earned.run,
                "roundNumber": 1,
                "site": party.site,
                "amount": 500,
                "claimed": 500,
            },
        )
    ]
    assert earned.account(party) == (500, 500)
    assert world.credits.functions.totalOf(earned.run).call() == [500, False]


def test_claim_of_a_later_round_pays_the_difference(world: World, earned: Earned) -> None:
    party = world.parties[0]
    world.send(party.account, earned.claim(1, 0))
    earned.play(2, 900, 700, 400)
    receipt = world.send(party.account, earned.claim(2, 0))
    assert world.events(receipt)[0][1]["amount"] == 400
    for index in (1, 2):  # all rounds in one transaction
        world.send(world.parties[index].account, earned.claim(2, index))
    assert world.credits.functions.totalOf(earned.run).call()[0] == 2_000
    assert world.state(earned.run)["creditsGranted"] == 2_000


def test_claim_reverts_the_second_time(world: World, earned: Earned) -> None:
    party = world.parties[0]
    world.send(party.account, earned.claim(1, 0))
    refused = world.refusal_of(party.account, earned.claim(1, 0))
    assert (refused.name, refused.arguments) == (
        "CreditsAlreadyClaimed",
        (earned.run, party.site, 500),
    )
    earned.play(2, 900, 700, 400)
    world.send(party.account, earned.claim(2, 0))
    assert world.refusal_of(party.account, earned.claim(1, 0)).name == "CreditsAlreadyClaimed"


def test_claim_reverts_for_another_or_with_anothers_proof(world: World, earned: Earned) -> None:
    thief, victim = world.parties[1], world.parties[0]
    assert world.refusal_of(thief.account, earned.claim(1, 0)).name == "AccountNotOfSite"
    stolen = earned.claim(1, 0, site=thief.site)
    refused = world.refusal_of(thief.account, stolen)
    assert (refused.name, refused.arguments) == (
        "CreditsProofInvalid",
        (earned.run, thief.site, 500),
    )
    for changes in ({"earned": 501}, {"earned": 0}, {"earned": (1 << 64) - 1}, {"proof": []}):
        refused = world.refusal_of(victim.account, earned.claim(1, 0, **changes))
        assert refused.name == "CreditsProofInvalid"


def test_claim_reverts_with_settlement_unknown(world: World, earned: Earned) -> None:
    account = world.parties[0].account
    settlement = world.settlement(earned.run, 1, 1_000, merkle_root(earned.leaves(1)))
    for changes in (
        {"round": 0},
        {"round": 2},
        {"run": 999},
        {"settlement": (*settlement[:3], 1_001)},
        {"settlement": (digest("x"), *settlement[1:])},
        {"settlement": (bytes(32),) * 3 + (0,)},
    ):
        assert world.refusal_of(account, earned.claim(1, 0, **changes)).name == "SettlementUnknown"


def test_claim_reverts_before_the_round_is_final(world: World) -> None:
    earned = start(world)
    for party in world.parties[:3]:
        world.submit(earned.run, party)
    earned.by_round[1] = (500, 300, 200)
    world.propose(
        earned.run,
        world.turns_party(earned.run, world.parties[:3]),
        creditsTotal=1_000,
        creditsRoot=merkle_root(earned.leaves(1)),
    )
    refused = world.refusal_of(world.parties[0].account, earned.claim(1, 0))
    assert (refused.name, refused.arguments) == ("SettlementUnknown", (earned.run, 1))


def test_claims_never_exceed_what_the_round_settled(world: World) -> None:
    earned = start(world)
    # A dishonest quorum: the leaves promise more than the total it settles.
    earned.play(1, 600, 600, 0, total=1_000)
    settlement = world.settlement(earned.run, 1, 1_000, merkle_root(earned.leaves(1)))
    world.send(world.parties[0].account, earned.claim(1, 0, settlement=settlement))
    refused = world.refusal_of(world.parties[1].account, earned.claim(1, 1, settlement=settlement))
    assert (refused.name, refused.arguments) == ("CreditsExceeded", (earned.run, 1_200, 1_000))


def test_a_leaf_counts_for_its_run_only(world: World, earned: Earned) -> None:
    other = start(world)
    other.play(1, 500, 300, 200)
    account = world.parties[0].account
    assert (
        world.refusal_of(account, earned.claim(1, 0, proof=merkle_proof(other.leaves(1), 0))).name
        == "CreditsProofInvalid"
    )
    assert world.refusal_of(account, earned.claim(1, 0, run=other.run)).name == "SettlementUnknown"


def test_a_revoked_site_claims_no_more(world: World, earned: Earned) -> None:
    party = world.parties[0]
    world.send(world.operator, world.registry.functions.revoke(party.site))
    assert world.refusal_of(party.account, earned.claim(1, 0)).name == "SiteStandingWrong"


def test_credits_stay_with_the_site_when_its_account_rotates(world: World, earned: Earned) -> None:
    party, account = world.parties[0], world.chain.accounts[10]
    world.send(party.account, world.registry.functions.rotateAccount(party.site, account))
    world.send(account, earned.claim(1, 0))
    assert earned.account(party) == (500, 500)


def test_transfer_reverts_unless_the_plan_allows_it(world: World, earned: Earned) -> None:
    giver, taker = world.parties[:2]
    world.send(giver.account, earned.claim(1, 0))
    act = world.credits.functions.transfer(earned.run, giver.site, taker.site, 1)
    refused = world.refusal_of(giver.account, act)
    assert (refused.name, refused.arguments) == ("CreditsNotTransferable", (earned.run,))


def test_transfer_moves_balances_and_keeps_the_sum(world: World) -> None:
    earned = start(world, transferable=True)
    earned.play(1, 500, 300, 200)
    giver, taker = world.parties[:2]
    transfer = world.credits.functions.transfer
    world.send(giver.account, earned.claim(1, 0))
    receipt = world.send(giver.account, transfer(earned.run, giver.site, taker.site, 200))
    assert world.events(receipt)[0][0] == "CreditsTransferred"
    world.send(giver.account, transfer(earned.run, giver.site, giver.site, 300))
    assert (earned.account(giver), earned.account(taker)) == ((500, 300), (0, 200))
    assert world.credits.functions.totalOf(earned.run).call() == [500, True]
    refused = world.refusal_of(giver.account, transfer(earned.run, giver.site, taker.site, 301))
    assert (refused.name, refused.arguments) == (
        "CreditsInsufficient",
        (earned.run, giver.site, 300),
    )
    assert (
        world.refusal_of(taker.account, transfer(earned.run, giver.site, taker.site, 1)).name
        == "AccountNotOfSite"
    )
    assert (
        world.refusal_of(giver.account, transfer(earned.run, giver.site, 999, 1)).name
        == "SiteStandingWrong"
    )


def test_only_the_catalogue_opens_accounts(world: World) -> None:
    act = world.credits.functions.open(1, world.rounds.address, True)
    refused = world.refusal_of(world.operator, act)
    assert (refused.name, refused.arguments) == ("CallerNotRuns", (world.operator.lower(),))

"""A committee attests: drawn by a block nobody could know, its signatures in one transaction."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.batching import carriage, committee, drawn, submit_batch, vote
from tests.contracts.chain import ATTESTING, COMPLETED, FINAL, PROPOSING, digest, running_hash
from tests.contracts.world import World, encode_parameters, key_of


def begun(world: World, size: int, **changes: int) -> int:
    run = world.open(minimumSites=4, targetSites=4, committee=size, **changes)
    for party in world.parties:
        world.consent(run, party)
    return run


def to_attesting(world: World, run: int) -> None:
    submit_batch(world, run, world.parties[0], world.parties)
    number = world.state(run)["round"]
    world.propose(run, world.turns_party(run, world.parties), creditsTotal=1_000 * number)
    # A call sees the latest block as its own, and the proposal's hash only in a later one.
    world.chain.rpc("evm_mine")


def expected(world: World, run: int, block: int, size: int) -> list[int]:
    state = world.state(run)
    seats = {
        world.member(run, each)["position"]
        for each in world.parties
        if world.member(run, each)["consenting"]
    }
    place = (run, state["round"], state["attempt"], state["proposal"])
    block_hash = bytes(world.chain.w3.eth.get_block(block)["hash"])
    return drawn(block_hash, place, size, state["rosterLength"], seats)


def assert_hash_folds(world: World, run: int) -> None:
    assert running_hash(world.logs_of(run)) == world.rounds.functions.runningHashOf(run).call()


def names(world: World, receipt: dict[str, Any]) -> list[str]:
    return [name for name, _ in world.events(receipt)]


def test_the_committee_is_drawn_by_the_hash_of_the_proposals_block(world: World) -> None:
    run = begun(world, 3)
    assert world.state(run)["quorum"] == 2
    to_attesting(world, run)
    size, members, block = committee(world, run)
    assert (size, members, block) == (3, [], world.chain.w3.eth.block_number - 1)
    chosen = expected(world, run, block, 3)
    assert len(set(chosen)) == 3
    receipt = world.attest(run, world.parties[chosen[0]])
    (event, fields), attested = world.events(receipt)
    assert (event, attested[0]) == ("CommitteeDrawn", "RoundAttested")
    assert (fields["seedBlock"], fields["size"]) == (block, 3)
    assert committee(world, run) == (3, chosen, 0)
    (outside,) = set(range(4)) - set(chosen)
    for act in (world.attestation, world.objection):
        refused = world.refusal_of(world.parties[outside].account, act(run, world.parties[outside]))
        assert (refused.name, refused.arguments) == (
            "SiteNotInCommittee", (run, world.parties[outside].site)
        )  # fmt: skip
    world.attest(run, world.parties[chosen[1]])
    assert world.state(run)["phase"] == FINAL
    # Once it is final, anybody's voice is heard again.
    world.object_to(run, world.parties[outside])
    world.attest(run, world.parties[chosen[2]])
    assert (world.state(run)["attested"], world.state(run)["objected"]) == (3, 1)
    assert_hash_folds(world, run)


def test_every_proposal_draws_anew(world: World) -> None:
    run = begun(world, 2, rounds=5)
    seen = set()
    for _ in range(5):
        to_attesting(world, run)
        chosen = expected(world, run, committee(world, run)[2], 2)
        world.send(world.outsider, carriage(world, run, [vote(world, run, at) for at in chosen]))
        assert committee(world, run)[1] == chosen
        seen.add(tuple(chosen))
        world.go_on(run)
    assert len(seen) > 1
    assert_hash_folds(world, run)


def test_objections_that_leave_no_quorum_in_the_committee_end_the_proposal(world: World) -> None:
    run = begun(world, 3)
    to_attesting(world, run)
    chosen = expected(world, run, committee(world, run)[2], 3)
    world.object_to(run, world.parties[chosen[0]])
    assert world.state(run)["phase"] == ATTESTING
    world.object_to(run, world.parties[chosen[1]])
    assert (world.state(run)["phase"], world.state(run)["proposal"]) == (PROPOSING, 2)
    assert_hash_folds(world, run)


def test_a_vote_in_the_proposals_own_block_is_refused(world: World) -> None:
    run = begun(world, 3)
    submit_batch(world, run, world.parties[0], world.parties)
    proposer = world.turns_party(run, world.parties)
    proposal = world.proposal(run, proposer)
    attester = world.parties[0]
    state = world.state(run)
    attestation = world.rounds.functions.attest(
        run, attester.site, state["round"], state["attempt"], 1, digest("w")
    )
    hashes = []
    world.chain.rpc("evm_setAutomine", False)
    for account, act in ((proposer.account, proposal), (attester.account, attestation)):
        transaction = {
            "from": account, "to": act.address, "data": act._encode_transaction_data(),
            "gas": hex(1_000_000),
        }  # fmt: skip
        hashes.append(world.chain.rpc("eth_sendTransaction", transaction))
    world.chain.rpc("evm_mine")
    world.chain.rpc("evm_setAutomine", True)
    status = [int(world.chain.receipt_of(each)["status"], 16) for each in hashes]
    assert status == [1, 0]
    assert world.state(run)["attested"] == 0


def test_a_committee_nobody_drew_in_256_blocks_is_drawn_by_a_later_one(world: World) -> None:
    run = begun(world, 3, attestSeconds=100_000)
    to_attesting(world, run)
    block = committee(world, run)[2]
    world.chain.rpc("anvil_mine", hex(600))
    chosen = expected(world, run, block + 512, 3)
    receipt = world.attest(run, world.parties[chosen[0]])
    assert world.events(receipt)[0][1]["seedBlock"] == block + 512
    assert committee(world, run)[1] == chosen


def test_sites_that_left_are_not_drawn(world: World) -> None:
    run = begun(world, 2)
    to_attesting(world, run)
    party = world.parties[1]
    world.send(party.account, world.rounds.functions.withdraw(run, party.site))
    chosen = expected(world, run, committee(world, run)[2], 2)
    assert 1 not in chosen
    world.attest(run, world.parties[chosen[0]])
    assert committee(world, run)[1] == chosen


def test_signatures_of_the_whole_committee_come_in_one_transaction(world: World) -> None:
    run = begun(world, 3)
    to_attesting(world, run)
    chosen = expected(world, run, committee(world, run)[2], 3)
    votes = [vote(world, run, at) for at in chosen]
    receipt = world.send(world.outsider, carriage(world, run, votes))
    assert names(world, receipt) == ["CommitteeDrawn", "AttestationsBatched", "RoundFinalized"]
    assert world.events(receipt)[1][1] == {
        "run": run, "round": 1, "attempt": 1, "proposal": 1, "rows": b"".join(votes),
    }  # fmt: skip
    assert (world.state(run)["phase"], world.state(run)["attested"]) == (FINAL, 3)
    for at in chosen:
        assert world.member(run, world.parties[at])["attestedRound"] == 1
    assert_hash_folds(world, run)


def test_votes_below_the_quorum_leave_the_proposal_open(world: World) -> None:
    run = begun(world, 3)
    to_attesting(world, run)
    chosen = expected(world, run, committee(world, run)[2], 3)
    first, *rest = [vote(world, run, at) for at in chosen]
    sender = world.parties[0].account
    world.send(sender, carriage(world, run, [first], andAdvance=True))
    assert (world.state(run)["phase"], world.state(run)["attested"]) == (ATTESTING, 1)
    receipt = world.send(sender, carriage(world, run, rest, andAdvance=True))
    assert names(world, receipt) == ["AttestationsBatched", "RoundFinalized", "AttemptStarted"]
    assert (world.state(run)["round"], world.state(run)["finalRounds"]) == (2, 1)
    assert_hash_folds(world, run)


def test_only_a_member_moves_on_with_the_votes(world: World) -> None:
    run = begun(world, 0)
    to_attesting(world, run)
    votes = [vote(world, run, at) for at in range(3)]
    refused = world.refusal_of(world.outsider, carriage(world, run, votes, andAdvance=True))
    assert (refused.name, refused.arguments[0]) == ("CallerNotMember", run)


def test_who_has_voted_is_passed_over_and_the_rest_counts(world: World) -> None:
    run = begun(world, 0)
    to_attesting(world, run)
    world.attest(run, world.parties[0])
    votes = [vote(world, run, at) for at in (0, 1, 1)]
    receipt = world.send(world.outsider, carriage(world, run, votes))
    assert names(world, receipt) == ["AttestationsBatched"]
    assert world.state(run)["attested"] == 2
    refused = world.refusal_of(world.outsider, carriage(world, run, votes))
    assert (refused.name, refused.arguments) == ("BatchWithoutEffect", (run,))


def test_late_signatures_count_once_the_next_round_has_begun(world: World) -> None:
    run = begun(world, 3)
    to_attesting(world, run)
    chosen = expected(world, run, committee(world, run)[2], 3)
    votes = [vote(world, run, at) for at in range(4)]
    early = [votes[at] for at in chosen]
    (outside,) = set(range(4)) - set(chosen)
    world.send(world.outsider, carriage(world, run, early))
    world.go_on(run)
    late = carriage(world, run, [votes[outside]], round=1, attempt=1, proposal=1)
    assert names(world, world.send(world.outsider, late)) == ["AttestationsBatched"]
    assert world.state(run)["attested"] == 0
    assert_hash_folds(world, run)


@pytest.mark.parametrize(
    "changes",
    [
        {"run": 99}, {"round": 2}, {"attempt": 2}, {"proposal": 2}, {"settlement": digest("other")},
    ],
)  # fmt: skip
def test_a_signature_for_another_place_or_record_is_nobodys(
    world: World, changes: dict[str, Any]
) -> None:
    run = begun(world, 0)
    to_attesting(world, run)
    refused = world.refusal_of(
        world.outsider, carriage(world, run, [vote(world, run, 0, **changes)])
    )
    assert refused.name == "AccountNotOfSite"


def test_a_committee_signature_cannot_be_forged(world: World) -> None:
    run = begun(world, 0)
    to_attesting(world, run)
    forged = vote(world, run, 0, key=key_of("hospital 1"))
    refused = world.refusal_of(world.outsider, carriage(world, run, [forged]))
    assert refused.name == "AccountNotOfSite"
    honest = vote(world, run, 0)
    for broken in (honest[:36] + bytes(65), honest[:-1] + b"\x00", honest[:36] + b"\xff" * 65):
        refused = world.refusal_of(world.outsider, carriage(world, run, [broken]))
        assert (refused.name, refused.arguments) == (
            "AttestationSignatureInvalid", (world.parties[0].site,)
        )  # fmt: skip
    # The other form of the same signature: s subtracted from the curve's order, v swapped.
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s, v = int.from_bytes(honest[68:100]), honest[100]
    twin = honest[:68] + (order - s).to_bytes(32, "big") + bytes([55 - v])
    refused = world.refusal_of(world.outsider, carriage(world, run, [twin]))
    assert refused.name == "AttestationSignatureInvalid"
    world.send(world.outsider, carriage(world, run, [honest]))


def test_a_suspended_sites_signature_is_refused(world: World) -> None:
    run = begun(world, 0)
    to_attesting(world, run)
    votes = [vote(world, run, 1)]
    world.send(world.operator, world.registry.functions.suspend(world.parties[1].site))
    assert world.refusal_of(world.outsider, carriage(world, run, votes)).name == "SiteStandingWrong"


@pytest.mark.parametrize("length", [1, 100, 102, 201])
def test_carried_rows_are_whole(world: World, length: int) -> None:
    run = begun(world, 0)
    to_attesting(world, run)
    refused = world.refusal_of(world.outsider, carriage(world, run, [bytes(length)]))
    assert (refused.name, refused.arguments) == ("BatchMalformed", (run, length // 101, length))


def test_nobody_writes_into_the_log_of_a_run_without_a_vote(world: World) -> None:
    run = begun(world, 0)
    to_attesting(world, run)
    act = world.rounds.functions.attestBatch(run, 1, 1, 1, b"", False)
    refused = world.refusal_of(world.outsider, act)
    assert (refused.name, refused.arguments) == ("BatchWithoutEffect", (run,))
    for number in (run, run + 1):
        act = world.rounds.functions.attestBatch(number, 0, 0, 0, bytes(101), False)
        assert world.refusal_of(world.outsider, act).name in ("PlaceWrong", "CommitmentZero")


def test_a_committee_has_fifteen_members_at_most(world: World) -> None:
    with pytest.raises(Exception, match="ParameterInvalid") as caught:
        world.open(committee=16)
    assert caught.value.arguments[1] == 16  # type: ignore[attr-defined]
    begun(world, 15)


def test_parameters_without_a_committee_are_refused(world: World) -> None:
    act = world.runs.functions.open(
        world.rounds.address, digest("plan"), digest("l"), digest("m"), digest("l"), False,
        encode_parameters(),
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="reverted without a custom error"):
        world.send(world.researcher, act)


def test_a_committee_does_not_end_a_run_early(world: World) -> None:
    run = begun(world, 2)
    to_attesting(world, run)
    chosen = expected(world, run, committee(world, run)[2], 2)
    for at in chosen:
        world.attest(run, world.parties[at])
    assert world.state(run)["quorum"] == 2
    for party in world.parties[:2]:
        world.send(party.account, world.rounds.functions.conclude(run, party.site, 1))
    assert world.state(run)["phase"] == FINAL
    third = world.parties[2]
    world.send(third.account, world.rounds.functions.conclude(run, third.site, 1))
    assert world.state(run)["phase"] == COMPLETED


def test_a_committee_as_large_as_the_cohort_needs_no_draw(world: World) -> None:
    run = begun(world, 4)
    assert world.state(run)["quorum"] == 3
    to_attesting(world, run)
    assert names(world, world.attest(run, world.parties[3])) == ["RoundAttested"]

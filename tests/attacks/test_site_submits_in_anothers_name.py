"""A site acts in the name of another: submits, consents, withdraws, votes, proposes, grants.

Lie: "I am the other site". Found by the contracts: each
act names its site, and only the account of that site's node may send it. The
victim's own acts are accepted as if nothing had been tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fednet.domain.identity import Commitment, GrantId, Locator, RoundNumber
from fednet.domain.ledger import Phase, Proposal
from fednet.ledger.writer import Web3Writer
from tests.attacks import lies
from tests.attacks.doubles import unguessed
from tests.attacks.lie import Found, LeftOut, Liar, Lie, contract
from tests.attacks.network import Member, Network, Run

LIE = Lie(
    "A site acts in another's name",
    Liar.SITE,
    (contract("AccountNotOfSite"), LeftOut("wrong-author"), Found("update-copied", 23)),
    accused="the site whose update names another",
)


def acts_of(victim: Member, run: Run, writer: Web3Writer) -> dict[str, Callable[[], object]]:
    """List what can be tried in a site's name."""
    site, first = victim.site, RoundNumber(1)
    digest = unguessed("another's name")
    commitment, locator = Commitment(digest), Locator(digest)
    proposal = Proposal(
        run=run.run, site=site, round=first, attempt=1, number=1, included=4, invalid=0,
        unavailable=0, credits_total=1, record=commitment, record_locator=locator,
        state=commitment, credits_root=digest, inclusion=b"\x55",
    )  # fmt: skip
    return {
        "submit": lambda: writer.submit(run.run, site, first, 1, commitment, 1, locator),
        "propose": lambda: writer.propose(replace(proposal)),
        "attest": lambda: writer.attest(run.run, site, first, 1, 1, digest),
        "object": lambda: writer.object_to(run.run, site, first, 1, 1, commitment),
        "consent": lambda: writer.consent(run.run, site, GrantId(1)),
        "withdraw": lambda: writer.withdraw(run.run, site),
        "announce": lambda: writer.announce(site, commitment, locator),
        "register": lambda: writer.register_dataset(site, commitment, commitment, 1),
        "close": lambda: writer.close_dataset(victim.dataset),
        "transfer": lambda: writer.transfer_credits(run.run, site, site, 1),
    }


def test_honest_sites_act_for_themselves_and_nobody_for_another(network: Network) -> None:
    members = network.members()
    victim, liar = members[0], members[1]
    with network.open(members) as run:
        before = network.reader.running_hash(run.run)
        for act in acts_of(victim, run, liar.writer).values():
            with LIE.refused("AccountNotOfSite"):
                act()
        assert network.reader.running_hash(run.run) == before
        run.start()
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    assert report.verified
    assert {entry.verdict for entry in report.rounds[0].sites} == {"included"}


def test_update_under_own_name_that_names_another_is_invalid(network: Network) -> None:
    members = network.members()
    liar, victim = members[0], members[1]
    with network.open(members) as run:
        run.start(*members[1:])
        lies.submit_and_reveal(liar, run, lies.update(liar, run.place(), site=victim.site))
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    assert report.verified
    LIE.left_out(report, liar.site)
    LIE.found(report, liar.site)
    said = {entry.site: entry.reason for entry in report.rounds[0].sites}
    assert said == {member.site: "" for member in members} | {liar.site: "wrong-author"}

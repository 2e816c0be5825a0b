"""Somebody who is no member of the run moves it on, or acts in it.

Lie: "I may move this run", by an unknown account, and by an admitted site that
never consented. Found by the contract: `advance` is for members, the researcher
and the operators; the other acts are for the frozen cohort.
"""

from __future__ import annotations

import pytest

from fednet.domain.identity import Commitment, Locator, RoundNumber
from fednet.domain.ledger import Phase
from fednet.errors import RevertedError
from tests.attacks.doubles import unguessed
from tests.attacks.lie import Liar, Lie, contract
from tests.attacks.network import Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "An outsider moves a run on, or votes in it",
    Liar.STRANGER,
    (contract("CallerNotMember"), contract("SiteNotInCohort")),
)


def test_outsider_moves_nothing(network: Network) -> None:
    members = network.members()
    [bystander] = network.members(1)
    stranger = network.new_writer("stranger")
    digest = unguessed("outsider")
    with network.open(members) as run:
        before = network.reader.running_hash(run.run)
        network.travel(run.state.deadline + 1)
        for outsider in (stranger, bystander.writer):
            with LIE.refused("CallerNotMember"):
                outsider.advance(run.run)
            with LIE.refused("CallerNotMember"):
                outsider.abort(run.run)
        first, commitment = RoundNumber(1), Commitment(digest)
        site, writer = bystander.site, bystander.writer
        with pytest.raises(RevertedError) as refused:
            writer.submit(run.run, site, first, 1, commitment, 1, Locator(digest))
        assert refused.value.error in ("SiteNotInCohort", "ConsentMissing", "DeadlinePassed")
        with pytest.raises(RevertedError) as refused:
            writer.object_to(run.run, site, first, 1, 1, commitment)
        assert refused.value.error == "PhaseWrong"
        assert network.reader.running_hash(run.run) == before
        assert run.state.phase is Phase.COLLECTING

        # Nobody submitted in time: a member may say so, and the run goes on.
        run.start()
        assert run.over() is Phase.COMPLETED
        final = run.history.rounds[first].finalized
        report = network.audit(run)
    assert final is not None
    assert final.attempt == 2
    assert report.verified


def test_bystander_votes_on_nothing(network: Network) -> None:
    members = network.members()
    [bystander] = network.members(1)
    first, digest = RoundNumber(1), unguessed("bystander")
    with network.open(members) as run:
        run.start(*members[2:])
        for member in members[:2]:
            member.writer.submit(
                run.run, member.site, first, 1, Commitment(digest), 1, Locator(digest)
            )
        run.reach(Phase.PROPOSING)
        run.wait_held(members[2:], members[2:])
        run.pass_reveal()
        run.reach(Phase.ATTESTING)
        with LIE.refused("SiteNotInCohort"):
            bystander.writer.attest(run.run, bystander.site, first, 1, 1, digest)
        with LIE.refused("SiteNotInCohort"):
            bystander.writer.object_to(run.run, bystander.site, first, 1, 1, Commitment(digest))


def test_honest_members_move_their_run(network: Network) -> None:
    require_honest_round(network)

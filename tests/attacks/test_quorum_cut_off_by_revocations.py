"""The operator revokes members in the middle of a round.

Nobody lies, or an operator wants a run dead. Revocation stops later acts
and leaves what was accepted. A quorum never falls: while it can be reached the
round becomes final, the revoked site's update in it; where it cannot, the run
aborts after its last attempt. Nothing waits beyond a deadline.
"""

from __future__ import annotations

import pytest

from fednet.audit import RoundVerdict
from fednet.domain.history import RunHistory
from fednet.domain.identity import RoundNumber
from fednet.domain.ledger import Phase
from fednet.errors import RevertedError
from tests.attacks import lies
from tests.attacks.lie import Found, Liar, Lie, contract
from tests.attacks.network import Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "Members are revoked so that no quorum is left",
    Liar.OPERATOR,
    (contract("SiteStandingWrong"), Found("nothing-to-verify", 17)),
)


def test_round_becomes_final_while_the_quorum_stands(network: Network) -> None:
    members = network.members()
    *others, revoked = members
    with network.open(members) as run:
        run.start(*others)
        lies.submit_and_reveal(revoked, run, lies.update(revoked, run.place()))
        network.operator.revoke(revoked.site)
        run.reach(Phase.PROPOSING)
        run.wait_held(others, members)
        right = lies.recomputed(revoked, run)
        with LIE.refused("SiteStandingWrong"):
            lies.propose(revoked, run, right.record, right.state_path)
        run.pass_reveal()
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    assert report.verified
    assert {entry.verdict for entry in report.rounds[0].sites} == {"included"}
    assert report.rounds[0].attestations == len(others)


def test_run_aborts_where_the_quorum_is_out_of_reach(network: Network) -> None:
    members = network.members()
    survivors, revoked = members[:2], members[2:]
    with network.open(members, rounds=2, timing_max_proposals=1) as run:
        run.start(*survivors)
        for member in revoked:
            lies.submit_and_reveal(member, run, lies.update(member, run.place()))
        run.reach(Phase.PROPOSING)
        for member in revoked:
            network.operator.revoke(member.site)
        run.wait_held(survivors, members)
        run.pass_reveal()
        for attempt in (1, 2):
            run.reach(Phase.ATTESTING, 1, attempt)
            run.wait(
                lambda history, attempt=attempt: (
                    len(history.rounds[RoundNumber(1)].attempts[attempt].proposals[1].attestations)
                    == len(survivors)
                )
            )
            run.pass_deadline()
            if attempt == 1:
                run.wait(lambda _: len(run.submissions(1, 2)) == len(survivors))
                network.travel(run.state.since + 2 * len(members) + 1)
        assert run.over() is Phase.ABORTED
        state = run.state
        report = network.audit(run)
    assert (state.round, state.attempt, state.quorum) == (1, 2, 3)
    assert report.rounds[0].verdict is RoundVerdict.OPEN
    LIE.found(report)


def test_grant_that_is_revoked_in_mid_round_holds_nobody_up(network: Network) -> None:
    members = network.members()
    leaver, *others = members
    with network.open(members) as run:
        run.start(*others)
        run.wait(lambda _: len(run.submissions()) == len(others))
        grant = run.history.consents[leaver.site].grant
        leaver.writer.revoke_access(grant)
        with pytest.raises(RevertedError) as refused:
            lies.submit_and_reveal(leaver, run, lies.update(leaver, run.place()))
        assert refused.value.error in ("ConsentMissing", "PhaseWrong")
        assert run.over() is Phase.COMPLETED
        history: RunHistory = run.history
        report = network.audit(run)
    assert leaver.site in history.ended
    assert report.verified
    assert [entry.site for entry in report.rounds[0].sites] == [each.site for each in others]


def test_honest_operator_revokes_nobody(network: Network) -> None:
    require_honest_round(network)

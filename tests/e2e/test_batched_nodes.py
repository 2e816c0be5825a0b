"""Nodes in processes of their own hand in and attest together: signed mail over their stores."""

from __future__ import annotations

from pathlib import Path

from fednet.domain.batch_events import AttestationsBatched, UpdatesBatched
from fednet.domain.batches import VOTE_SIZE_BYTES, BatchedUpdate
from fednet.domain.events import UpdateSubmitted
from fednet.domain.history import RunHistory
from fednet.domain.ledger import Phase
from tests.e2e.fleet import assert_audit_passes, running_fleet

SITES, ROUNDS, COMMITTEE, QUORUM = 4, 2, 3, 2


def test_separate_nodes_fill_one_batch_a_round_and_one_carries_the_votes(tmp_path: Path) -> None:
    # Only the first site can be dialled, so what the others say passes through it.
    module = {"name": "batched", "committee_sites": COMMITTEE, "batch_seconds": 100}
    with running_fleet(tmp_path, SITES, ROUNDS, hubs=1, module=module) as made:
        fleet, _, run = made
        for site in fleet.consortium.sites:
            fleet.start(site)
        state = fleet.wait_for(run, lambda state: state.phase.is_over)
        assert state.phase is Phase.COMPLETED
        assert_every_round_came_by_mail(fleet.consortium.history(run))
        assert_audit_passes(fleet, run)
        assert set(fleet.stop().values()) == {0}


def assert_every_round_came_by_mail(history: RunHistory) -> None:
    """One transaction has a round's updates; another carried a quorum of a committee's votes."""
    assert not [event for event in history.events if type(event) is UpdateSubmitted]
    batches = [event.round for event in history.events if isinstance(event, UpdatesBatched)]
    assert batches == list(range(1, ROUNDS + 1))
    for entry in history.rounds.values():
        attempt = entry.attempts[1]
        assert len(attempt.submissions) == SITES
        assert all(isinstance(each, BatchedUpdate) for each in attempt.submissions.values())
        committee = attempt.proposals[1].committee
        assert committee is not None
        assert committee.size == COMMITTEE
    carried = [event for event in history.events if isinstance(event, AttestationsBatched)]
    decisive = [event for event in carried if len(event.rows) >= QUORUM * VOTE_SIZE_BYTES]
    # On a busy machine a member may tire of waiting and vote by itself, but not in every round.
    assert decisive

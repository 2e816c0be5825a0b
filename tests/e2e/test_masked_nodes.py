"""Nodes in processes of their own mask their updates; one is killed, and the others sum theirs."""

from __future__ import annotations

from pathlib import Path

from fednet.domain.identity import RoundNumber, SiteId
from fednet.domain.ledger import Phase
from fednet.domain.masking_events import SharesHeld
from fednet.domain.record import RoundRecord
from tests.e2e.fleet import Fleet, assert_audit_passes, running_fleet

SITES, GONE, ELEMENTS = 4, SiteId(4), 1_000
SECTIONS = {
    "module": {"name": "masked"},
    "masking": {
        "clip": 8,
        "key_seconds": 20,
        "share_seconds": 20,
        "holding_seconds": 20,
        "freeze_seconds": 20,
    },
    "cohort": {"maximum_sites": SITES},
    "update": {"maximum_examples": 1_000},
    "timing": {"collect_seconds": 70, "reveal_seconds": 2, "grace_seconds": 2},
}


def holds(fleet: Fleet, run: int, site: SiteId) -> bool:
    """Tell whether a site has said whose shares it holds."""
    events = fleet.consortium.reader.masking_events(run)
    return any(isinstance(event, SharesHeld) and event.site == site for event in events)


def test_a_node_is_killed_before_its_masked_update_and_the_others_sum_theirs(
    tmp_path: Path,
) -> None:
    with running_fleet(tmp_path, SITES, rounds=1, elements=ELEMENTS, **SECTIONS) as made:
        fleet, _, run = made
        for site in fleet.consortium.sites:
            # The last one is asleep when it would have to train.
            fleet.start(site, nap="1:600" if site == GONE else "")
        fleet.wait_for(run, lambda _: holds(fleet, run, GONE))
        fleet.lose(GONE)
        state = fleet.wait_for(run, lambda state: state.phase.is_over)
        assert state.phase is Phase.COMPLETED
        attempt = fleet.consortium.history(run).rounds[RoundNumber(1)].attempts[1]
        assert sorted(attempt.submissions) == [1, 2, 3]
        record = final_record(fleet, run)
        assert record.outcome == {"vanished": [int(GONE)]}
        assert [entry.verdict for entry in record.updates] == ["included"] * 3
        assert_audit_passes(fleet, run)
        assert set(fleet.stop().values()) == {0}


def final_record(fleet: Fleet, run: int) -> RoundRecord:
    said = fleet.consortium.history(run).rounds[RoundNumber(1)].final_proposal
    assert said is not None
    name = f"run-{run}/{said.proposed.record}.json"
    path = next(fleet.consortium.home(SiteId(1)).rglob(name))
    return RoundRecord.from_bytes(path.read_bytes(), "record")

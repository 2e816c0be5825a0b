"""Records of masked rounds: none is missing, and whoever made one was allowed to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fednet.domain import events as ev
from fednet.domain import masking_events as me
from fednet.domain.identity import Commitment, Locator, RunId
from fednet.domain.ledger import Standing
from tests.unit.audit.books import RESEARCHER, RUN
from tests.unit.audit.world import World

SAID = Commitment(b"\7" * 32)
BLOB = {"commitment": SAID, "locator": Locator(SAID)}
KEYS = {"mask_key": b"\1" * 32, "channel_key": b"\2" * 32}
ACTS: list[tuple[Any, dict[str, Any]]] = [
    (me.KeysAdvertised, KEYS),
    (me.SharesDealt, BLOB),
    (me.SharesHeld, {"holding": b"\3"}),
    (me.SetProposed, {"number": 1, "inclusion": b""}),
    (me.SetAffirmed, {"number": 1}),
    (me.SharesDisclosed, BLOB),
]


def emit(world: World, kind: Any, **changes: Any) -> Any:
    said = {"run": RUN, "round": world.place.round, "attempt": world.place.attempt}
    return world.emit(kind, **said | changes)


def mask(world: World) -> list[Any]:
    """Record what sites do in a masked round, and play it."""
    records = [emit(world, kind, site=2, **fields) for kind, fields in ACTS]
    records.insert(1, emit(world, me.KeysClosed, advertised=1))
    records.append(emit(world, me.SetFrozen, number=1))
    world.play()
    return records


def found(world: World) -> list[tuple[str, int]]:
    return [(each.code, each.check) for each in world.audit().findings]


def test_honest_records_are_no_finding(world: World) -> None:
    mask(world)
    assert world.audit().findings == ()


@pytest.mark.parametrize("at", range(8))
def test_missing_record_is_found_and_frames_nobody(world: World, at: int) -> None:
    record = mask(world)[at]
    world.events_seen.remove(record)
    report = world.audit()
    assert [each.code for each in report.findings] == ["masking-incomplete"]
    assert report.accused == ()


def test_edited_record_is_found(world: World) -> None:
    record = mask(world)[0]
    place = world.events_seen.index(record)
    log = replace(record.log, data=record.log.data + b"\0")
    world.events_seen[place] = replace(record, log=log)
    assert found(world) == [("masking-incomplete", 2)]


@pytest.mark.parametrize(("kind", "fields"), ACTS)
def test_record_of_a_suspended_site_is_found(world: World, kind: Any, fields: Any) -> None:
    change = {"site": 2, "operator": RESEARCHER}
    world.emit(ev.SiteStandingChanged, standing=Standing.SUSPENDED, **change)
    emit(world, kind, site=2, **fields)
    emit(world, kind, site=2, **fields, run=RunId(9))
    world.emit(ev.SiteStandingChanged, standing=Standing.ACTIVE, **change)
    world.play()
    assert found(world) == [("unauthorised", 19)]

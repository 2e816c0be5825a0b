"""Audits that recall rounds which this machine verified before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fednet.audit.memory import AuditMemory
from fednet.domain.identity import Commitment, RoundNumber, SiteId
from tests.unit.audit.world import FORGED, World, work_of


@pytest.fixture
def grown(tmp_path: Path) -> World:
    return World(tmp_path, rounds=3)


def memory_of(world: World, *, afresh: bool = False) -> AuditMemory:
    return AuditMemory(world.folder / "audits", afresh)


def test_grown_run_is_looked_at_where_it_is_new(grown: World) -> None:
    grown.play(2)
    first = grown.audit(memory=memory_of(grown))
    assert (first.verified, first.recalled) == (True, ())
    block = grown.block
    grown.play(1)
    second = grown.audit(memory=memory_of(grown))
    assert [(each.round, each.block) for each in second.recalled] == [(1, block), (2, block)]
    assert [each.verdict for each in second.rounds] == ["verified"] * 3
    assert second.verified
    afresh = grown.audit(memory=memory_of(grown, afresh=True))
    assert afresh.recalled == ()
    assert afresh.rounds == second.rounds


def test_recalled_rounds_need_no_update_but_the_last_state(grown: World) -> None:
    grown.play(2)
    grown.audit(memory=memory_of(grown))
    lost = grown.updates[(RoundNumber(1), 1, SiteId(3))]
    grown.store._objects.pop(grown.store.locate(lost))
    for path in (grown.folder / "cache").rglob("*"):
        if path.is_file():
            path.unlink()
    grown.play(1)
    assert grown.audit(memory=memory_of(grown)).verified
    assert not grown.audit(memory=memory_of(grown, afresh=True)).verified


def test_round_in_which_something_was_found_is_never_kept(grown: World) -> None:
    grown.collect()
    grown.propose()
    grown.attest(1, 2)
    grown.attest(3, witness=FORGED)
    grown.finalize()
    first = grown.audit(memory=memory_of(grown))
    second = grown.audit(memory=memory_of(grown))
    assert first.accused == second.accused == (3,)
    assert second.recalled == ()


def test_late_vote_makes_a_round_be_looked_at_again(grown: World) -> None:
    grown.collect()
    grown.propose()
    grown.attest(1, 2)
    grown.finalize()
    assert grown.audit(memory=memory_of(grown)).verified
    grown.attest(3, witness=FORGED)
    report = grown.audit(memory=memory_of(grown))
    assert report.accused == (3,)
    assert report.recalled == ()


def test_storage_is_compared_anew(grown: World) -> None:
    grown.play(2)
    grown.audit(memory=memory_of(grown))
    grown.settlements[RoundNumber(1)] = FORGED
    report = grown.audit(memory=memory_of(grown))
    assert [each.code for each in report.findings] == ["settlement-differs"]
    assert [each.round for each in report.recalled] == [2]


def test_copy_of_a_recalled_update_is_still_found(grown: World) -> None:
    grown.play(1)
    grown.audit(memory=memory_of(grown))
    grown.submit(1, arrays=work_of(2, 1))
    grown.submit(2)
    grown.submit(3)
    grown.close()
    grown.propose()
    grown.attest(1, 2, 3)
    grown.finalize()
    report = grown.audit(memory=memory_of(grown))
    assert [each.round for each in report.recalled] == [1]
    assert [(each.code, each.accused) for each in report.findings] == [("update-copied", 1)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: b"{",
        lambda raw: b"[" * 100_000,
        lambda raw: json.dumps(raw | {"binding": "00" * 32}).encode(),
        lambda raw: json.dumps(raw | {"result": raw["result"] | {"verdict": "wrong"}}).encode(),
        lambda raw: json.dumps(raw | {"earned": [[1]]}).encode(),
    ],
)
def test_damaged_file_is_as_good_as_none(grown: World, damage: object) -> None:
    grown.play(1)
    grown.audit(memory=memory_of(grown))
    [path] = (grown.folder / "audits").iterdir()
    path.write_bytes(damage(json.loads(path.read_bytes())))  # type: ignore[operator]
    report = grown.audit(memory=memory_of(grown))
    assert (report.verified, report.recalled) == (True, ())


def test_folder_that_takes_nothing_costs_nothing_but_time(grown: World) -> None:
    (grown.folder / "audits").write_bytes(b"a file")
    grown.play(1)
    assert grown.audit(memory=memory_of(grown)).verified
    assert Commitment.of((grown.folder / "audits").read_bytes()) == Commitment.of(b"a file")

"""Rounds that take late updates: what counts, what the record says, what an audit finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from fednet.audit import AuditReport, Severity
from fednet.audit.memory import AuditMemory
from fednet.domain.record import RoundRecord
from fednet.domain.sections import CohortSection, EvaluationSection, StalenessSection
from fednet.domain.tensors import decode_tensors
from tests.unit.audit.world import World, filled, work_of

ROUNDS = 5


class Buffered(World):
    """A round closes with two of three updates, which may be two rounds late."""

    sections: ClassVar[dict[str, Any]] = {"staleness": StalenessSection(rounds=2)}

    def _open(self, rounds: int) -> None:
        self.cohort = CohortSection(
            minimum_sites=2, target_sites=3, minimum_updates=1, target_updates=2
        )
        super()._open(rounds)

    def finish(self, **final: Any) -> RoundRecord:
        self.close()
        self.propose(**final)
        self.attest(*self.sites)
        self.finalize()
        assert self.last is not None
        return self.last

    def fast(self) -> None:
        """Play a round of sites 1 and 2."""
        self.submit(1)
        self.submit(2)
        self.finish()


class Measured(Buffered):
    """As before, with a metric."""

    sections: ClassVar[dict[str, Any]] = Buffered.sections | {
        "evaluation": EvaluationSection(metric="accuracy")
    }


@pytest.fixture
def world(tmp_path: Path) -> Buffered:
    return Buffered(tmp_path, 3, ROUNDS)


def held(report: AuditReport) -> list[tuple[str, Severity, int | None]]:
    return [(each.code, each.severity, each.accused) for each in report.findings]


def value_of(world: World) -> float:
    arrays, _ = decode_tensors(Path(world.base_path).read_bytes(), "state")
    return float(next(iter(arrays.values())).reshape(-1)[0])


def test_late_update_counts_by_its_factor_of_the_step(world: Buffered) -> None:
    for fill in (1.0, 2.0):
        world.submit(1, fill=fill, weight=10)
        world.submit(2, fill=fill, weight=10)
        world.finish()
    world.submit(1, fill=1.0, weight=10)
    world.submit(3, fill=4.0, weight=30, base=world.bases[0])
    record = world.finish()
    # Two rounds late: 1 + 2 + (10 * 1 + 30 * 0.5774 * 4) / 40, rounded once to float32.
    assert value_of(world) == np.float32(4.98220)
    assert record.late == {3: 2}
    # Credits go by examples, late or not.
    assert record.earned == {1: 1_250, 2: 1_000, 3: 750}
    assert [code for code, _, accused in held(world.audit()) if accused] == []


def test_run_with_late_updates_is_verified_and_says_who_was_late(world: Buffered) -> None:
    world.fast()
    world.submit(1)
    world.submit(3, base=world.bases[0])
    world.finish()
    report = world.audit()
    assert held(report) == []
    assert report.verified
    assert [(site.site, site.staleness) for site in report.rounds[1].sites] == [(1, 0), (3, 1)]


def test_update_that_is_too_late_is_invalid(world: Buffered) -> None:
    for _ in range(3):
        world.fast()
    world.submit(1)
    world.submit(3, base=world.bases[0])
    record = world.finish()
    entry = record.updates[1]
    assert (entry.verdict, entry.reason, entry.staleness) == ("invalid", "wrong-base", 0)
    assert world.audit().verified


def test_record_that_calls_a_late_update_fresh_convicts_its_proposer(world: Buffered) -> None:
    world.fast()
    world.submit(1)
    world.submit(3, base=world.bases[0])

    def lie(record: RoundRecord) -> RoundRecord:
        fresh = tuple(each.model_copy(update={"staleness": 0}) for each in record.updates)
        return record.model_copy(update={"updates": fresh})

    world.finish(lie=lie)
    assert ("staleness-changed", Severity.VIOLATION, 2) in held(world.audit())


def test_anothers_update_handed_in_late_convicts_who_took_it(world: Buffered) -> None:
    world.fast()
    world.submit(1)
    world.submit(3, arrays=work_of(2, 1), base=world.bases[0])
    world.finish()
    report = world.audit()
    assert held(report) == [("update-copied", Severity.VIOLATION, 3)]
    assert "was public by then" in report.findings[0].message


def test_own_update_that_has_counted_cannot_come_again_as_late(world: Buffered) -> None:
    world.fast()
    world.submit(1, arrays=work_of(1, 1), base=world.bases[0])
    world.submit(2)
    world.finish()
    report = world.audit()
    assert held(report) == [("update-repeated", Severity.VIOLATION, None)]
    assert "counted already" in report.findings[0].message


def test_recalled_rounds_still_say_what_has_counted(world: Buffered, tmp_path: Path) -> None:
    memory = AuditMemory(tmp_path / "memory")
    world.fast()
    assert world.audit(memory=memory).verified
    world.submit(1, arrays=work_of(1, 1), base=world.bases[0])
    world.submit(3, base=world.bases[0])
    world.finish()
    report = world.audit(memory=memory)
    assert [each.round for each in report.recalled] == [1]
    assert held(report) == [("update-repeated", Severity.VIOLATION, None)]
    assert [site.staleness for site in report.rounds[1].sites] == [1, 1]


def test_late_metrics_judge_no_state(tmp_path: Path) -> None:
    world = Measured(tmp_path, 3, ROUNDS)
    metric = {"evaluated": 10, "weight": 10}
    world.submit(1, metrics={"accuracy": "0.2"}, **metric)
    world.submit(2, metrics={"accuracy": "0.4"}, **metric)
    first = world.finish()
    world.submit(1, metrics={"accuracy": "0.6"}, **metric)
    world.submit(3, metrics={"accuracy": "0.1"}, base=world.bases[0], **metric)
    second = world.finish()
    world.submit(2, metrics={"accuracy": "0.9"}, base=world.bases[1], **metric)
    world.submit(3, metrics={"accuracy": "0.9"}, base=world.bases[1], **metric)
    third = world.finish()
    assert first.evaluation
    assert second.evaluation
    assert (first.evaluation.pooled, second.evaluation.pooled) == ("0.3", "0.6")
    assert second.measured
    assert dict(second.measured.sites) == {1: "0.6"}
    # Nobody judged the state of round 2.
    assert third.evaluation == second.evaluation
    assert third.measured is None
    assert world.audit().verified


def test_filled_updates_say_nothing(world: Buffered) -> None:
    world.submit(1, arrays=filled(0.5))
    world.submit(2)
    world.finish()
    world.submit(2)
    world.submit(3, arrays=filled(0.5), base=world.bases[0])
    world.finish()
    assert [accused for *_, accused in held(world.audit()) if accused] == []

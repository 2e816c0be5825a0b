"""Runs that end before their last round: by the record that says so, and otherwise."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fednet.audit import AuditReport
from fednet.domain import events as ev
from fednet.domain.record import RoundRecord
from fednet.domain.sections import EvaluationSection
from tests.unit.audit.world import World

ROUNDS = 5


class Judging(World):
    """Sites publish an accuracy that the test chooses."""

    sections: ClassVar[dict[str, Any]] = {
        "evaluation": EvaluationSection(
            metric="accuracy",
            target=Decimal("0.9"),
            patience=2,
            lowest=Decimal(0),
            highest=Decimal(1),
        )
    }

    def judge(self, *accuracies: str, **final: bool) -> RoundRecord:
        """Play a round in which each site says another accuracy of the state before."""
        for site, accuracy in zip(self.sites, accuracies, strict=True):
            self.submit(site, metrics={"accuracy": accuracy}, evaluated=5 * site)
        self.close()
        self.propose()
        self.attest(*self.sites)
        self.finalize(**final)
        assert self.last is not None
        return self.last

    def complete(self) -> None:
        self.emit(ev.RunCompleted, rounds=self.place.round)


@pytest.fixture
def judging(tmp_path: Path) -> Judging:
    return Judging(tmp_path, 3, ROUNDS)


def codes(report: AuditReport) -> list[tuple[str, int | None]]:
    return [(finding.code, finding.accused) for finding in report.findings]


def test_record_holds_each_sites_metric_and_the_mean_over_examples(judging: Judging) -> None:
    first = judging.judge("0.1", "0.2", "0.5")
    assert [entry.metrics for entry in first.updates] == [
        {"accuracy": "0.1"}, {"accuracy": "0.2"}, {"accuracy": "0.5"},
    ]  # fmt: skip
    evaluation = first.evaluation
    assert evaluation is not None
    # (0.1 * 5 + 0.2 * 10 + 0.5 * 15) / 30
    assert evaluation.pooled == evaluation.best == "0.333333333"
    assert (evaluation.best_round, evaluation.best_state) == (0, judging.plan.model.commitment)
    second = judging.judge("0.6", "0.6", "0.6")
    assert second.evaluation is not None
    assert (second.evaluation.best_round, second.evaluation.best_state) == (1, first.state)
    assert judging.audit().verified


def test_run_that_reached_its_target_ends_and_the_audit_agrees(judging: Judging) -> None:
    assert judging.judge("0.1", "0.1", "0.1").ends == ""
    assert judging.judge("0.9", "0.9", "0.9", stay=True).ends == "target"
    judging.conclude(1, 2)
    judging.complete()
    report = judging.audit()
    assert codes(report) == []
    assert report.verified


def test_run_without_progress_ends_and_the_audit_agrees(judging: Judging) -> None:
    judging.judge("0.5", "0.5", "0.5")
    judging.judge("0.4", "0.4", "0.4")
    assert judging.judge("0.5", "0.5", "0.5", stay=True).ends == "patience"
    judging.conclude(1, 2, 3)
    judging.complete()
    assert judging.audit().verified


def test_voters_without_ground_are_accused_even_if_they_fail(judging: Judging) -> None:
    judging.judge("0.5", "0.5", "0.5", stay=True)
    judging.conclude(3)
    judging.begin(2)
    judging.judge("0.5", "0.5", "0.5")
    assert codes(judging.audit()) == [("concluded-without-ground", 3)]


def test_quorum_that_ends_a_run_without_ground_is_accused(judging: Judging) -> None:
    judging.judge("0.5", "0.5", "0.5", stay=True)
    judging.conclude(1, 2)
    judging.complete()
    assert codes(judging.audit()) == [
        ("concluded-without-ground", 1), ("concluded-without-ground", 2),
    ]  # fmt: skip


def test_run_that_ended_without_a_quorum_is_found(judging: Judging) -> None:
    judging.judge("0.95", "0.95", "0.95", stay=True)
    judging.conclude(2)
    judging.complete()
    assert codes(judging.audit()) == [("ended-without-quorum", None)]


def test_vote_from_outside_the_cohort_is_found(judging: Judging) -> None:
    judging.judge("0.95", "0.95", "0.95", stay=True)
    judging.conclude(1, 2, 7)
    judging.complete()
    found = judging.audit().findings
    assert ("vote-outside-cohort", 7) in [(each.code, each.accused) for each in found]


@pytest.mark.parametrize("field", ["pooled", "best", "ends"])
def test_proposer_that_lies_about_the_evaluation_is_accused(judging: Judging, field: str) -> None:
    for site in judging.sites:
        judging.submit(site, metrics={"accuracy": "0.5"}, evaluated=5)
    judging.close()
    lie = {"pooled": "0.91", "best": "0.91", "ends": "target"}[field]

    def embellish(record: RoundRecord) -> RoundRecord:
        assert record.evaluation is not None
        changed = record.evaluation.model_copy(update={field: lie})
        return record.model_copy(update={"evaluation": changed})

    judging.propose(by=2, lie=embellish)
    assert ("evaluation-differs", 2) in codes(judging.audit())


def test_proposer_that_edits_a_sites_metric_is_accused(judging: Judging) -> None:
    for site in judging.sites:
        judging.submit(site, metrics={"accuracy": "0.5"}, evaluated=5)
    judging.close()

    def edit(record: RoundRecord) -> RoundRecord:
        first, *others = record.updates
        changed = first.model_copy(update={"metrics": {"accuracy": "0.51"}})
        return record.model_copy(update={"updates": (changed, *others)})

    judging.propose(by=2, lie=edit)
    assert ("metrics-changed", 2) in codes(judging.audit())


def test_update_without_the_metric_is_invalid(judging: Judging) -> None:
    judging.submit(1)
    for site in (2, 3):
        judging.submit(site, metrics={"accuracy": "0.5"}, evaluated=5)
    judging.close()
    entry = judging.recomputed(2).record.updates[0]
    assert (entry.verdict, entry.reason, entry.metrics) == ("invalid", "wrong-metrics", {})

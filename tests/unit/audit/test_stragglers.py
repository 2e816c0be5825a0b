"""A round that waits for stragglers: what came within the wait counts, what came later is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

from fednet.domain.sections import CohortSection, TimingSection
from tests.unit.audit.world import World

TOOK, PERCENT = 100, 50


class Waiting(World):
    """Two of three updates are aimed at; then half as long again is waited."""

    sections: ClassVar[dict[str, Any]] = {"timing": TimingSection(straggler_percent=PERCENT)}

    def _open(self, rounds: int) -> None:
        self.cohort = CohortSection(
            minimum_sites=2, target_sites=3, minimum_updates=1, target_updates=2
        )
        super()._open(rounds)

    def late_by(self, seconds: int) -> list[str]:
        """Let two submit, and the third so many seconds later; return what the audit reports."""
        self.submit(1)
        self.now += TOOK
        self.submit(2)
        self.now += seconds
        self.submit(3)
        self.close()
        self.propose()
        self.attest(*self.sites)
        self.finalize()
        report = self.audit()
        assert not report.accused
        return sorted({each.code for each in report.findings if each.severity.name != "NOTICE"})


@pytest.fixture
def world(tmp_path: Path) -> Waiting:
    return Waiting(tmp_path, rounds=1)


def test_an_update_within_the_wait_counts(world: Waiting) -> None:
    assert world.late_by(TOOK * PERCENT // 100 - 5) == []


def test_an_update_after_the_wait_is_reported(world: Waiting) -> None:
    assert "late" in world.late_by(TOOK * PERCENT // 100 + 5)

"""What sites spent in a run, against what its plan promises; see ``fednet.audit.promises``."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fednet.audit import Severity
from fednet.domain import disclosure_events as de
from fednet.domain.identity import Digest
from fednet.domain.sections import PrivacySection, TrainingSection, UpdateSection
from tests.unit.audit.books import RUN
from tests.unit.audit.world import World

PROMISED, DELTA = 3_000_000, 10_000_000


class Private(World):
    """A run whose plan promises an epsilon of 3, and ceilings that allow far more."""

    sections: ClassVar[dict[str, Any]] = {
        "training": TrainingSection(batch_size=5),
        "update": UpdateSection(minimum_examples=5),
        "privacy": PrivacySection(
            mechanism="dp-sgd", clip_norm=Decimal(1), noise_multiplier=Decimal(1),
            epsilon=Decimal(3), delta=Decimal("0.00001"),
        ),
    }  # fmt: skip

    def spend(self, site: int, epsilon: int, delta: int = DELTA, run: int = RUN) -> None:
        self.emit(
            de.CeilingSet, dataset=site, site=site, epsilon_micro=9 * PROMISED,
            delta_pico=9 * DELTA, grounds=Digest(b"\1" * 32),
        )  # fmt: skip
        self.emit(
            de.BudgetSpent, run=run, round=1, site=site, dataset=site,
            epsilon_micro=epsilon, delta_pico=delta,
        )  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> Private:
    return Private(tmp_path)


def test_what_was_promised_may_be_spent_to_the_last_millionth(world: Private) -> None:
    for site in world.sites:
        world.spend(site, PROMISED)
    world.play()
    assert world.audit().findings == ()


@pytest.mark.parametrize("beyond", [(PROMISED + 1, DELTA), (1, DELTA + 1)])
def test_spending_beyond_the_promise_accuses_its_site(
    world: Private, beyond: tuple[int, int]
) -> None:
    for site in world.sites:
        world.spend(site, *(beyond if site == 2 else (1, 1)))
    world.play()
    (found,) = world.audit().findings
    assert (found.code, found.check, found.accused) == ("spent-beyond-promise", 29, 2)
    assert (found.round, found.expected) == (1, "at most epsilon 3, delta 0.00001")


def test_a_site_that_records_no_spending_is_noticed_once_and_not_accused(world: Private) -> None:
    for site in (1, 2):
        world.spend(site, 1)
    world.spend(3, 1, run=RUN + 1)
    world.play(2)
    report = world.audit()
    (found,) = report.findings
    assert (found.code, found.severity, found.accused) == (
        "spending-unrecorded", Severity.NOTICE, None,
    )  # fmt: skip
    assert found.subject.startswith("update of site 3 in round 1")
    assert report.verified


def test_a_plan_without_a_promise_holds_nobody_to_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.play()
    assert world.audit().findings == ()

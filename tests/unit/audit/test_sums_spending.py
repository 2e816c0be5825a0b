"""What sites record of masked sums with noise, against the accountant; see `audit.promises`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fednet.audit import AuditReport, Severity
from fednet.domain import disclosure_events as de
from fednet.domain.disclosures import PrivacyLoss
from fednet.domain.identity import Digest, SiteId
from fednet.domain.privacy import NoisySteps
from fednet.domain.tensors import FloatArray
from fednet.privacy.accounting import spent_by
from fednet.privacy.clipping import cut_to_norm
from tests.unit.audit.books import RUN
from tests.unit.audit.masking import MASKED, SITES, Masking

DELTA, ROUNDS, LIAR = Decimal("0.00001"), 2, 3
HIDDEN: dict[str, Any] = MASKED | {
    "privacy": {
        "mechanism": "distributed-gaussian", "clip_norm": 1, "noise_multiplier": 4,
        "epsilon": 10, "delta": DELTA,
    },
}  # fmt: skip
Told = Callable[[int], int]
"""Makes of what a site's updates cost, in millionths of epsilon, what the site says."""


def cost(sums: int) -> int:
    """Return what sums cost by the Gaussian mechanism: a multiplier of 4, over two norms."""
    epsilon = spent_by([NoisySteps(1, 1, Decimal(2), sums)], DELTA)
    return PrivacyLoss.of(epsilon, DELTA).epsilon_micro


class Hidden(Masking):
    """Sites say what they spent before each update; one of them says something else."""

    told: Told

    def contribute(self, site: SiteId) -> None:
        told, delta = cost(self.place.round), 10_000_000
        if site == LIAR:
            told = type(self).told(told)
        if self.place.round == 1:
            self.emit(
                de.CeilingSet, dataset=site, site=site, epsilon_micro=20_000_000,
                delta_pico=delta, grounds=Digest(b"\1" * 32),
            )  # fmt: skip
        if told:
            self.emit(
                de.BudgetSpent, run=RUN, round=self.place.round, site=site, dataset=site,
                epsilon_micro=told, delta_pico=delta,
            )  # fmt: skip
        super().contribute(site)

    def values_of(self, site: int) -> FloatArray:
        return cut_to_norm({"all": super().values_of(site)}, Decimal(1))["all"]


def audited(folder: Path, said: Told) -> AuditReport:
    class World(Hidden):
        sections = HIDDEN
        told = staticmethod(said)

    world = World(folder, SITES)
    world.play(ROUNDS)
    return world.audit()


@pytest.mark.parametrize("rounding", [-1, 0, 1])
def test_the_accountants_figure_is_found_right_but_for_the_last_millionth(
    tmp_path: Path, rounding: int
) -> None:
    report = audited(tmp_path, lambda due: due + rounding)
    assert report.findings == ()
    assert report.verified


def test_a_site_whose_updates_cost_more_than_it_says_is_accused_once(tmp_path: Path) -> None:
    report = audited(tmp_path, lambda due: due - 2)
    (found,) = report.findings
    assert (found.code, found.check, found.accused) == ("spent-below-accountant", 29, SiteId(LIAR))
    assert (found.round, found.subject) == (1, f"update of site {LIAR} in round 1, attempt 1")
    assert found.expected == f"epsilon {Decimal(cost(1)).scaleb(-6)}, for 1 of its updates"


def test_a_site_that_goes_on_without_paying_is_accused_in_that_round(tmp_path: Path) -> None:
    (found,) = audited(tmp_path, lambda due: cost(1)).findings
    assert (found.code, found.round, found.accused) == ("spent-below-accountant", 2, SiteId(LIAR))


def test_updates_that_were_paid_for_and_not_submitted_are_no_fault(tmp_path: Path) -> None:
    assert audited(tmp_path, lambda due: cost(2)).findings == ()


def test_what_no_number_of_updates_costs_is_noticed(tmp_path: Path) -> None:
    report = audited(tmp_path, lambda due: due + 5)
    (found,) = report.findings
    assert (found.code, found.severity, found.accused) == (
        "spent-beside-accountant", Severity.NOTICE, None,
    )  # fmt: skip
    assert report.verified


def test_a_site_that_says_nothing_is_noticed_only(tmp_path: Path) -> None:
    (found,) = audited(tmp_path, lambda due: 0).findings
    assert (found.code, found.accused) == ("spending-unrecorded", None)

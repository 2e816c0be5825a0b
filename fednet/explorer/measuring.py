"""What sites measured of a run's models, out of its records; each record is read once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fednet.domain.identity import Commitment
from fednet.domain.plan import Plan
from fednet.domain.record import Measured
from fednet.explorer import blobs, plots
from fednet.provenance import RoundRow

_KEPT = 20_000
MOST_SITES = 24
"""Sites that a drawing shows; more lines tell nothing."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured of a run's models."""

    metric: str
    curve: Markup
    latest: Measured


class MeasureReader:
    """Read what records say of a metric, and keep that."""

    PATIENCE_SECONDS = 1.5
    """How long a page waits for records; those that come later are there at the next visit."""

    def __init__(self, small: blobs.SmallBlobs) -> None:
        self._blobs = small
        self._lock = threading.Lock()
        self._kept: OrderedDict[Commitment, Measured | None] = OrderedDict()

    def of(self, plan: Plan | None, rows: Sequence[RoundRow]) -> Measures | None:
        """Draw what the sites measured in final rounds; None where there is nothing to draw.

        Args:
            plan: The run's; None if its bytes cannot be had.
            rows: Rounds in order.
        """
        if plan is None or not plan.evaluation.metric:
            return None
        until = time.monotonic() + self.PATIENCE_SECONDS
        found = [self._read(row, until) for row in rows if row.status == "final"]
        known = [each for each in found if each is not None]
        if not known:
            return None
        return Measures(plan.evaluation.metric, _draw(plan, known), known[-1])

    def _read(self, row: RoundRow, until: float) -> Measured | None:
        if row.record is None or row.record_locator is None:
            return None
        with self._lock:
            if row.record in self._kept:
                return self._kept[row.record]
        if time.monotonic() > until:
            return None
        record = blobs.record(self._blobs, row.record, row.record_locator)
        if record is None:
            return None
        with self._lock:
            self._kept[row.record] = record.measured
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return record.measured


def _draw(plan: Plan, known: Sequence[Measured]) -> Markup:
    pooled = [(each.round, float(each.evaluation.pooled)) for each in known]
    sites = sorted({site for each in known for site in each.sites})[:MOST_SITES]
    section = plan.evaluation
    values = [value for _, value in pooled]
    lowest = min(values) if section.lowest is None else float(section.lowest)
    highest = max(values) if section.highest is None else float(section.highest)
    return plots.metric(
        plots.Metric(
            name=f"{section.metric} of the model after each round",
            pooled=pooled,
            sites={
                int(site): [
                    (each.round, float(each.sites[site])) for each in known if site in each.sites
                ]
                for site in sites
            },
            best_round=known[-1].evaluation.best_round,
            target=None if section.target is None else float(section.target),
            lowest=lowest,
            highest=highest,
        )
    )

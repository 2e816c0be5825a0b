"""The drawing of what sites measured: from records alone, honest about missing and absurd ones."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from jinja2 import Environment, PackageLoader, StrictUndefined

from fednet.domain.evaluation import Evaluation
from fednet.domain.identity import Commitment, Locator, RoundNumber
from fednet.domain.plan import Plan
from fednet.domain.record import ClusterEntry, RoundRecord, UpdateEntry
from fednet.explorer.measuring import MeasureReader
from fednet.explorer.plots import Metric, metric
from fednet.explorer.writing import FILTERS
from tests.unit.node.views import PLAN


class Served:
    """Serve records as the explorer's blobs do, and count what was asked for."""

    def __init__(self) -> None:
        self.blobs: dict[Commitment, bytes] = {}
        self.asked = 0

    def get(self, commitment: Commitment, locator: Locator, size_cap_bytes: int) -> bytes | None:
        self.asked += 1
        return self.blobs.get(commitment)


class Row:
    """A final round of the index."""

    def __init__(self, record: Commitment) -> None:
        self.status, self.record, self.record_locator = "final", record, Locator(record)


def planned(**evaluation: Any) -> Plan:
    return PLAN.model_copy(
        update={
            "evaluation": type(PLAN.evaluation).model_validate(
                {"metric": "accuracy", "lowest": 0, "highest": 1} | evaluation
            )
        }
    )


def record(number: int, sites: list[str], best_round: int = 1) -> RoundRecord:
    return RoundRecord(
        format="fednet-round-record/1", chain_id=1, contract="0x", run=1, round=number, attempt=1,
        proposal=1, proposer=1, plan="0" * 64, previous_record="0" * 64, previous_state="0" * 64,
        rule="fedavg", outcome={},
        updates=tuple(
            UpdateEntry(site=site, commitment="0" * 64, weight=1, verdict="included", reason="",
                        metrics={"accuracy": value}, evaluated=1)
            for site, value in enumerate(sites, 1)
        ),
        evaluation=Evaluation(
            metric="accuracy", pooled="0.5", best="0.5", best_round=best_round, best_state="0" * 64
        ),
        state="0" * 64, state_locator="0" * 64, state_size_bytes=1, credits=(),
        credits_root="0" * 64, credits_total=0,
    )  # fmt: skip


@pytest.fixture
def served() -> Served:
    return Served()


def rows(served: Served, *records: RoundRecord) -> list[Any]:
    found = []
    for each in records:
        data = each.to_bytes()
        commitment = Commitment.of(data)
        served.blobs[commitment] = data
        found.append(Row(commitment))
    return found


def test_mean_and_every_site_are_drawn_and_the_best_is_marked(served: Served) -> None:
    reader: Any = MeasureReader(served)
    found = reader.of(planned(target=Decimal("0.9")), rows(
        served, record(1, ["0.1", "0.3"], 0), record(2, ["0.4", "0.6"])))  # fmt: skip
    assert found.curve.count('class="thin"') == 2
    assert found.curve.count('class="curve"') == 1
    assert "0.5 after round 1, the best" in found.curve
    assert "target 0.9" in found.curve
    assert found.latest.round == RoundNumber(1)


def test_record_is_read_once_and_a_missing_one_leaves_a_gap(served: Served) -> None:
    reader: Any = MeasureReader(served)
    lines = rows(served, record(1, ["0.1"]), record(2, ["0.2"]), record(3, ["0.3"]))
    del served.blobs[lines[1].record]
    for _ in range(3):
        assert "rounds 0 to 2" in reader.of(planned(), lines).curve
    assert served.asked == 2 + 3


def test_nothing_is_drawn_without_a_metric_or_a_record(served: Served) -> None:
    reader: Any = MeasureReader(served)
    assert reader.of(PLAN, rows(served, record(1, ["0.1"]))) is None
    assert reader.of(None, rows(served, record(1, ["0.1"]))) is None
    served.blobs.clear()
    assert reader.of(planned(), rows(Served(), record(1, ["0.2"]))) is None


def test_absurd_figures_stay_within_the_drawing() -> None:
    drawn = metric(
        Metric("m", [(0, 0.5), (1, -1e38)], {3: [(0, 1e38), (1, -1e38)]}, 0, None, 0.0, 1.0)
    )
    heights = [float(y) for y in re.findall(r'cy="([^"]+)"', drawn)]
    heights += [float(y) for _, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", drawn)]
    assert heights
    assert all(0 <= y <= 190 for y in heights)
    assert "nan" not in metric(Metric("m", [(4, 0.5)], {}, 4, None, 0.5, 0.5))


def test_round_page_says_what_was_measured_and_who_belongs_where() -> None:
    templates: Any = Environment(
        loader=PackageLoader("fednet.explorer"), autoescape=True, undefined=StrictUndefined
    )
    templates.filters.update(FILTERS)
    said = record(2, ["0.4", "0.6"]).model_copy(
        update={"clusters": (ClusterEntry(site=1, cluster=0), ClusterEntry(site=2, cluster=1))}
    )
    shown = str(templates.get_template("macros.html").module.measured_facts(said))
    assert "0.5 over examples; site 1: 0.4, site 2: 0.6." in shown
    assert "site 1: 0, site 2: 1" in shown

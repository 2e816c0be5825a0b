"""What a plan may say of late updates, and which older states count."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fednet.domain import events as ev
from fednet.domain.history import RunHistory
from fednet.domain.identity import Address, Commitment, Digest, Locator, RoundNumber, RunId, SiteId
from fednet.domain.plan import Plan
from fednet.domain.sections import StalenessSection
from fednet.domain.staleness import late_bases
from fednet.errors import PlanError

INITIAL = Commitment.of(b"initial")
LATE = {"rounds": 3}
BUFFER = {"minimum_sites": 4, "target_sites": 4, "target_updates": 2}


def plan_with(**sections: Any) -> Plan:
    raw = {
        "name": "p",
        "rounds": 9,
        "task": {"source": "digits", "digest": "0" * 64},
        "model": {"commitment": "0" * 64, "size_bytes": 1},
        "cohort": BUFFER,
        "staleness": LATE,
    }
    return Plan.validated(raw | sections, "plan")


def history_of(*states: str) -> RunHistory:
    """Make rounds that ended in these states, from round 1 on."""
    events: list[ev.RunEvent] = []
    log = ev.Log(0, 0, Digest(bytes(32)), Address("0x"))
    run, site, blob = RunId(1), SiteId(1), Commitment.of(b"record")
    for number, state in enumerate(states, 1):
        at = RoundNumber(number)
        events.append(ev.AttemptStarted(log, run, at, 1, 4, 4, 3, 0))
        events.append(
            ev.RoundProposed(
                log, run, at, site, 1, 1, 10, blob, Locator(blob),
                Commitment.of(state.encode()), Digest(blob), 0, b"",
            )
        )  # fmt: skip
        events.append(ev.RoundFinalized(log, run, at, 1, 1))
    return RunHistory.of(run, events)


def test_weights_that_are_left_out_are_fedbuffs() -> None:
    # 1/sqrt(2), 1/sqrt(3), 1/2, 1/sqrt(5), 1/sqrt(6), 1/sqrt(7), 1/sqrt(8), 1/3
    assert [str(each) for each in StalenessSection(rounds=8).weights] == [
        "0.7071", "0.5774", "0.5", "0.4472", "0.4082", "0.378", "0.3536", "0.3333",
    ]  # fmt: skip


def test_factor_is_in_ten_thousandths() -> None:
    section = StalenessSection(rounds=2, weights=(Decimal("0.25"), Decimal("0.0001")))
    assert [section.factor(late) for late in range(3)] == [10_000, 2_500, 1]


def test_weights_read_back_from_a_plans_bytes_and_from_toml() -> None:
    plan = plan_with()
    assert Plan.from_bytes(plan.to_bytes()) == plan
    assert b'"weights":["0.7071","0.5774","0.5"]' in plan.to_bytes()
    assert plan_with(staleness={"rounds": 1, "weights": [0.5]}).staleness.factor(1) == 5_000


@pytest.mark.parametrize(
    "section",
    [
        {"rounds": -1},
        {"rounds": 1_001},
        {"rounds": 2, "weights": [0.5]},
        {"rounds": 0, "weights": [0.5]},
        {"rounds": 1, "weights": [0]},
        {"rounds": 1, "weights": [1.5]},
        {"rounds": 1, "weights": [0.33333]},
        {"rounds": "many"},
    ],
)
def test_impossible_section_is_refused(section: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="staleness"):
        plan_with(staleness=section)


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        ({"aggregation": {"rule": "median"}}, "same weight"),
        ({"aggregation": {"rule": "fednova"}}, "divides by steps"),
        ({"cohort": BUFFER | {"target_updates": 0}}, "target_updates"),
        ({"training": {"algorithm": "scaffold"}}, "scaffold"),
        ({"clusters": {"method": "ifca", "count": 2}}, "clusters"),
    ],
)
def test_late_updates_are_refused_where_they_are_unsound(sections: Any, why: str) -> None:
    with pytest.raises(PlanError, match=why):
        plan_with(**sections)
    assert plan_with(**sections, staleness={})


def test_late_updates_stand_beside_norm_bounding() -> None:
    assert plan_with(aggregation={"rule": "norm-bounding", "norm": "1"})


def test_older_states_count_by_their_distance() -> None:
    history, section = history_of("a", "b", "c"), StalenessSection(rounds=2)
    named = {name: Commitment.of(name.encode()) for name in "abc"}
    assert late_bases(section, history, INITIAL, RoundNumber(1)) == {}
    assert late_bases(section, history, INITIAL, RoundNumber(2)) == {INITIAL: 1}
    assert late_bases(section, history, INITIAL, RoundNumber(4)) == {named["b"]: 1, named["a"]: 2}
    assert late_bases(StalenessSection(), history, INITIAL, RoundNumber(4)) == {}


def test_of_equal_states_the_latest_counts() -> None:
    history = history_of("a", "a", "b")
    late = late_bases(StalenessSection(rounds=3), history, INITIAL, RoundNumber(4))
    assert late == {Commitment.of(b"a"): 1, INITIAL: 3}

from __future__ import annotations

from typing import Any

import pytest

from fednet.domain.events import Log
from fednet.domain.identity import (
    Address,
    Commitment,
    Digest,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Phase, RunState
from fednet.domain.masking_events import SharesDisclosed
from fednet.domain.masking_stages import MaskingStage, MaskingState
from fednet.domain.plan import Plan
from fednet.errors import PlanError, SettingsError
from fednet.simulation.comparison import merged, variant
from fednet.simulation.scenario import Attack, Partition, Scenario
from fednet.simulation.vanishing import Absence, Step, Vanishing

BASE = {
    "name": "vanishing",
    "rounds": 1,
    "task": {"source": "digits", "digest": "0" * 64},
    "model": {"commitment": "1" * 64, "size_bytes": 100},
    "cohort": {"minimum_sites": 4, "target_sites": 4, "maximum_sites": 4},
}
SITES = [SiteId(number) for number in (11, 12, 13, 14)]


def plan_of(name: str) -> Plan:
    return Plan.validated(merged(BASE, variant(name, 0)), name)


class Ledger:
    """Say where a run of four sites stands."""

    def __init__(self) -> None:
        self.phase, self.round, self.attempt = Phase.COLLECTING, 1, 1
        self.stage, self.disclosed = MaskingStage.KEYS, 0
        self.now = 0
        self.history = self

    run = RunId(1)

    @property
    def state(self) -> RunState:
        return RunState(
            self.phase, RoundNumber(self.round), self.attempt, 1, 0, 1_000, 4, 4, 4, *(0,) * 7
        )

    def masking_state(self, run: RunId) -> MaskingState:
        return MaskingState(
            RoundNumber(self.round), self.attempt, self.stage, 500, 4, 4, 3, 0, 0,
            Digest(bytes(32)), 7,
        )  # fmt: skip

    def masking_events(self, run: RunId, from_block: int = 0) -> list[Any]:
        assert from_block == 7
        return [
            SharesDisclosed(
                Log(8, at, Digest(bytes(32)), Address("0x" + "11" * 20)),
                run, RoundNumber(self.round), SITES[at], self.attempt,
                Commitment("2" * 64), Locator(bytes(32)),
            )
            for at in range(self.disclosed)
        ]  # fmt: skip


def absence(ledger: Any, vanishing: Vanishing, name: str = "masked") -> Absence:
    return Absence(vanishing, plan_of(name), SITES, ledger, ledger)


def test_vanishing_is_read() -> None:
    assert Vanishing.parse("3@shares") == Vanishing(3, (Step.SHARES,))
    assert Vanishing.parse("1@each") == Vanishing(1)


@pytest.mark.parametrize("text", ["", "3", "@keys", "0@keys", "-1@keys", "3@", "3@keys,shares"])
def test_other_vanishings_are_refused(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Vanishing.parse(text)
    assert "unmasking" in str(caught.value.expected)


def test_a_plan_without_masks_has_three_steps() -> None:
    assert Vanishing(1).steps_of(plan_of("fedavg")) == (
        Step.SUBMITTING, Step.PROPOSING, Step.ATTESTING,
    )  # fmt: skip
    assert Vanishing(1).steps_of(plan_of("masked")) == tuple(Step)
    with pytest.raises(PlanError) as caught:
        Vanishing(1, (Step.SHARES,)).steps_of(plan_of("fedavg"))
    assert caught.value.actual == "shares"


@pytest.mark.parametrize("text", ["4@submitting", "9@submitting"])
def test_a_scenario_needs_a_site_that_stays(text: str) -> None:
    with pytest.raises(SettingsError):
        Scenario(4, Partition("iid"), None, 0, Vanishing.parse(text))
    assert Scenario(4, Partition("iid"), None, 0, Vanishing.parse("3@submitting"))


def test_hostile_and_vanishing_sites_are_not_rehearsed_together() -> None:
    with pytest.raises(SettingsError) as caught:
        Scenario(4, Partition("iid"), Attack("noise", 1), 0, Vanishing(1))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("step", "stage"),
    [
        (Step.KEYS, MaskingStage.KEYS),
        (Step.SHARES, MaskingStage.SHARES),
        (Step.HOLDINGS, MaskingStage.HOLDINGS),
        (Step.SUBMITTING, MaskingStage.MASKED),
        (Step.FREEZING, MaskingStage.FREEZING),
        (Step.UNMASKING, MaskingStage.UNMASKING),
    ],
)
def test_sites_are_away_from_their_step_on(step: Step, stage: MaskingStage) -> None:
    ledger = Ledger()
    looked = absence(ledger, Vanishing(1, (step,)))
    for at in list(MaskingStage)[1:]:
        ledger.stage = at
        assert bool(looked.look()) == (at >= stage), at
    ledger.phase = Phase.FINAL
    assert not looked.look()


def test_sites_vanish_before_proposing_once_all_shares_are_told() -> None:
    ledger = Ledger()
    looked = absence(ledger, Vanishing(2, (Step.PROPOSING,)))
    ledger.phase, ledger.stage, ledger.disclosed = Phase.PROPOSING, MaskingStage.UNMASKING, 2
    assert not looked.look()
    ledger.disclosed = 3  # as many as hold shares
    # The third proposes first in round 1, attempt 1: position (1 + 1 + 1) % 4.
    assert looked.look() == {14, 11}


def test_others_vanish_in_the_next_attempt_and_at_the_next_step() -> None:
    ledger = Ledger()
    ledger.phase = Phase.COLLECTING
    looked = absence(ledger, Vanishing(1), "fedavg")
    assert looked.look() == {14}
    ledger.attempt = 2
    assert not looked.look()
    ledger.phase = Phase.PROPOSING
    assert looked.look() == {11}
    ledger.round, ledger.attempt = 3, 1
    assert not looked.look()
    ledger.phase = Phase.ATTESTING
    assert looked.look() == {12}

"""Virtual sites that vanish in the middle of a round, at the step that a rehearsal asks for.

In every attempt those vanish whose turn to aggregate comes first, as these are
missed the most. They are back with the next attempt or round, as if they had
been started again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from fednet.domain.identity import SiteId
from fednet.domain.ledger import Phase, RunState, turn_position
from fednet.domain.masking_events import SharesDisclosed
from fednet.domain.masking_stages import MaskingStage
from fednet.domain.plan import Plan
from fednet.domain.ports import LedgerReader
from fednet.errors import PlanError, SettingsError
from fednet.node.reading import RunReading

_EACH = "each"


class Step(IntEnum):
    """What sites are about to do when some of them vanish, in the order of a round."""

    KEYS = 1
    SHARES = 2
    HOLDINGS = 3
    SUBMITTING = 4
    FREEZING = 5
    UNMASKING = 6
    PROPOSING = 7
    ATTESTING = 8

    @property
    def word(self) -> str:
        """Return the name that is typed and read."""
        return self.name.lower()


_OF_EVERY_PLAN = (Step.SUBMITTING, Step.PROPOSING, Step.ATTESTING)
_BY_STAGE = {
    MaskingStage.KEYS: Step.KEYS,
    MaskingStage.SHARES: Step.SHARES,
    MaskingStage.HOLDINGS: Step.HOLDINGS,
    MaskingStage.MASKED: Step.SUBMITTING,
    MaskingStage.FREEZING: Step.FREEZING,
    MaskingStage.UNMASKING: Step.UNMASKING,
}


@dataclass(frozen=True, slots=True)
class Vanishing:
    """How many sites vanish in every attempt, and at which step."""

    count: int
    steps: tuple[Step, ...] = ()
    """Taken in turn, one an attempt; empty takes every step that the plan has."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``COUNT@STEP``, where the step may be ``each``.

        Raises:
            SettingsError: It says something else.
        """
        head, _, word = text.partition("@")
        count = int(head) if head.isdecimal() else 0
        named = {step.word: (step,) for step in Step} | {_EACH: ()}
        if count < 1 or word not in named:
            raise SettingsError(
                "nobody can vanish like this",
                subject=text,
                expected=f"COUNT@STEP, with one of the steps {', '.join(named)}",
                hint="3@submitting, for example",
            )
        return cls(count, named[word])

    def steps_of(self, plan: Plan) -> tuple[Step, ...]:
        """Return the steps at which sites vanish in turn.

        Raises:
            PlanError: The plan has no such step.
        """
        possible = tuple(Step) if plan.is_masked else _OF_EVERY_PLAN
        for step in self.steps:
            if step not in possible:
                raise PlanError(
                    "rounds of this plan have no such step",
                    subject=f"plan {plan.name}",
                    expected=", ".join(each.word for each in possible),
                    actual=step.word,
                    hint='this step is one of masked rounds: module.name = "masked"',
                )
        return self.steps or possible


class Absence:
    """Tell which sites are away, as a run goes on.

    Args:
        vanishing: How many, and when.
        plan: Of the run.
        sites: All sites, by roster position.
        reader: Ledger to read.
        reading: Where the run stands.

    Raises:
        PlanError: The plan has no such step.
    """

    def __init__(
        self,
        vanishing: Vanishing,
        plan: Plan,
        sites: Sequence[SiteId],
        reader: LedgerReader,
        reading: RunReading,
    ) -> None:
        self._count = vanishing.count
        self._steps = vanishing.steps_of(plan)
        self._plan = plan
        self._sites = sites
        self._reader = reader
        self._reading = reading

    def look(self) -> frozenset[SiteId]:
        """Return who does nothing now.

        Raises:
            LedgerError: The chain does not answer.
        """
        state = self._reading.state
        if state.phase not in (Phase.COLLECTING, Phase.PROPOSING, Phase.ATTESTING):
            return frozenset()
        due = self._steps[(state.round + state.attempt - 2) % len(self._steps)]
        return self.victims(state) if self._reached(state) >= due else frozenset()

    def victims(self, state: RunState) -> frozenset[SiteId]:
        """Name whose turn to aggregate comes first in an attempt."""
        length = len(self._sites)
        first = turn_position(state.round, state.attempt, 1, length)
        return frozenset(self._sites[(first + at) % length] for at in range(self._count))

    def _reached(self, state: RunState) -> int:
        if state.phase is Phase.ATTESTING:
            return Step.ATTESTING
        if self._plan.is_masked:
            return self._reached_masked(state)
        return Step.SUBMITTING if state.phase is Phase.COLLECTING else Step.PROPOSING

    def _reached_masked(self, state: RunState) -> int:
        run, times = self._reading.history.run, self._plan.masking.times
        found = self._reader.masking_state(run).at(self._reading.now, times, state.deadline)
        step = _BY_STAGE.get(found.stage, 0)
        if step != Step.UNMASKING:
            return step
        told = [
            event.site
            for event in self._reader.masking_events(run, found.seed_block)
            if isinstance(event, SharesDisclosed) and event.attempt == state.attempt
        ]
        # As long as somebody has shares to disclose nobody proposes.
        return Step.PROPOSING if len(told) >= found.held else Step.UNMASKING

"""Follow one run on the chain: fold new events, re-read the state when a phase may have changed.

One cheap question (the head) while nothing happens. A chain that went back, or
whose events do not follow on what was read, is read again from the start.
"""

from __future__ import annotations

import time

from fednet.domain import events as ev
from fednet.domain.history import RunHistory
from fednet.domain.identity import RunId
from fednet.domain.ledger import Head, Phase, RunState
from fednet.domain.ports import LedgerReader
from fednet.errors import HeadMovedError

_PHASE_EVENTS = (
    ev.AttemptStarted,
    ev.SubmissionsClosed,
    ev.RoundProposed,
    ev.ProposalEnded,
    ev.RoundFinalized,
    ev.RunConcluding,
    ev.RunCompleted,
    ev.RunAborted,
)


class RunReading:
    """Hold a run's history and state as of the last look.

    Args:
        reader: Ledger to read.
        run: Run to follow.
        first_block: Block in which the run was opened.
    """

    def __init__(self, reader: LedgerReader, run: RunId, first_block: int) -> None:
        self._reader = reader
        self._run = run
        self._first_block = first_block
        self.generation = 0
        """Changes when what was read is forgotten, so that others forget it too."""
        self.reset()

    def reset(self) -> None:
        """Forget everything, so that the next look reads the chain from the start."""
        self.generation += 1
        self.history = RunHistory(self._run)
        self._head: Head | None = None
        self._head_seen = 0.0
        self._last_log = (-1, -1)
        self._state: RunState | None = None
        self._is_stale = False

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        if self._state is None:
            raise RuntimeError("look before asking for the state")
        return self._state

    @property
    def block(self) -> int:
        """Number of the last block seen."""
        if self._head is None:
            raise RuntimeError("look before asking for the block")
        return self._head.number

    @property
    def now(self) -> int:
        """Seconds since 1970 by our clock, but never behind the chain's."""
        if self._head is None:
            raise RuntimeError("look before asking for the time")
        chain = self._head.timestamp + int(time.monotonic() - self._head_seen)
        return max(int(time.time()), chain)

    def look(self) -> bool:
        """Read what is new; tell whether anything is.

        Raises:
            LedgerError: The chain does not answer, or went back under us.
        """
        head = self._reader.head()
        if head == self._head:
            return False
        if self._head is not None and head.number <= self._head.number:
            self.reset()
        first = self._first_block if self._head is None else self._head.number + 1
        events = [
            event
            for event in self._reader.run_events(self._run, first)
            if (event.log.block, event.log.index) > self._last_log
        ]
        try:
            self.history.extend(events)
        except KeyError as exc:
            self.reset()
            raise HeadMovedError("events do not follow on", subject=f"run {self._run}") from exc
        if events:
            self._last_log = (events[-1].log.block, events[-1].log.index)
        self._is_stale |= self._needs_state(events)
        if self._state is None or self._is_stale:
            self._state = self._reader.state(self._run)
            self._is_stale = False
        self._head, self._head_seen = head, time.monotonic()
        return bool(events)

    def read_state(self) -> None:
        """Read the state anew: something else than an event says that the phase may have changed.

        Raises:
            LedgerError: The chain does not answer.
        """
        self._state = self._reader.state(self._run)

    def _needs_state(self, events: list[ev.RunEvent]) -> bool:
        """Tell whether the phase may have changed, with these events in the history."""
        state = self._state
        if state is None or any(isinstance(event, _PHASE_EVENTS) for event in events):
            return True
        if state.phase is Phase.GATHERING:
            return bool(events)
        return state.phase is Phase.COLLECTING and self._may_have_closed(state, events)

    def _may_have_closed(self, state: RunState, events: list[ev.RunEvent]) -> bool:
        """Tell whether the last awaited submission came: no event says that they have closed."""
        if any(isinstance(event, ev.ConsentEnded) for event in events):
            return True
        entry = self.history.rounds.get(state.round)
        attempt = entry.attempts.get(state.attempt) if entry else None
        return attempt is not None and 0 < state.expected <= len(attempt.submissions)

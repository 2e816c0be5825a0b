"""Follow the ledger of masked rounds, for one run; sites of one process may share it.

What stands there is the same for all. What a site makes of it, with its own keys and
the shares that it holds, is the business of ``node.masking``.
"""

from __future__ import annotations

from fednet.domain.identity import RunId
from fednet.domain.ledger import Phase, RunState
from fednet.domain.masking_stages import MaskingHistory, MaskingState
from fednet.domain.ports import LedgerReader
from fednet.errors import HeadMovedError
from fednet.node.places import AttemptKey, find_attempt
from fednet.node.reading import RunReading

_MASKED_PHASES = (Phase.COLLECTING, Phase.PROPOSING, Phase.ATTESTING)


class MaskReading:
    """Hold what each site did in a run's masked attempts, and where the one at hand stands.

    Args:
        reader: Ledger to read.
        run: The run.
        reading: Where the run stands; looked at before.
    """

    def __init__(self, reader: LedgerReader, run: RunId, reading: RunReading) -> None:
        self._reader = reader
        self._run = run
        self._reading = reading
        self._reset()

    def _reset(self) -> None:
        self.history = MaskingHistory()
        self.state: MaskingState | None = None
        """As of the last look, or newer than the history; None before one was worth asking for."""
        self.generation = self._reading.generation
        """Changes when what was read is forgotten, so that others forget it too."""
        self._block = -1
        self._last_log = (-1, -1)
        self._run_state: RunState | None = None
        """Of the run, when the state was read."""
        self._is_stale = True

    def ask_again(self) -> None:
        """Read the state anew at the next look: a site that shares this reading has acted."""
        self._is_stale = True

    def look(self) -> None:
        """Read what is new on the ledger.

        Raises:
            LedgerError: The chain does not answer, or went back under us.
        """
        if self.generation != self._reading.generation:
            self._reset()
        block = self._reading.block
        if block != self._block:
            self._is_stale |= self._take_in(block)
        elif not self._is_stale:
            return
        if self._may_have_closed():
            self._reading.read_state()
        # After the events, so that it may lead them and never lags behind them. What the passing
        # of time alone changes is reckoned from it.
        run_state = self._reading.state
        is_due = self._is_stale or run_state != self._run_state
        if run_state.phase in _MASKED_PHASES and is_due:
            self.state = self._reader.masking_state(self._run)
            self._run_state = run_state
        self._block, self._is_stale = block, False

    def _take_in(self, block: int) -> bool:
        """Read the events up to a block; tell whether there are any."""
        events = [
            event
            for event in self._reader.masking_events(self._run, self._block + 1)
            if (event.log.block, event.log.index) > self._last_log
            # What is newer than the run's own history waits until that knows who submitted.
            if event.log.block <= block
        ]
        try:
            self.history.extend(events)
        except KeyError as exc:
            raise HeadMovedError(
                "records of masks do not follow on", subject=f"run {self._run}"
            ) from exc
        if events:
            self._last_log = (events[-1].log.block, events[-1].log.index)
        return bool(events)

    def _may_have_closed(self) -> bool:
        """Tell whether every masked update that can come is in: no event says that this closes.

        The chain waits for those that said what they hold, the run's state names the whole cohort.
        """
        state = self._reading.state
        key = AttemptKey(state.round, state.attempt)
        attempt = find_attempt(self._reading.history, key)
        if state.phase is not Phase.COLLECTING or attempt is None:
            return False
        return 0 < len(self.history.attempt(*key).holdings) <= len(attempt.submissions)

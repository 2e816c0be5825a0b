"""Keep the index up with the chain, in the background, and say how far it is."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from fednet.domain.ledger import Head
from fednet.domain.ports import LedgerReader
from fednet.errors import FednetError
from fednet.provenance import LedgerIndex

REFRESH_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Reading:
    """How the last look at the chain went."""

    head: Head | None = None
    """Block up to which the index is known to be complete."""
    problem: str = ""
    """Why the last look failed; empty if it did not."""
    hint: str = ""
    at: float = 0.0
    """Monotonic time of the last look that succeeded."""

    @property
    def age_seconds(self) -> float:
        """Tell how long ago the chain was last seen."""
        return time.monotonic() - self.at if self.at else 0.0


class Refresher:
    """Read what is new on the chain into the index every few seconds.

    Args:
        index: Written by this object alone.
        reader: The ledger.
        seconds: Pause between two looks; grows while the chain does not answer.
    """

    def __init__(
        self, index: LedgerIndex, reader: LedgerReader, seconds: float = REFRESH_SECONDS
    ) -> None:
        self._index, self._reader, self._seconds = index, reader, seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="refresh", daemon=True)
        self._turn = threading.Lock()
        self.reading = Reading()

    def refresh(self) -> Reading:
        """Look once; what goes wrong is kept and told, never raised."""
        with self._turn:
            try:
                self._index.refresh(self._reader)
                self.reading = Reading(head=self._reader.head(), at=time.monotonic())
            except FednetError as exc:
                before = self.reading
                hint = exc.hint or "see whether the chain runs: fednet doctor"
                self.reading = Reading(before.head, str(exc), hint, before.at)
            return self.reading

    def start(self) -> None:
        """Follow the chain until ``close``."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait for the look that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _follow(self) -> None:
        pause = self._seconds
        while not self._stop.wait(pause):
            failed = bool(self.refresh().problem)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS) if failed else self._seconds

"""Let go of what other members erased: the record of an erasure asks every holder to.

An erasure counts as it does for the audit. Left alone is an update of the last rounds
of a run that goes on, since members still recompute them, and one whose commitment
another site submitted, too, in whatever run: who copies a commitment and then erases
its own data must not take the bytes from their author.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fednet.domain import events as ev
from fednet.domain.batches import unfold
from fednet.domain.disclosure_events import BlobsErased
from fednet.domain.erasing import ERASURES, Erasable, datasets_of, lawful_erasures
from fednet.domain.identity import Commitment, RunId, SiteId
from fednet.domain.ports import LedgerReader
from fednet.errors import FednetError
from fednet.node.files import disk_error
from fednet.node.removing import Remover

_PAUSE_SECONDS = 60.0
"""Before it is looked again whether what is in use is so no more."""
_ROUNDS_IN_USE = 2
"""The round at hand, and the one whose state it starts from."""


@dataclass(frozen=True, slots=True)
class Due:
    """What one erasure asks of whoever holds the updates that it names."""

    record: BlobsErased
    updates: tuple[ev.UpdateSubmitted, ...]
    """To be let go of."""
    in_use: int
    """Updates of the last rounds of a run that goes on; to be swept later."""
    shared: int
    """Updates left alone: another site submitted the same commitment."""


class Sweeper:
    """Sweep one home and its store.

    Args:
        reader: Ledger to read.
        remover: Removes from this home.
        marks: File that remembers which erasures are dealt with.
    """

    def __init__(self, reader: LedgerReader, remover: Remover, marks: Path) -> None:
        self._reader = reader
        self._remover = remover
        self._marks = marks
        self._seen = 0
        self._look_again = math.inf

    def is_due(self, erasures: int) -> bool:
        """Tell whether to look: more was recorded, or something was in use a while ago.

        Args:
            erasures: On the ledger by now, lawful or not.
        """
        return erasures != self._seen or time.monotonic() >= self._look_again

    def find(self, *, again: bool = False) -> list[Due]:
        """List what is to be let go of, erasure by erasure.

        Args:
            again: Whether to list what earlier sweeps dealt with, too.

        Raises:
            LedgerError: The chain does not answer.
        """
        events = self._reader.events((*ERASURES, ev.RunOpened), self._reader.deployment.block)
        self._seen = sum(isinstance(each, BlobsErased) for each in events)
        self._look_again = math.inf
        done = set() if again else self._dealt_with()
        records = [each for each in lawful_erasures(events) if str(each.list) not in done]
        if not records:
            return []
        asked, given = datasets_of(events), self._given(events)
        authors: defaultdict[Commitment, set[SiteId]] = defaultdict(set)
        for run_events in given.values():
            for event in unfold(run_events):
                if isinstance(event, ev.UpdateSubmitted):
                    authors[event.commitment].add(event.site)
        found = []
        for record in records:
            made = Erasable.at(record, given.get(record.run, ()), asked)
            if made.is_named_by(record):
                found.append(self._due(record, made.updates, authors))
        if any(due.in_use for due in found):
            self._look_later()
        return found

    def let_go(self, due: Due) -> int:
        """Remove what an erasure asks for; count the updates of which anything was here.

        Raises:
            LedgerError: The chain does not answer.
            StoreError: The store does not answer, or does not let go of something.
            SettingsError: The disk refuses.
        """
        try:
            removed = sum(self._remover.remove(each, due.record.grounds) for each in due.updates)
        except FednetError:
            self._look_later()
            raise
        if not due.in_use:
            self._remember(due.record)
        return removed

    def _look_later(self) -> None:
        self._look_again = time.monotonic() + _PAUSE_SECONDS

    def _due(
        self,
        record: BlobsErased,
        updates: Sequence[ev.UpdateSubmitted],
        authors: Mapping[Commitment, set[SiteId]],
    ) -> Due:
        state = self._reader.state(record.run)
        free = [
            each
            for each in updates
            if state.phase.is_over or each.round + _ROUNDS_IN_USE <= state.round
        ]
        own = tuple(each for each in free if authors[each.commitment] == {record.site})
        return Due(record, own, len(updates) - len(free), len(free) - len(own))

    def _given(self, events: Sequence[ev.LedgerEvent]) -> Mapping[RunId, list[ev.RunEvent]]:
        """Read what happened in every run."""
        modules = sorted({each.module for each in events if isinstance(each, ev.RunOpened)})
        found: defaultdict[RunId, list[ev.RunEvent]] = defaultdict(list)
        for event in self._reader.module_events(modules, self._reader.deployment.block):
            found[event.run].append(event)
        return found

    def _dealt_with(self) -> set[str]:
        try:
            return set(self._marks.read_text("ascii").split())
        except (OSError, UnicodeDecodeError):
            # Sweeping once more is slower and never wrong.
            return set()

    def _remember(self, record: BlobsErased) -> None:
        if str(record.list) in self._dealt_with():
            return
        try:
            self._marks.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._marks.open("a", encoding="ascii") as file:
                file.write(f"{record.list}\n")
        except OSError as exc:
            raise disk_error(self._marks, exc) from exc

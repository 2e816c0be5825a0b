"""Erase what a site made from a dataset that it closed: bytes, keys, salt; then record it.

Bytes and keys are gone before the ledger hears of it, so that a record never says
more than was done. Every step can be done again: a command that was killed goes on
where it was. What others hold is theirs to erase; the record asks them to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fednet.cli import notes
from fednet.domain import events as ev
from fednet.domain.disclosure_events import BlobsErased
from fednet.domain.erasing import datasets_of, erased_list, updates_from
from fednet.domain.identity import Commitment, DatasetId, RunId, SiteId
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.errors import FednetError, SettingsError
from fednet.node.removing import Remover


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of a run's updates."""

    run: RunId
    updates: int
    removed: int
    """Of them, those of which this machine held anything."""
    grounds: Commitment
    """As recorded."""


@dataclass(frozen=True, slots=True)
class Eraser:
    """A site, with everything that it erases from and by."""

    home: Path
    site: SiteId
    reader: LedgerReader
    writer: LedgerWriter
    remover: Remover

    def erase(
        self, dataset: DatasetId, grounds: bytes, only: RunId | None = None
    ) -> Iterator[Erased]:
        """Erase what every run made of the dataset, run by run, and record each.

        Args:
            dataset: One of the site's own that is closed, and that no consent stands on.
            grounds: What asks for it; stays here, committed to with a salt.
            only: The one run to erase of; None erases of all.

        Raises:
            FednetError: The dataset is in use, or another's; nothing was erased.
        """
        self._require_unused(dataset)
        made = updates_by_run(self.reader, self.site, dataset)
        for run, updates in made.items():
            if only is not None and run != only:
                continue
            done = self._record_of(run, dataset, updates)
            told = done.grounds if done else self._keep(dataset, grounds)
            removed = sum(self.remover.remove(update, told) for update in updates)
            if done is None:
                listed = erased_list(run, self.site, dataset, _names(updates))
                count = len(set(_names(updates)))
                self.writer.record_erasure(run, dataset, count, Commitment.of(listed), told)
            yield Erased(run, len(updates), removed, told)

    def _require_unused(self, dataset: DatasetId) -> None:
        held = self.reader.dataset(dataset)
        subject = f"dataset {dataset}"
        if held.site != self.site:
            raise SettingsError(
                "is not this site's", subject=subject, expected=f"site {self.site}",
                actual=f"site {held.site}" if held.site else "no such dataset",
                hint="`fednet dataset list` shows whose each is",
            )  # fmt: skip
        if not held.closed:
            raise FednetError(
                "is still open", subject=subject,
                hint="`fednet dataset replace` takes records out of it, `fednet dataset close`"
                " closes it; only then can what was made from it be erased",
            )  # fmt: skip
        for run in live_runs(self.reader, self.site, dataset):
            raise FednetError(
                "is in use", subject=subject, actual=f"the site still consents to run {run}",
                hint=f"end it first: `fednet run withdraw {run}`",
            )  # fmt: skip

    def _record_of(
        self, run: RunId, dataset: DatasetId, updates: Sequence[ev.UpdateSubmitted]
    ) -> BlobsErased | None:
        """Find the record of an erasure of just these updates."""
        listed = Commitment.of(erased_list(run, self.site, dataset, _names(updates)))
        for record in self.reader.events((BlobsErased,), self.reader.deployment.block):
            if isinstance(record, BlobsErased) and record.site == self.site:
                told = (record.run, record.dataset, record.list)
                if told == (run, dataset, listed):
                    return record
        return None

    def _keep(self, dataset: DatasetId, grounds: bytes) -> Commitment:
        return notes.keep(self.home / "datasets", f"erasure-{dataset}", grounds)


def updates_by_run(
    reader: LedgerReader, site: SiteId, dataset: DatasetId
) -> Mapping[RunId, Sequence[ev.UpdateSubmitted]]:
    """List what a site made from a dataset, by run; runs of which it made nothing are left out."""
    start = reader.deployment.block
    asked = datasets_of(reader.events((ev.AccessRequested,), start))
    if dataset not in asked.values():
        return {}
    found = {}
    for number in range(1, reader.run_count() + 1):
        run = RunId(number)
        updates = updates_from(reader.run_events(run, start), asked, site, dataset)
        if updates:
            found[run] = updates
    return found


def live_runs(reader: LedgerReader, site: SiteId, dataset: DatasetId) -> Iterator[RunId]:
    """Name the runs that go on and to which a site consents with a dataset."""
    for number in range(1, reader.run_count() + 1):
        run = RunId(number)
        if reader.state(run).phase.is_over:
            continue
        member = reader.member(run, site)
        if member.consenting and reader.access(member.grant).dataset == dataset:
            yield run


def _names(updates: Sequence[ev.UpdateSubmitted]) -> list[Commitment]:
    return [update.commitment for update in updates]

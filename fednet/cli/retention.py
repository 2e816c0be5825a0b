"""Which updates are kept longer than their site said on the ledger that it keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fednet.cli import erasing, output, queries
from fednet.cli.findings import Finding
from fednet.domain import events as ev
from fednet.domain.disclosure_events import BlobsErased
from fednet.domain.identity import DatasetId, RunId, SiteId
from fednet.domain.ports import LedgerReader


@dataclass(frozen=True, slots=True)
class Overdue:
    """Updates of a run that should be gone."""

    dataset: DatasetId
    run: RunId
    updates: int
    due: int
    """When they should have been erased, in seconds since 1970."""
    closed: bool
    """Whether the dataset is, so that they can be."""


def overdue(reader: LedgerReader, site: SiteId, now: int) -> Iterator[Overdue]:
    """List what a site keeps for longer than it said, by dataset and run."""
    erased = {
        (record.run, record.dataset)
        for record in reader.events((BlobsErased,), reader.deployment.block)
        if isinstance(record, BlobsErased) and record.site == site
    }
    for held in queries.datasets(reader):
        kept = reader.budget(held.dataset).retention_seconds if held.site == site else 0
        if not kept:
            continue
        for run, updates in erasing.updates_by_run(reader, site, held.dataset).items():
            ended = ended_at(reader, run)
            if ended and ended + kept < now and (run, held.dataset) not in erased:
                yield Overdue(held.dataset, run, len(updates), ended + kept, held.closed)


def ended_at(reader: LedgerReader, run: RunId) -> int:
    """Tell when a run ended; 0 if it goes on."""
    for event in reader.run_events(run, reader.deployment.block):
        if isinstance(event, ev.RunCompleted | ev.RunAborted):
            return reader.blocks([event.log.block])[0].timestamp
    return 0


def examine(reader: LedgerReader, site: SiteId) -> list[Finding]:
    """Say what is overdue, a finding a line; one that says so if nothing is."""
    late = list(overdue(reader, site, reader.head().timestamp))
    if not late:
        return [Finding("retention", True, "nothing is kept longer than was said")]
    return [
        Finding(
            "retention",
            False,
            f"{each.updates} updates of dataset {each.dataset} in run {each.run} were to be erased"
            f" by {output.when(each.due)}",
            ("" if each.closed else f"fednet dataset close {each.dataset}, then ")
            + f"fednet dataset erase {each.dataset} --run {each.run} --grounds TEXT",
            needed=False,
        )
        for each in late
    ]

"""What an erasure names: the updates that a site made from a dataset in a run, as one list.

The list follows from the ledger alone: whoever reads the record of an erasure can
write the same list and compare its commitment. So no blob has to outlive the erasure
to say what was erased, and a site can erase no more and no less than it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from fednet.domain import canonical
from fednet.domain import events as ev
from fednet.domain.batches import unfold
from fednet.domain.disclosure_events import BlobsErased
from fednet.domain.identity import Commitment, DatasetId, GrantId, RunId, SiteId

ERASED_FORMAT = "fednet-erased-updates/1"


ERASURES: tuple[type[ev.LedgerEvent], ...] = (
    ev.DatasetRegistered,
    ev.DatasetClosed,
    ev.AccessRequested,
    BlobsErased,
)
"""What tells of erasures, beside the runs' own events."""


@dataclass(frozen=True, slots=True)
class Erasable:
    """All that a site had made from a dataset in a run when it recorded an erasure."""

    updates: tuple[ev.UpdateSubmitted, ...]
    commitments: frozenset[Commitment]
    list: Commitment
    """Of the list of these."""

    @classmethod
    def at(
        cls,
        record: BlobsErased,
        run_events: Sequence[ev.RunEvent],
        asked: Mapping[GrantId, DatasetId],
    ) -> Self:
        """Find what a record had to name, from the ledger before it; see ``updates_from``."""
        updates = updates_from(run_events, asked, record.site, record.dataset, record.log)
        named = frozenset(each.commitment for each in updates)
        listed = Commitment.of(erased_list(record.run, record.site, record.dataset, named))
        return cls(tuple(updates), named, listed)

    def is_named_by(self, record: BlobsErased) -> bool:
        """Tell whether a record names just these."""
        return (record.list, record.blobs) == (self.list, len(self.commitments))


def lawful_erasures(events: Iterable[ev.LedgerEvent]) -> Iterator[BlobsErased]:
    """Pass on the erasures by a site that holds the dataset, and had closed it.

    Args:
        events: All of ``ERASURES``, in the order of the chain.
    """
    holders: dict[DatasetId, SiteId] = {}
    closed: set[DatasetId] = set()
    for event in events:
        match event:
            case ev.DatasetRegistered():
                holders[event.dataset] = event.site
            case ev.DatasetClosed():
                closed.add(event.dataset)
            case BlobsErased():
                if holders.get(event.dataset) == event.site and event.dataset in closed:
                    yield event
            case _:
                pass


def datasets_of(events: Iterable[ev.LedgerEvent]) -> Mapping[GrantId, DatasetId]:
    """Tell which dataset each request for access asked for."""
    return {each.grant: each.dataset for each in events if isinstance(each, ev.AccessRequested)}


def updates_from(
    run_events: Sequence[ev.RunEvent],
    asked: Mapping[GrantId, DatasetId],
    site: SiteId,
    dataset: DatasetId,
    before: ev.Log | None = None,
) -> list[ev.UpdateSubmitted]:
    """List the updates that a site submitted under a consent to use a dataset.

    Args:
        run_events: Of the run, in the order of the chain.
        asked: Dataset by request; see ``datasets_of``.
        site: Whose updates.
        dataset: What they were made from.
        before: Only those that stand before it on the ledger; None lists all.
    """
    found: list[ev.UpdateSubmitted] = []
    grant = GrantId(0)
    for event in unfold(run_events):
        if before is not None and event.log >= before:
            break
        if isinstance(event, ev.ConsentGiven) and event.site == site:
            grant = event.grant
        if (
            isinstance(event, ev.UpdateSubmitted)
            and event.site == site
            and asked.get(grant) == dataset
        ):
            found.append(event)
    return found


def erased_list(
    run: RunId, site: SiteId, dataset: DatasetId, updates: Iterable[Commitment]
) -> bytes:
    """Write the canonical bytes of a list of erased updates; its SHA-256 goes on the ledger."""
    return canonical.encode(
        {
            "dataset": dataset,
            "format": ERASED_FORMAT,
            "run": run,
            "site": site,
            "updates": sorted({str(each) for each in updates}),
        }
    )

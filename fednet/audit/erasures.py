"""Which updates were erased on recorded grounds, so that nobody is asked for them any more.

An erasure counts where the site holds the dataset, had closed it, and its list is the
one that follows from the ledger: all updates that the site had made from it in the run.
An erased update cannot be checked, and nothing that rests on it is called verified.
What another member still serves is checked all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from fednet.audit.checks import DISCLOSURES
from fednet.audit.findings import Findings, Severity
from fednet.audit.snapshot import Snapshot
from fednet.domain import disclosure_events as de
from fednet.domain import events as ev
from fednet.domain.erasing import datasets_of, erased_list, updates_from
from fednet.domain.identity import Commitment, DatasetId, GrantId, SiteId


def erased_updates(snapshot: Snapshot, findings: Findings) -> Mapping[Commitment, de.BlobsErased]:
    """Find the erased updates of the run, each with its record; note records that name others."""
    asked = datasets_of(snapshot.events)
    holders: dict[DatasetId, SiteId] = {}
    closed: set[DatasetId] = set()
    found: dict[Commitment, de.BlobsErased] = {}
    for event in snapshot.events:
        match event:
            case ev.DatasetRegistered():
                holders[event.dataset] = event.site
            case ev.DatasetClosed():
                closed.add(event.dataset)
            case de.BlobsErased() if event.run == snapshot.run_id:
                # Where it is another's, or open, check 28 says so.
                if holders.get(event.dataset) == event.site and event.dataset in closed:
                    found.update(dict.fromkeys(_named(snapshot, asked, event, findings), event))
            case _:
                pass
    return found


def _named(
    snapshot: Snapshot,
    asked: Mapping[GrantId, DatasetId],
    event: de.BlobsErased,
    findings: Findings,
) -> Collection[Commitment]:
    """Return the updates that a record names; none, and a note, if its list is another."""
    updates = updates_from(snapshot.run_events, asked, event.site, event.dataset, event.log)
    named = {each.commitment for each in updates}
    listed = Commitment.of(erased_list(event.run, event.site, event.dataset, named))
    if listed == event.list and len(named) == event.blobs:
        return named
    _note_unknown(event, len(named), listed, findings)
    return ()


def _note_unknown(event: de.BlobsErased, many: int, listed: Commitment, findings: Findings) -> None:
    findings.add(
        DISCLOSURES,
        "erasure-unknown",
        f"erasure by site {event.site}, log {event.log.index} of block {event.log.block}",
        "its list is not that of the updates which the site had made from the dataset: it excuses"
        " the absence of none",
        severity=Severity.NOTICE,
        expected=f"{many} updates, list {listed}",
        actual=f"{event.blobs} blobs, list {event.list}",
    )

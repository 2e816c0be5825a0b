"""Which updates were erased on recorded grounds, so that nobody is asked for them any more.

An erasure counts where the site holds the dataset, had closed it, and its list is the
one that follows from the ledger: all updates that the site had made from it in the run.
An erased update cannot be checked, and nothing that rests on it is called verified.
What another member still serves is checked all the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from fednet.audit.checks import DISCLOSURES
from fednet.audit.findings import Findings, Severity
from fednet.audit.snapshot import Snapshot
from fednet.domain import disclosure_events as de
from fednet.domain.erasing import Erasable, datasets_of, lawful_erasures
from fednet.domain.identity import Commitment


def erased_updates(snapshot: Snapshot, findings: Findings) -> Mapping[Commitment, de.BlobsErased]:
    """Find the erased updates of the run, each with its record; note records that name others."""
    asked = datasets_of(snapshot.events)
    found: dict[Commitment, de.BlobsErased] = {}
    # Of those by another than the holder, or of an open dataset, check 28 says so.
    for record in lawful_erasures(snapshot.events):
        if record.run != snapshot.run_id:
            continue
        made = Erasable.at(record, snapshot.run_events, asked)
        if made.is_named_by(record):
            found.update(dict.fromkeys(made.commitments, record))
        else:
            _note_unknown(record, made, findings)
    return found


def _note_unknown(event: de.BlobsErased, made: Erasable, findings: Findings) -> None:
    findings.add(
        DISCLOSURES,
        "erasure-unknown",
        f"erasure by site {event.site}, log {event.log.index} of block {event.log.block}",
        "its list is not that of the updates which the site had made from the dataset: it excuses"
        " the absence of none",
        severity=Severity.NOTICE,
        expected=f"{len(made.commitments)} updates, list {made.list}",
        actual=f"{event.blobs} blobs, list {event.list}",
    )

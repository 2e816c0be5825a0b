"""For whom an attempt's blobs are sealed, as everybody reads it from the ledger.

They are the sites whose consent stood and who were active when the attempt
began, with the encryption keys that they had registered by then. A site that
was revoked, or withdrew, before an attempt began is no recipient of it. Where a
plan names aggregators, these take the place of those who consented.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from fednet.domain import events as ev
from fednet.domain.identity import SiteId
from fednet.domain.ledger import Standing
from fednet.privacy.sealing import Recipients

REGISTER: tuple[type[ev.LedgerEvent], ...] = (
    ev.SiteApplied,
    ev.SiteAdmitted,
    ev.SiteStandingChanged,
    ev.SiteKeyRotated,
)
"""Classes of events that are folded, beside those of the run."""


def recipients_at(
    began: ev.Log,
    run_events: Iterable[ev.RunEvent],
    register: Iterable[ev.LedgerEvent],
    named: Set[SiteId] | None = None,
) -> Recipients:
    """Return the readers of the attempt that an event began, with their keys of that moment.

    Args:
        began: Of ``AttemptStarted``.
        run_events: The run's, in the order of the chain.
        register: Of the classes ``REGISTER``, in the order of the chain.
        named: Sites that read in place of those who consented.

    Raises:
        SettingsError: Nobody has a usable key.
    """
    readers = _consenting_at(began, run_events) if named is None else named
    keys: dict[SiteId, bytes] = {}
    active: set[SiteId] = set()
    for entry in register:
        if not _is_before(entry, began):
            continue
        match entry:
            case ev.SiteApplied() | ev.SiteKeyRotated():
                keys[entry.site] = bytes(entry.encryption_key)
            case ev.SiteAdmitted():
                active.add(entry.site)
            case ev.SiteStandingChanged() if entry.standing is Standing.ACTIVE:
                active.add(entry.site)
            case ev.SiteStandingChanged():
                active.discard(entry.site)
            case _:
                pass
    return Recipients.of({site: keys[site] for site in readers & active & keys.keys()})


def _consenting_at(began: ev.Log, run_events: Iterable[ev.RunEvent]) -> set[SiteId]:
    consenting: set[SiteId] = set()
    for event in run_events:
        if _is_before(event, began):
            if isinstance(event, ev.ConsentGiven):
                consenting.add(event.site)
            elif isinstance(event, ev.ConsentEnded):
                consenting.discard(event.site)
    return consenting


def _is_before(event: ev.LedgerEvent, began: ev.Log) -> bool:
    return (event.log.block, event.log.index) < (began.block, began.index)

"""Sweep this home: what other members erased is let go of here, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fednet.cli import unsealing
from fednet.cli.app import App
from fednet.domain.blobs import ErasingStore
from fednet.domain.identity import Commitment, DatasetId, RunId, SiteId
from fednet.domain.ports import LedgerReader
from fednet.node.removing import Remover
from fednet.node.sweeping import Sweeper

_MARKS = "swept"


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of the updates that one erasure names."""

    run: RunId
    site: SiteId
    """That erased them."""
    dataset: DatasetId
    grounds: Commitment
    removed: int
    """Updates of which anything was here."""
    absent: int
    in_use: int
    """Updates of the last rounds of a run that goes on."""
    shared: int
    """Updates whose commitment another site submitted, too."""


def remover(app: App, site: SiteId, reader: LedgerReader, store: ErasingStore) -> Remover:
    """Open what removes updates from this home.

    Args:
        site: Whose home it is; 0 for one that is no site's.
    """
    has_keys = (app.home / unsealing.FOLDER).is_dir()
    keys = unsealing.content_keys(app, site) if has_keys else None
    return Remover(app.home / "runs", reader, store, keys)


def sweeper(app: App, reader: LedgerReader, store: ErasingStore) -> Sweeper:
    """Open what sweeps this home."""
    found = remover(app, SiteId(app.settings().site.id), reader, store)
    return Sweeper(reader, found, app.home / "cache" / _MARKS)


def sweep(app: App, reader: LedgerReader, store: ErasingStore) -> Iterator[Swept]:
    """Let go of everything that was ever erased on the record, and tell of each erasure."""
    opened = sweeper(app, reader, store)
    for due in opened.find(again=True):
        record, removed = due.record, opened.let_go(due)
        yield Swept(
            record.run, record.site, record.dataset, record.grounds, removed,
            len(due.updates) - removed, due.in_use, due.shared,
        )  # fmt: skip

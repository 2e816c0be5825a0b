"""What a site's followers of runs share: identity, adapters, journal, locks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from fednet.airlock import Airlock, ProbePort
from fednet.domain.airlock import AirlockLedger
from fednet.domain.blobs import BlobStore
from fednet.domain.identity import Digest, GrantId, SiteId
from fednet.domain.ledger import Dataset
from fednet.domain.messages import MessageBus
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.node.checkpoints import CheckpointKeeper
from fednet.node.desk import Spawn, aside
from fednet.node.gate import Gate
from fednet.node.journal import Journal
from fednet.node.ports import DataPort, TrainerPort
from fednet.node.progress import Report, ignore
from fednet.node.settings import NodeSettings
from fednet.node.sweeping import Sweeper
from fednet.node.treasury import Treasurer
from fednet.node.vault import SiteKeys

if TYPE_CHECKING:
    # Most runs encrypt nothing.
    from fednet.privacy.homomorphic import CkksKey


@dataclass(frozen=True, slots=True)
class SiteTools:
    """One site's means to act; the adapters are shared by threads."""

    site: SiteId
    reader: LedgerReader
    writer: LedgerWriter
    blobs: BlobStore
    trainer: TrainerPort
    data: DataPort
    airlock: Airlock
    journal: Journal
    folder: Path
    """Where the files of runs are kept."""
    settings: NodeSettings = field(default_factory=NodeSettings)
    report: Report = ignore
    checkpoints: CheckpointKeeper | None = None
    """Signs what becomes final, so that the chain cannot be rewritten unseen."""
    bus: MessageBus | None = None
    """Brings signed acts between members; without it this site acts by itself in every run."""
    gate: Gate | None = None
    """Keeps what the airlock decides; without it what passes the checks leaves unrecorded."""
    probe: ProbePort | None = None
    """Compares updates with the data; without it nothing that the policy asks is measured."""
    airlock_ledger: AirlockLedger | None = None
    """Learns what the airlock did; without it nobody is told."""
    treasurer: Treasurer | None = None
    """Pays for what noisy trainings betray; without it nobody counts."""
    keys: SiteKeys | None = None
    """Seals and opens; without it this site has no part in runs that seal their blobs."""
    sweeper: Sweeper | None = None
    """Lets go of what other members erased; without it all is kept."""
    shared_key: Callable[[Digest], CkksKey] | None = None
    """Finds the key that a run's sites share; without it this site has no part in runs whose
    updates are encrypted."""
    training: Lock = field(default_factory=Lock)
    """Held while the site trains: one model at a time."""
    spawn: Spawn = aside
    """How a training is begun."""

    def registered(self, grant: GrantId) -> Dataset:
        """Read which data a grant names, as the ledger has it now.

        Raises:
            LedgerError: The ledger knows no such grant, or does not answer.
        """
        return self.reader.dataset(self.reader.access(grant).dataset)

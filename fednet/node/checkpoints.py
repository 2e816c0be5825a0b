"""Checkpoints that this home keeps: its own, signed after each final round, and others'.

One file, appended to and synced, one canonical checkpoint a line. A torn last line
is what a crash leaves; it is passed over, as is every line that is no checkpoint:
what is kept here is evidence, not a promise, and each line stands for itself.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from fednet.domain.checkpoint import Checkpoint, SignedCheckpoint
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, RoundNumber, RunId, SiteId
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.errors import FednetError, LedgerError, MalformedBlobError, SettingsError

_NO_RECORD = Commitment(bytes(32))
_log = logging.getLogger(__name__)


class CheckpointBook:
    """Append checkpoints to a file, and read them.

    Args:
        path: The file; made with the first checkpoint.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[SignedCheckpoint]:
        """Return every checkpoint in the order in which it was kept; none if there is no file.

        Raises:
            SettingsError: There is a file that cannot be read.
        """
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise SettingsError(
                "cannot read the checkpoints", subject=str(self.path), actual=exc.strerror
            ) from exc
        found = []
        for number, line in enumerate(lines, 1):
            try:
                found.append(SignedCheckpoint.from_bytes(line, f"{self.path}, line {number}"))
            except MalformedBlobError as exc:
                _log.info("%s", exc)
        return found

    def append(self, signed: SignedCheckpoint) -> None:
        """Keep one more; it is on the disk when this returns.

        Raises:
            SettingsError: The disk refuses.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            handle = os.open(self.path, flags, 0o600)
            try:
                size = os.fstat(handle).st_size
                torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
                os.write(handle, (b"\n" if torn else b"") + signed.to_bytes() + b"\n")
                os.fdatasync(handle)
            finally:
                os.close(handle)
        except OSError as exc:
            raise SettingsError(
                "cannot keep the checkpoint", subject=str(self.path), actual=exc.strerror
            ) from exc


class CheckpointKeeper:
    """Sign and keep a checkpoint whenever a round of a run has become final.

    Args:
        book: Where they are kept.
        reader: Gives the header of the block in which the round became final.
        writer: Signs with the account of the site's node.
        site: Site that signs.
    """

    def __init__(
        self, book: CheckpointBook, reader: LedgerReader, writer: LedgerWriter, site: SiteId
    ) -> None:
        self._book = book
        self._reader = reader
        self._writer = writer
        self._site = site
        self._kept: dict[RunId, RoundNumber] = {}
        for signed in book.read():
            said = signed.statement
            if said.site == site and said.is_of(reader.deployment):
                self._kept[said.run] = max(said.round, self._kept.get(said.run, said.round))

    def keep(self, history: RunHistory) -> SignedCheckpoint | None:
        """Sign the latest final round if it is new; None if there is nothing to sign.

        A round goes first: whatever prevents a checkpoint is noted and tried again.
        """
        latest = RoundNumber(history.final_rounds)
        if latest <= self._kept.get(history.run, 0):
            return None
        try:
            finalized = history.rounds[latest].finalized
            assert finalized is not None
            statement = state(self._reader, self._site, history, finalized.log.block)
            signed = self._writer.sign_checkpoint(statement)
            self._book.append(signed)
        except FednetError as exc:
            _log.info("no checkpoint of run %s: %s", history.run, exc)
            return None
        self._kept[history.run] = latest
        return signed


def state(reader: LedgerReader, site: SiteId, history: RunHistory, block: int) -> Checkpoint:
    """Say what the chain shows of a run at a block, to be signed.

    Raises:
        LedgerError: The chain has no such block.
    """
    latest, record = RoundNumber(0), _NO_RECORD
    for number, entry in sorted(history.rounds.items()):
        final = entry.final_proposal
        if entry.finalized is not None and final is not None and entry.finalized.log.block <= block:
            latest, record = RoundNumber(number), final.proposed.record
    [head] = reader.blocks([block])
    if head.number != block:
        raise LedgerError("the chain gave another block", expected=block, actual=head.number)
    deployment = reader.deployment
    return Checkpoint(
        chain_id=deployment.chain_id,
        genesis_hash=deployment.genesis_hash,
        runs=deployment.runs,
        site=site,
        block=block,
        block_hash=head.block_hash,
        run=history.run,
        round=latest,
        record=record,
        time=int(time.time()),
    )

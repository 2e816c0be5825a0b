"""Checkpoints that this home keeps: its own, signed as rounds become final, and others'.

One file, appended to and synced, one canonical checkpoint a line. A torn last line
is what a crash leaves; it is passed over, as is every line that is no checkpoint:
what is kept here is evidence, not a promise, and each line stands for itself.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Thread

from fednet.domain.checkpoint import Checkpoint, SignedCheckpoint
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, RoundNumber, RunId, SiteId
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.errors import FednetError, LedgerError, MalformedBlobError, SettingsError

_NO_RECORD = Commitment(bytes(32))
_REST_SECONDS = 2.0
_LONGEST_REST_SECONDS = 60.0
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


@dataclass(frozen=True, slots=True)
class _Final:
    """A round that became final: what a checkpoint of it says."""

    run: RunId
    round: RoundNumber
    record: Commitment
    block: int


class CheckpointKeeper:
    """Sign and keep a checkpoint whenever a round of a run has become final.

    Safe to share between threads. Where rounds are in a hurry, `note` leaves the
    signing to a thread that signs the newest only.

    Args:
        book: Where they are kept.
        reader: Gives the header of the block in which the round became final.
        writer: Signs with the account of the site's node.
        site: Site that signs.
        rest_seconds: How long a noted round waits for a newer one to take its place.
    """

    def __init__(
        self,
        book: CheckpointBook,
        reader: LedgerReader,
        writer: LedgerWriter,
        site: SiteId,
        rest_seconds: float = _REST_SECONDS,
    ) -> None:
        self._book = book
        self._reader = reader
        self._writer = writer
        self._site = site
        self._rest_seconds = rest_seconds
        self._news = Condition()
        self._noted: dict[RunId, _Final] = {}
        self._is_ending = False
        self._thread: Thread | None = None
        self._kept: dict[RunId, RoundNumber] = {}
        for signed in book.read():
            said = signed.statement
            if said.site == site and said.is_of(reader.deployment):
                self._kept[said.run] = max(said.round, self._kept.get(said.run, said.round))

    def keep(self, history: RunHistory) -> SignedCheckpoint | None:
        """Sign the latest final round now if it is new; None if there is nothing to sign.

        A round goes first: whatever prevents a checkpoint is noted in the log.
        """
        final = self._latest(history)
        return None if final is None else self._sign(final)

    def note(self, history: RunHistory) -> None:
        """Have the latest final round signed soon if it is new; returns at once.

        What was noted of the run before is forgotten: another round is newer now, or
        the chain took it back.
        """
        final = self._latest(history)
        with self._news:
            if self._noted.get(history.run) == final or self._is_ending:
                return
            if final is None:
                del self._noted[history.run]
                return
            self._noted[history.run] = final
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._work, name="checkpoints", daemon=True)
                self._thread.start()
            self._news.notify_all()

    def finish(self, patience_seconds: float) -> bool:
        """Sign what is noted without further delay, and end; tell whether nothing is left.

        What is left, because chain or disk does not answer in time, is noted again by
        the node's next start.
        """
        with self._news:
            self._is_ending = True
            self._news.notify_all()
        if self._thread is not None:
            self._thread.join(patience_seconds)
        return not self._noted

    def _latest(self, history: RunHistory) -> _Final | None:
        """Return the latest final round of a run, unless a checkpoint of it is kept."""
        latest = RoundNumber(history.final_rounds)
        if latest <= self._kept.get(history.run, 0):
            return None
        entry = history.rounds[latest]
        assert entry.finalized is not None
        assert entry.final_proposal is not None
        record = entry.final_proposal.proposed.record
        return _Final(history.run, latest, record, entry.finalized.log.block)

    def _work(self) -> None:
        """Sign what is noted, at leisure, until told to end."""
        rest = self._rest_seconds
        while True:
            with self._news:
                self._news.wait_for(lambda: bool(self._noted) or self._is_ending)
                self._news.wait_for(lambda: self._is_ending, rest)
                is_last, waiting = self._is_ending, list(self._noted.values())
            failed = [final for final in waiting if self._sign(final) is None]
            if is_last:
                return
            rest = min(rest * 2, _LONGEST_REST_SECONDS) if failed else self._rest_seconds

    def _sign(self, final: _Final) -> SignedCheckpoint | None:
        try:
            statement = _say(self._reader, self._site, final)
            signed = self._writer.sign_checkpoint(statement)
            self._book.append(signed)
        except FednetError as exc:
            _log.info("no checkpoint of run %s: %s", final.run, exc)
            return None
        with self._news:
            self._kept[final.run] = max(final.round, self._kept.get(final.run, final.round))
            if self._noted.get(final.run) == final:
                del self._noted[final.run]
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
    return _say(reader, site, _Final(history.run, latest, record, block))


def _say(reader: LedgerReader, site: SiteId, final: _Final) -> Checkpoint:
    """Say what is final at a block, with the block's hash."""
    [head] = reader.blocks([final.block])
    if head.number != final.block:
        raise LedgerError("the chain gave another block", expected=final.block, actual=head.number)
    deployment = reader.deployment
    return Checkpoint(
        chain_id=deployment.chain_id,
        genesis_hash=deployment.genesis_hash,
        runs=deployment.runs,
        site=site,
        block=final.block,
        block_hash=head.block_hash,
        run=final.run,
        round=final.round,
        record=final.record,
        time=int(time.time()),
    )

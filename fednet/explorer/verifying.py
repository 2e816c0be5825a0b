"""Replay runs on request, one at a time, and remember what came of it and at which block.

Nothing here ever says that a run is verified unless it was replayed by this
process, as ``fednet audit`` does it: beside the checkpoints that the home keeps,
and with the rounds recalled that this machine verified before and that have not
changed since. Which those are, and how far the chain has gone on, stands beside
every verdict.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from fednet.audit import AuditReport, Finding, RoundResult, Severity, audit_run
from fednet.audit.memory import AuditMemory
from fednet.audit.report import Recalled
from fednet.domain.blobs import BlobStore
from fednet.domain.checkpoint import SignedCheckpoint
from fednet.domain.identity import Address, RoundNumber, RunId, SiteId
from fednet.domain.ports import LedgerReader
from fednet.errors import FednetError

if TYPE_CHECKING:
    from fednet.privacy.sealing import KeySource


@dataclass(frozen=True, slots=True)
class Kept:
    """What a home keeps for its audits; what is secret of it shows on no page."""

    checkpoints: Sequence[SignedCheckpoint] = ()
    trusted: Collection[Address] = ()
    """Accounts whose checkpoints count though no site has them."""
    rounds_dir: Path | None = None
    """Folder of the rounds that were verified before; None recalls and keeps nothing."""
    keys: Callable[[RunId], KeySource | None] = lambda run: None
    """Finds what opens a run's sealed blobs; None leaves them sealed."""


class Stage(StrEnum):
    """How far a replay is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """The audit could not look; says nothing about the run."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The latest replay of one run."""

    run: RunId
    stage: Stage
    done: int = 0
    total: int = 0
    """Rounds; 0 until they are counted."""
    report: AuditReport | None = None
    """What was found; while a further replay runs, what the one before found."""
    problem: str = ""
    hint: str = ""

    def round(self, number: int) -> RoundResult | None:
        """Return the verdict on a round."""
        rounds = self.report.rounds if self.report else ()
        return next((entry for entry in rounds if entry.round == number), None)

    def recalled(self, number: int) -> Recalled | None:
        """Return when a round was verified, if this replay recalled it."""
        recalled = self.report.recalled if self.report else ()
        return next((entry for entry in recalled if entry.round == number), None)

    def findings(self, *, number: int | None = None, site: int | None = None) -> list[Finding]:
        """List what was found about a round, or against a site."""
        found = self.report.findings if self.report else ()
        return [
            entry
            for entry in found
            if (number is None or entry.round == RoundNumber(number))
            and (site is None or entry.accused == SiteId(site))
        ]

    @property
    def troubles(self) -> list[Finding]:
        """List the findings that keep the run from being verified."""
        return [entry for entry in self.findings() if entry.severity is not Severity.NOTICE]


class Verifier:
    """Start replays and tell how they stand; safe to share between threads.

    Args:
        reader: The ledger.
        store: Where blobs come from.
        fetch_seconds: How long to look for one blob.
        kept: Reads what the home keeps; asked before each replay, for it grows.
    """

    def __init__(
        self,
        reader: LedgerReader,
        store: BlobStore,
        fetch_seconds: float,
        kept: Callable[[], Kept] = Kept,
    ) -> None:
        self._reader, self._store, self._kept = reader, store, kept
        self._fetch_seconds = fetch_seconds
        self._lock = threading.Lock()
        self._replays: dict[RunId, Replay] = {}
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> RunId | None:
        """Name the run that is being replayed now."""
        with self._lock:
            return self._running()

    def latest(self, run: int) -> Replay | None:
        """Return the latest replay of a run, if this process ever made one."""
        with self._lock:
            return self._replays.get(RunId(run))

    def start(self, run: RunId, *, afresh: bool = False) -> bool:
        """Begin to replay a run; return False if one is being replayed already.

        Args:
            run: Which.
            afresh: Recall no round.
        """
        with self._lock:
            if self._running() is not None:
                return False
            before = self._replays.get(run)
            self._replays[run] = Replay(
                run, Stage.RUNNING, report=before.report if before else None
            )
            self._thread = threading.Thread(
                target=self._replay, args=(run, afresh), name=f"replay-{run}", daemon=True
            )
            self._thread.start()
            return True

    def wait(self, timeout_seconds: float) -> None:
        """Wait for the replay that is under way."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_seconds)

    def _running(self) -> RunId | None:
        found = (run for run, each in self._replays.items() if each.stage is Stage.RUNNING)
        return next(found, None)

    def _replay(self, run: RunId, afresh: bool) -> None:
        def progress(done: int, total: int) -> None:
            self._change(run, lambda held: replace(held, done=done, total=total))

        try:
            kept = self._kept()
            report = audit_run(
                self._reader,
                self._store,
                run,
                fetch_seconds=self._fetch_seconds,
                progress=progress,
                checkpoints=kept.checkpoints,
                trusted=kept.trusted,
                memory=AuditMemory(kept.rounds_dir, afresh) if kept.rounds_dir else None,
                keys=kept.keys(run),
            )
        except FednetError as exc:
            problem, hint = str(exc), exc.hint or "try again when chain and store answer"
        except Exception as exc:
            problem = f"the audit itself failed: {type(exc).__name__}: {exc}"
            hint = f"this is a defect of fednet; `fednet --verbose audit {run}` shows where"
        else:
            self._change(run, lambda held: replace(held, stage=Stage.DONE, report=report))
            return
        self._change(
            run, lambda held: replace(held, stage=Stage.FAILED, problem=problem, hint=hint)
        )

    def _change(self, run: RunId, change: Callable[[Replay], Replay]) -> None:
        with self._lock:
            self._replays[run] = change(self._replays[run])

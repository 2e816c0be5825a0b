"""What this node has committed itself to, durable before anybody hears of it.

One file per deployment and site, appended to and synced, one canonical JSON
record a line with a check sum of its own. A torn last line is what a crash in
mid-write leaves, so it is cut off; damage elsewhere means forgotten promises,
and the journal refuses to open. Only one process holds a journal at a time.

An update's salt is not written here: it stands in the update's own bytes, which
are durable on the same disk before the record that names them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO

from fednet.domain import canonical
from fednet.domain.identity import Commitment, Digest, Locator, RoundNumber, RunId, SiteId
from fednet.domain.ledger import Deployment
from fednet.errors import FednetError, SettingsError, VerificationError
from fednet.node.places import AttemptKey, ProposalKey
from fednet.node.view import Pledge, Vote

_CHECK_LENGTH = 16
_SYNCED_KINDS = frozenset({"pledge", "intend", "vote", "verify"})
"""What must not be forgotten; the others save work only."""


@dataclass(slots=True)
class RunNotes:
    """What the journal says of one run."""

    pledges: dict[AttemptKey, Pledge] = field(default_factory=dict)
    published: set[AttemptKey] = field(default_factory=set)
    intents: dict[ProposalKey, frozenset[SiteId]] = field(default_factory=dict)
    votes: dict[ProposalKey, Vote] = field(default_factory=dict)
    verified: dict[ProposalKey, Commitment] = field(default_factory=dict)
    """Commitment of the state by proposal."""
    preserved: set[RoundNumber] = field(default_factory=set)


class Journal:
    """Append facts and remember them; promises are on the disk when a method returns.

    Args:
        folder: Where journals are kept.
        deployment: Consortium whose runs are meant.
        site: Site that acts.

    Raises:
        SettingsError: Another node holds the journal, it is damaged, or the disk refuses.
    """

    def __init__(self, folder: Path, deployment: Deployment, site: SiteId) -> None:
        name = f"{deployment.genesis_hash.hex()[:16]}-{deployment.runs.lower()}-{site}"
        self.path = folder / f"{name}.jsonl"
        self._runs: defaultdict[RunId, RunNotes] = defaultdict(RunNotes)
        self._lock = Lock()
        self._end = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _open_locked(self.path)
        except OSError as exc:
            raise _disk_error(self.path, exc) from exc
        try:
            self._replay()
            _sync_folder(folder)
        except OSError as exc:
            self.close()
            raise _disk_error(self.path, exc) from exc
        except BaseException:
            self.close()
            raise

    def notes(self, run: RunId) -> RunNotes:
        """Return what is known of a run; the caller must not change it."""
        return self._runs[run]

    def pledge(self, run: RunId, key: AttemptKey, pledge: Pledge) -> None:
        """Note an update before the chain hears of its commitment."""
        self._append(
            run,
            key,
            kind="pledge",
            commitment=str(pledge.commitment),
            locator=str(pledge.locator),
            weight=pledge.weight,
            file=pledge.file,
        )

    def publish(self, run: RunId, key: AttemptKey) -> None:
        """Note that the store serves this node's update."""
        self._append(run, key, kind="publish")

    def intend(self, run: RunId, key: ProposalKey, unavailable: frozenset[SiteId]) -> None:
        """Note a proposal before the chain hears of it."""
        self._append(run, key, kind="intend", unavailable=sorted(unavailable))

    def vote(
        self, run: RunId, key: ProposalKey, vote: Vote, state: Commitment | None = None
    ) -> None:
        """Note a vote before the chain hears of it, and the state it verified if it agrees."""
        verified = {"state": str(state)} if state else {}
        self._append(run, key, kind="vote", agrees=vote.agrees, digest=str(vote.digest), **verified)

    def verify(self, run: RunId, key: ProposalKey, state: Commitment) -> None:
        """Note that a proposal was recomputed and found right."""
        self._append(run, key, kind="verify", state=str(state))

    def preserve(self, run: RunId, round_number: RoundNumber) -> None:
        """Note that the store serves what a final round names."""
        self._append(run, (round_number,), kind="preserve")

    def close(self) -> None:
        """Let another process have the journal."""
        self._file.close()

    def _append(self, run: RunId, key: tuple[int, ...], **fields: object) -> None:
        record: dict[str, object] = {**fields, "run": run, "key": list(key)}
        line = _seal(record)
        with self._lock:
            try:
                _write_all(self._file.fileno(), line, self._end)
                if record["kind"] in _SYNCED_KINDS:
                    os.fdatasync(self._file.fileno())
            except OSError as exc:
                raise _disk_error(self.path, exc) from exc
            self._end += len(line)
            self._fold(record)

    def _replay(self) -> None:
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                self._fold(_unseal(line))
            except (FednetError, KeyError, TypeError, ValueError) as exc:
                raise SettingsError(
                    "the journal is damaged",
                    subject=f"{self.path}, line {number}",
                    actual=str(exc)[:120],
                    hint="move the file away; the node then sits out what it has begun",
                ) from exc
        if whole != len(data):
            os.ftruncate(self._file.fileno(), whole)
        self._end = whole

    def _fold(self, record: dict[str, object]) -> None:
        notes = self._runs[RunId(_integer(record["run"]))]
        match record["kind"], _integers(record["key"]):
            case "pledge", [number, attempt]:
                notes.pledges[AttemptKey(RoundNumber(number), attempt)] = Pledge(
                    Commitment(str(record["commitment"])),
                    Locator(str(record["locator"])),
                    _integer(record["weight"]),
                    str(record["file"]),
                )
            case "publish", [number, attempt]:
                notes.published.add(AttemptKey(RoundNumber(number), attempt))
            case "intend", [number, attempt, proposal]:
                sites = frozenset(SiteId(site) for site in _integers(record["unavailable"]))
                notes.intents[ProposalKey(RoundNumber(number), attempt, proposal)] = sites
            case "vote", [number, attempt, proposal]:
                key = ProposalKey(RoundNumber(number), attempt, proposal)
                notes.votes[key] = Vote(bool(record["agrees"]), Digest(str(record["digest"])))
                if "state" in record:
                    notes.verified[key] = Commitment(str(record["state"]))
            case "verify", [number, attempt, proposal]:
                key = ProposalKey(RoundNumber(number), attempt, proposal)
                notes.verified[key] = Commitment(str(record["state"]))
            case "preserve", [number]:
                notes.preserved.add(RoundNumber(number))
            case unknown:
                raise ValueError(f"unknown record {unknown!r}")


def _open_locked(path: Path) -> IO[bytes]:
    # Opened without O_TRUNC and without O_APPEND: a torn tail has to be cut off.
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        file.close()
        raise SettingsError(
            "another node process uses this journal",
            subject=str(path),
            hint="stop the other node, or give this one a home directory of its own",
        ) from exc
    return file


def _write_all(handle: int, data: bytes, offset: int) -> None:
    """Write at a fixed place, so that a failed write leaves no gap before the next."""
    while data:
        written = os.pwrite(handle, data, offset)
        data, offset = data[written:], offset + written


def _seal(record: dict[str, object]) -> bytes:
    check = hashlib.sha256(canonical.encode(record)).hexdigest()[:_CHECK_LENGTH]
    return canonical.encode({**record, "check": check}) + b"\n"


def _unseal(line: bytes) -> dict[str, object]:
    record = canonical.decode_object(line, "journal")
    check = record.pop("check", None)
    if check != hashlib.sha256(canonical.encode(record)).hexdigest()[:_CHECK_LENGTH]:
        raise VerificationError("check sum does not match")
    return record


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"not an integer: {value!r}")
    return value


def _integers(value: object) -> list[int]:
    if not isinstance(value, list):
        raise TypeError(f"not a list: {value!r}")
    return [_integer(item) for item in value]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _disk_error(path: Path, exc: OSError) -> SettingsError:
    return SettingsError(
        "cannot keep the journal",
        subject=str(path),
        actual=exc.strerror or str(exc),
        hint="free disk space, or check who owns the folder; nothing was sent",
    )

"""The airlock's reports as files: canonical JSON with a salt, written before anybody hears of them.

``sha256sum`` of the file is the commitment that the ledger may hold.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fednet.airlock import Check, Passage
from fednet.domain import canonical
from fednet.domain.identity import Commitment, DatasetId, RunId
from fednet.domain.privacy import Expense
from fednet.errors import MalformedBlobError, SettingsError
from fednet.node.places import AttemptKey
from fednet.node.requests import REPORTS, Request
from fednet.node.sealed_log import disk_error, sync_folder

FORMAT = "fednet-passage/1"
_SALT_SIZE_BYTES = 32
_MAX_SIZE_BYTES = 1 << 20
_WHAT = "airlock's report"


@dataclass(frozen=True, slots=True)
class Subject:
    """Which update a report is about."""

    run: RunId
    key: AttemptKey
    dataset: DatasetId
    update: Commitment
    weight: int
    values: Commitment | None = None
    """Of what the update decodes to; the same values may be put to the gate in several rounds."""
    expense: Expense | None = None
    """What has to be paid for before it leaves."""


def report_path(folder: Path, number: int) -> Path:
    """Name the file of a report within the airlock's folder."""
    return folder / REPORTS / f"{number}.json"


def write_report(folder: Path, number: int, subject: Subject, passage: Passage) -> Commitment:
    """Write a report durably and return its commitment; an older file of its number gives way.

    Raises:
        SettingsError: The disk refuses.
    """
    data = canonical.encode(
        {
            "format": FORMAT,
            "run": subject.run,
            "round": subject.key.round,
            "attempt": subject.key.attempt,
            "dataset": subject.dataset,
            "update": str(subject.update),
            "weight": subject.weight,
            "checks": [check.to_plain() for check in passage.checks],
            "salt": os.urandom(_SALT_SIZE_BYTES).hex(),
        }
    )
    path = report_path(folder, number)
    temporary = path.with_suffix(".part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as exc:
        raise disk_error(path, _WHAT, exc) from exc
    return Commitment.of(data)


def read_report(folder: Path, request: Request) -> Passage:
    """Read the report of a request, verified against its commitment.

    Raises:
        SettingsError: The file is not there.
        DigestMismatchError: It was altered.
    """
    path = report_path(folder, request.number)
    try:
        data = path.read_bytes()[: _MAX_SIZE_BYTES + 1]
    except OSError as exc:
        raise SettingsError(
            "the report cannot be read",
            subject=str(path),
            actual=exc.strerror,
            hint="the node writes it; restore it from a copy, or reject the request",
        ) from exc
    request.report.verify(data, str(path))
    return _passage(canonical.decode_object(data, str(path)), str(path))


def _passage(raw: Mapping[str, object], subject: str) -> Passage:
    checks = raw.get("checks")
    if raw.get("format") != FORMAT or not isinstance(checks, list):
        raise MalformedBlobError("not a report of the airlock", subject=subject, expected=FORMAT)
    return Passage(tuple(Check.from_plain(check, subject) for check in checks))

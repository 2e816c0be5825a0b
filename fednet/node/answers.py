"""A person's answers to the airlock's requests: one file each, written once, read by the node.

The reason stays in the file; of it only the commitment to the whole answer, which
holds a salt, is for others. An answer names the report that was read, so that it
says nothing about another.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from fednet.domain import canonical
from fednet.domain.identity import Commitment, Digest
from fednet.errors import FednetError, MalformedBlobError, PhaseError, SettingsError
from fednet.node.requests import ANSWERS, Book, Request
from fednet.node.sealed_log import disk_error, sync_folder

FORMAT = "fednet-answer/2"
MOST_REASON_CHARACTERS = 10_000
_MAX_SIZE_BYTES = 1 << 18
_FIELDS = {"at", "format", "number", "reason", "report", "ruling", "salt"}
_WHAT = "answer to the airlock's request"


class Ruling(StrEnum):
    """What a person may say to a request."""

    APPROVED = "approved"
    REJECTED = "rejected"
    RETURNED = "returned"
    """It stays; the node may make another while there is time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person decided."""

    number: int
    report: Commitment
    ruling: Ruling
    reason: str
    """May be empty for an approval."""
    at: int
    """Seconds since 1970, by the reviewer's clock."""
    salt: Digest

    def to_bytes(self) -> bytes:
        """Return the complete bytes of the answer's file."""
        return canonical.encode(
            {
                "at": self.at,
                "format": FORMAT,
                "number": self.number,
                "reason": self.reason,
                "report": str(self.report),
                "ruling": self.ruling.value,
                "salt": str(self.salt),
            }
        )

    @property
    def commitment(self) -> Commitment:
        """Commit to the answer, its reason and its salt."""
        return Commitment.of(self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes, subject: str) -> Self:
        """Read an answer.

        Raises:
            MalformedBlobError: It is none.
        """
        raw = canonical.decode_object(data, subject)
        texts = ("format", "reason", "report", "ruling", "salt")
        good = (
            raw.keys() == _FIELDS
            and all(isinstance(raw[name], str) for name in texts)
            and all(type(raw[name]) is int for name in ("number", "at"))
            and raw["ruling"] in set(Ruling)
            and raw["format"] == FORMAT
        )
        if not good:
            raise MalformedBlobError("not an answer", subject=subject, expected=FORMAT)
        return cls(
            int(str(raw["number"])),
            Commitment(str(raw["report"])),
            Ruling(str(raw["ruling"])),
            str(raw["reason"]),
            int(str(raw["at"])),
            Digest(str(raw["salt"])),
        )


def answer_path(folder: Path, number: int) -> Path:
    """Name the file of an answer within the airlock's folder."""
    return folder / ANSWERS / f"{number}.json"


def read_answer(folder: Path, request: Request) -> Answer | None:
    """Read the answer to a request; None if there is none that counts.

    A file that is no answer to this very report counts for nothing.
    """
    path = answer_path(folder, request.number)
    try:
        if path.stat().st_size > _MAX_SIZE_BYTES:
            return None
        answer = Answer.from_bytes(path.read_bytes(), str(path))
    except (OSError, FednetError):
        return None
    fits = (answer.number, answer.report) == (request.number, request.report)
    return answer if fits else None


def answer_for(folder: Path, book: Book, request: Request) -> Answer | None:
    """Read the answer that counts for a request: its own, else one to the same values.

    What a slow site trained may be put to the gate in several rounds, each in a file
    of its own; a person need not look at the same values twice. What was sent back is
    asked about again, even if nothing has changed.
    """
    own = read_answer(folder, request)
    if own is not None:
        return own
    found = (read_answer(folder, each) for each in book.like(request))
    return next((each for each in found if each and each.ruling is not Ruling.RETURNED), None)


def give_answer(folder: Path, request: Request, ruling: Ruling, reason: str, at: int) -> Answer:
    """Write the answer to a request, durably; the first one stands.

    Raises:
        PhaseError: It was answered before.
        SettingsError: No reason where one is needed, too long a one, or the disk refuses.
    """
    is_bare = ruling is not Ruling.APPROVED and not reason.strip()
    if len(reason) > MOST_REASON_CHARACTERS or is_bare:
        raise SettingsError(
            f"what is {ruling} needs a reason" if is_bare else "the reason is too long",
            subject=f"request {request.number}",
            expected=f"1 to {MOST_REASON_CHARACTERS} characters",
            actual=len(reason),
            hint="the reason stays at this site; give it with --reason TEXT",
        )
    answer = Answer(request.number, request.report, ruling, reason, at, Digest(os.urandom(32)))
    path = answer_path(folder, request.number)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _write_once(path, answer.to_bytes())
    except FileExistsError:
        raise PhaseError(
            "the request was answered before",
            subject=f"request {request.number}",
            hint=f"`fednet airlock show {request.number}` shows how",
        ) from None
    except OSError as exc:
        raise disk_error(path, _WHAT, exc) from exc
    return answer


def _write_once(path: Path, data: bytes) -> None:
    """Write a private file that is whole or not there, and never takes another's place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)

"""Checkpoints of this home: kept, read from files, compared with the chain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fednet.cli.app import App
from fednet.domain.checkpoint import (
    MAX_CHECKPOINT_SIZE_BYTES,
    SignedCheckpoint,
)
from fednet.domain.ports import LedgerReader
from fednet.errors import MalformedBlobError, SettingsError, VerificationError
from fednet.node import CheckpointBook

_MADE_BY = "such a file, one checkpoint a line, is made by `fednet checkpoint show NUMBER > FILE`"
_MAX_FILE_SIZE_BYTES = 10_000 * MAX_CHECKPOINT_SIZE_BYTES


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing a checkpoint with the chain gave."""

    subject: str
    verdict: str
    """``holds``, ``contradicted``, ``forged``, ``foreign`` or ``stranger``."""
    detail: str = ""


def book(app: App) -> CheckpointBook:
    """Name the file of the checkpoints that this home keeps."""
    return CheckpointBook(app.home / "checkpoints.jsonl")


def numbered(app: App, number: int) -> SignedCheckpoint:
    """Find a kept checkpoint by its number in the list.

    Raises:
        SettingsError: There is none.
    """
    kept = book(app).read()
    if not 1 <= number <= len(kept):
        raise SettingsError(
            "no such checkpoint",
            subject=str(number),
            expected=f"1 to {len(kept)}" if kept else None,
            hint="`fednet checkpoint list` shows them"
            if kept
            else "none is kept yet: a node signs one when a round is final,"
            " `fednet checkpoint make RUN` signs one now, `fednet checkpoint import FILE` keeps"
            " another member's",
        )
    return kept[number - 1]


def read_file(path: Path) -> list[SignedCheckpoint]:
    """Read a file of checkpoints, one a line.

    Raises:
        SettingsError: It cannot be read, is too large or holds nothing.
        MalformedBlobError: A line is no checkpoint.
    """
    try:
        if path.stat().st_size > _MAX_FILE_SIZE_BYTES:
            raise SettingsError("too large for checkpoints", subject=str(path), hint=_MADE_BY)
        lines = path.read_bytes().splitlines()
    except OSError as exc:
        raise SettingsError(
            "cannot read the checkpoints", subject=str(path), actual=exc.strerror, hint=_MADE_BY
        ) from exc
    if not lines:
        raise SettingsError("holds no checkpoint", subject=str(path), hint=_MADE_BY)
    try:
        return [
            SignedCheckpoint.from_bytes(line, f"{path}, line {number}")
            for number, line in enumerate(lines, 1)
        ]
    except MalformedBlobError as exc:
        exc.hint = _MADE_BY
        raise


def verify(signed: SignedCheckpoint) -> None:
    """Raise unless the account that is named signed it.

    Raises:
        VerificationError: Somebody else signed, or nobody.
    """
    from fednet.ledger.checkpoints import verify_checkpoint

    verify_checkpoint(signed)


def compare(reader: LedgerReader, signed: SignedCheckpoint) -> Comparison:
    """Compare signature, account and block with what the chain says now.

    The record is compared by `fednet audit`, which reads the run.

    Raises:
        LedgerError: The chain does not answer.
    """
    said, subject = signed.statement, signed.subject
    try:
        verify(signed)
    except VerificationError as exc:
        return Comparison(subject, "forged", exc.message)
    if not said.is_of(reader.deployment):
        return Comparison(subject, "foreign", "speaks of another deployment")
    head = reader.head()
    if said.block > head.number:
        return Comparison(subject, "contradicted", f"the chain ends at block {head.number}")
    [block] = reader.blocks([said.block])
    if block.block_hash != said.block_hash:
        return Comparison(subject, "contradicted", f"the block's hash is {block.block_hash}")
    site, _ = reader.account(signed.account)
    if said.site == 0 or site != said.site:
        return Comparison(subject, "stranger", "its account is not known for the site")
    return Comparison(subject, "holds")


def gather(app: App, files: tuple[Path, ...]) -> list[SignedCheckpoint]:
    """Collect what an audit compares: the home's own, and those of files.

    Raises:
        FednetError: A file that was named cannot be read or holds something else.
    """
    found = book(app).read()
    for path in files:
        found += read_file(path)
    return found

"""The audit report as data: the very words and tables that a reader sees, and that are signed.

HTML and PDF only lay a statement out, so that a signature over its canonical
bytes covers everything on the page.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fednet.domain import canonical
from fednet.domain.identity import Commitment
from fednet.errors import MalformedBlobError

MAX_SIGNED_SIZE_BYTES = 1 << 28

_HEX64 = r"^[0-9a-f]{64}$"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Table(_Part):
    """Rows under named columns."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Section(_Part):
    """One heading with what stands below it."""

    title: str
    paragraphs: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


class Statement(_Part):
    """A whole report."""

    format: Literal["fednet-report/1"] = "fednet-report/1"
    fednet: str
    """Version that wrote and lays out the report."""
    written_at: int
    """Seconds since 1970 by the writer's clock; every other time is the ledger's."""
    chain_id: int
    contract: str
    """The deployment's catalogue of runs."""
    run: int
    block: int
    block_hash: str = Field(pattern=_HEX64)
    verdict: Literal["holds", "holds in part", "sealed", "does not hold", "not audited"]
    title: str
    headline: str
    accused: tuple[str, ...]
    sections: tuple[Section, ...]

    def to_bytes(self) -> bytes:
        """Return the canonical JSON."""
        return canonical.encode(self.model_dump())

    @property
    def digest(self) -> Commitment:
        """Commit to the canonical bytes."""
        return Commitment.of(self.to_bytes())


class Seal(_Part):
    """Who vouches for a statement."""

    account: str = Field(pattern=r"^0x[0-9a-fA-F]{40}$")
    signature: str = Field(pattern=r"^[0-9a-f]{130}$")
    """65 bytes over the typed data (EIP-712) that names run, block and digest."""


class SignedStatement(_Part):
    """The detached file: a statement with its seal, which nothing here verifies."""

    format: Literal["fednet-signed-report/1"] = "fednet-signed-report/1"
    digest: str = Field(pattern=_HEX64)
    seal: Seal
    statement: Statement

    def to_bytes(self) -> bytes:
        """Return the canonical JSON."""
        return canonical.encode(self.model_dump())

    @classmethod
    def from_bytes(cls, data: bytes, subject: str) -> Self:
        """Read the file.

        Raises:
            MalformedBlobError: Too large, not such a file, or its digest is not the statement's.
        """
        if len(data) > MAX_SIGNED_SIZE_BYTES:
            raise MalformedBlobError("is too large", subject=subject, actual=len(data))
        canonical.decode_object(data, subject)
        try:
            signed = cls.model_validate_json(data)
        except ValidationError as exc:
            first = exc.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise MalformedBlobError(
                f"not a signed report: {field}: {first['msg']}", subject=subject
            ) from exc
        if signed.digest != str(signed.statement.digest):
            raise MalformedBlobError(
                "the statement was changed after it was signed",
                subject=subject,
                expected=signed.digest,
                actual=signed.statement.digest,
            )
        return signed

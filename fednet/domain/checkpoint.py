"""A checkpoint: what one party saw of the chain, signed, so that it cannot be rewritten unseen.

A statement names the deployment, one block and the latest final round of a run
at that block. Who signed it can later show that the history it saw is not the
one that the chain tells now. Its bytes are canonical JSON, one line, so that a
file of them is a list. As a blob it carries a number that makes its commitment
begin with two fixed bytes: among all that members announce on the chain, a
reader finds checkpoints by their commitment alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fednet.domain import canonical
from fednet.domain.identity import (
    Address,
    Commitment,
    Digest,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Deployment
from fednet.errors import MalformedBlobError

CHECKPOINT_FORMAT = "fednet-checkpoint/1"
MAX_CHECKPOINT_SIZE_BYTES = 4_096
COMMITMENT_MARK = hashlib.sha256(CHECKPOINT_FORMAT.encode()).digest()[:2]
"""First bytes of the commitment of every checkpoint that is published as a blob."""
SIGNATURE_SIZE_BYTES = 65

_HEX64 = r"^[0-9a-f]{64}$"
_ADDRESS = r"^0x[0-9a-fA-F]{40}$"
_UINT64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed; field for field the typed data."""

    chain_id: int
    genesis_hash: Digest
    runs: Address
    """The deployment's catalogue of runs, which stands for the deployment."""
    site: SiteId
    """Site for which it is signed; 0 is nobody's, of an auditor for example."""
    block: int
    block_hash: Digest
    run: RunId
    round: RoundNumber
    """Latest final round of the run at that block; 0 if none was."""
    record: Commitment
    """Record of that round; zero if none."""
    time: int
    """Seconds since 1970 by the signer's clock; nobody has to believe it."""

    def is_of(self, deployment: Deployment) -> bool:
        """Tell whether it speaks of a deployment."""
        named = (self.chain_id, self.genesis_hash, self.runs)
        return named == (deployment.chain_id, deployment.genesis_hash, deployment.runs)


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with its signature, which nothing here verifies."""

    statement: Checkpoint
    account: Address
    """Account that is said to have signed."""
    signature: bytes
    number: int = 0
    """Drawn for the blob's commitment; not signed."""

    @property
    def commitment(self) -> Commitment:
        """Commit to the bytes."""
        return Commitment.of(self.to_bytes())

    @property
    def subject(self) -> str:
        """Name it in messages."""
        said = self.statement
        who = f"site {said.site}" if said.site else f"account {self.account}"
        return f"checkpoint of {who} at block {said.block}"

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        said = self.statement
        return canonical.encode(
            {
                "account": self.account,
                "block": said.block,
                "block_hash": str(said.block_hash),
                "chain_id": said.chain_id,
                "format": CHECKPOINT_FORMAT,
                "genesis_hash": str(said.genesis_hash),
                "number": self.number,
                "record": str(said.record),
                "round": said.round,
                "run": said.run,
                "runs": said.runs,
                "signature": self.signature.hex(),
                "site": said.site,
                "time": said.time,
            }
        )

    def to_blob(self) -> Self:
        """Draw the number that marks the blob's commitment; some 65,000 hashes."""
        head, _, tail = self.to_bytes().partition(b'"number":%d' % self.number)
        prefix = hashlib.sha256(head + b'"number":')
        for number in range(1, 1 << 32):
            attempt = prefix.copy()
            attempt.update(b"%d" % number + tail)
            if attempt.digest().startswith(COMMITMENT_MARK):
                break
        return type(self)(self.statement, self.account, self.signature, number)

    @classmethod
    def from_bytes(cls, data: bytes, subject: str) -> Self:
        """Read a checkpoint from its canonical bytes.

        Raises:
            MalformedBlobError: Too large, not canonical, or not a checkpoint.
        """
        if len(data) > MAX_CHECKPOINT_SIZE_BYTES:
            raise MalformedBlobError("checkpoint is too large", subject=subject, actual=len(data))
        try:
            raw = _Form.model_validate(canonical.decode_object(data, subject))
        except ValidationError as exc:
            first = exc.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise MalformedBlobError(
                f"not a checkpoint: {field}: {first['msg']}", subject=subject
            ) from exc
        statement = Checkpoint(
            chain_id=raw.chain_id,
            genesis_hash=Digest(raw.genesis_hash),
            runs=Address(raw.runs),
            site=SiteId(raw.site),
            block=raw.block,
            block_hash=Digest(raw.block_hash),
            run=RunId(raw.run),
            round=RoundNumber(raw.round),
            record=Commitment(raw.record),
            time=raw.time,
        )
        return cls(statement, Address(raw.account), bytes.fromhex(raw.signature), raw.number)


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    account: str = Field(pattern=_ADDRESS)
    block: int = Field(ge=0, le=_UINT64)
    block_hash: str = Field(pattern=_HEX64)
    chain_id: int = Field(ge=1, le=_UINT64)
    format: str = Field(pattern=f"^{CHECKPOINT_FORMAT}$")
    genesis_hash: str = Field(pattern=_HEX64)
    number: int = Field(ge=0, lt=1 << 32)
    record: str = Field(pattern=_HEX64)
    round: int = Field(ge=0, lt=1 << 32)
    run: int = Field(ge=1, le=_UINT64)
    runs: str = Field(pattern=_ADDRESS)
    signature: str = Field(pattern=r"^[0-9a-f]{130}$")
    site: int = Field(ge=0, lt=1 << 32)
    time: int = Field(ge=0, le=_UINT64)

"""What proving a ledger's answers from block headers came to, as values.

A header's hash covers the receipts of its block and, through its parent's hash,
every header before it. Nothing here hashes; see ``fednet.ledger.proofs``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fednet.domain.events import LedgerEvent
from fednet.domain.identity import Address, Digest, RoundNumber, RunId
from fednet.domain.ledger import Head


@dataclass(frozen=True, slots=True)
class LedgerProblem:
    """One thing that does not hold, named by the object that is wrong."""

    code: str
    """Stable name of the kind of problem."""
    subject: str
    message: str
    expected: str = ""
    actual: str = ""


@dataclass(frozen=True, slots=True)
class LogProof:
    """How far the events of a run are proven by headers and receipts."""

    proven: bool
    """Whether every block's hash could be computed and every log was proven."""
    reason: str = ""
    """Why not, if the chain does not allow it; problems are no such reason."""
    problems: tuple[LedgerProblem, ...] = ()
    first_block: int = 0
    last_block: int = 0
    receipts: int = 0
    """Receipts that were hashed."""
    stored: tuple[str, ...] = ()
    """Values of the contracts' storage that were proven as well."""
    skipped: bool = False
    """Whether nothing was tried, because it would have taken too long."""

    def to_json(self) -> dict[str, object]:
        """Return it in the stable form of ``--json``; the problems are findings there."""
        return {
            "proven": self.proven,
            "reason": self.reason,
            "first_block": self.first_block,
            "last_block": self.last_block,
            "receipts": self.receipts,
            "stored": list(self.stored),
        }


@dataclass(frozen=True, slots=True)
class LedgerClaims:
    """What a ledger was heard to say of a run, to be compared with what blocks prove."""

    run: RunId
    module: Address
    """Rounds module of the run."""
    head: Head
    """Block up to which it spoke."""
    running_hash: Digest
    disclosures: Digest
    """Running hash of the ledger of disclosures."""
    masking: Digest
    """Running hash of the ledger of masked rounds."""
    settlements: Mapping[RoundNumber, Digest]
    kinds: Sequence[type[LedgerEvent]]
    """Classes of events that were asked for beside the run's own."""
    events: Sequence[LedgerEvent]
    """Every event it gave, the run's own included, in any order."""
    blocks: Mapping[int, Head]
    """Headers it gave, by number."""

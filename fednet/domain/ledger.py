"""What the contracts hold, as frozen values; the twins of the Solidity structs.

Enum members stand in the order of their Solidity declarations (a parity test
compares them). Nothing here reads a chain; see ``fednet.domain.ports``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Literal, TypeAlias, get_args

from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)

ModuleName: TypeAlias = Literal["plain", "batched", "sampled", "masked"]
"""A rounds module of every deployment, as a plan names it."""


class Standing(IntEnum):
    """Where an institution stands."""

    NONE = 0
    APPLIED = 1
    ACTIVE = 2
    SUSPENDED = 3
    REVOKED = 4


class Role(IntFlag):
    """What an account may do."""

    NONE = 0
    OPERATOR = 1
    SITE = 2
    RESEARCHER = 4
    AGGREGATOR = 8


class AccessStatus(IntEnum):
    """Where an access request stands."""

    NONE = 0
    REQUESTED = 1
    GRANTED = 2
    DENIED = 3
    REVOKED = 4


class Phase(IntEnum):
    """What a run is doing."""

    NONE = 0
    GATHERING = 1
    COLLECTING = 2
    PROPOSING = 3
    ATTESTING = 4
    FINAL = 5
    COMPLETED = 6
    ABORTED = 7

    @property
    def is_over(self) -> bool:
        """Tell whether the run has ended, well or not."""
        return self in (Phase.COMPLETED, Phase.ABORTED)


class Inclusion(IntEnum):
    """What a proposal says of a submission, in two bits for each roster position.

    The code 1 is unused; that a position submitted nothing is said by the submissions.
    """

    INCLUDED = 0
    INVALID = 2
    UNAVAILABLE = 3


@dataclass(frozen=True, slots=True)
class Head:
    """Name one block."""

    number: int
    block_hash: Digest
    timestamp: int
    """Seconds since 1970, as the block says."""
    producer: str = ""
    """Account that the block names as its maker; empty where the header does not tell."""


@dataclass(frozen=True, slots=True)
class Application:
    """What an institution says of itself, to be signed by its node's account."""

    account: Address
    name: str
    """Name of the institution, 1 to 64 bytes of UTF-8; never a person's."""
    metadata: Commitment
    encryption_key: bytes
    """X25519 public key, 32 bytes."""
    store_address: str
    """Multiaddress of the site's store; empty if it only dials out."""
    deadline: int
    """Seconds since 1970 after which the application is void."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site as the register holds it."""

    site: SiteId
    account: Address
    standing: Standing
    roles: Role
    account_version: int
    key_version: int
    encryption_key: bytes
    metadata: Commitment


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset as its site registered it."""

    dataset: DatasetId
    site: SiteId
    examples: int
    closed: bool
    description: Commitment
    data: Commitment
    """SHA-256 of a secret salt followed by the data's bytes."""


@dataclass(frozen=True, slots=True)
class Access:
    """A request for access and what became of it."""

    grant: GrantId
    dataset: DatasetId
    researcher: Address
    status: AccessStatus
    expiry: int
    """Seconds since 1970; 0 until granted."""
    run: RunId
    """Run whose consent names this grant; 0 if none does now."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it was opened."""

    run: RunId
    module: Address
    researcher: Address
    plan: Commitment
    initial_model: Commitment


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a plan fixes for the contract; field for field the Solidity struct."""

    rounds: int
    consent_seconds: int
    collect_seconds: int
    reveal_seconds: int
    grace_seconds: int
    propose_seconds: int
    attest_seconds: int
    max_proposals: int
    max_attempts: int
    quorum_basis_points: int
    minimum_sites: int
    target_sites: int
    maximum_sites: int
    minimum_updates: int
    target_updates: int
    straggler_percent: int
    maximum_examples: int
    credits_per_round: int


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run stands; times in seconds since 1970."""

    phase: Phase
    round: RoundNumber
    attempt: int
    proposal: int
    since: int
    deadline: int
    cohort: int
    roster_length: int
    expected: int
    submitted: int
    attested: int
    objected: int
    quorum: int
    final_rounds: int
    credits_granted: int
    consenting: int


@dataclass(frozen=True, slots=True)
class Member:
    """A site's place in a run."""

    position: int
    consenting: bool
    maximum_examples: int
    expiry: int
    grant: GrantId
    submitted_round: RoundNumber
    submitted_attempt: int
    attested_round: RoundNumber
    attested_attempt: int
    attested_proposal: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a final round settled; the contract stores its hash."""

    record: Commitment
    state: Commitment
    credits_root: Digest
    credits_total: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an aggregator proposes to make final."""

    run: RunId
    site: SiteId
    round: RoundNumber
    attempt: int
    number: int
    included: int
    invalid: int
    unavailable: int
    credits_total: int
    record: Commitment
    record_locator: Locator
    state: Commitment
    credits_root: Digest
    inclusion: bytes
    """What does not count, by roster position; see ``pack_inclusion``."""


@dataclass(frozen=True, slots=True)
class CreditAccount:
    """A site's credits of one run."""

    claimed: int
    balance: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction that was mined and did not revert."""

    transaction: Digest
    block: int
    gas_used: int
    created: int = 0
    """Id that the transaction gave out (site, dataset, grant, run), or 0."""


@dataclass(frozen=True, slots=True)
class Modules:
    """The rounds modules of a deployment, each by the plan's word for it."""

    plain: Address
    batched: Address
    sampled: Address
    masked: Address

    def at(self, name: ModuleName) -> Address:
        """Return where a module stands."""
        found: Address = getattr(self, name)
        return found

    def name_of(self, address: Address) -> ModuleName | None:
        """Name the module that stands there; None for one that an operator approved later."""
        names: tuple[ModuleName, ...] = get_args(ModuleName)
        return next((name for name in names if self.at(name) == address), None)


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the contracts of one consortium live; written by ``fednet deploy``."""

    chain_id: int
    genesis_hash: Digest
    block: int
    """Block from which the logs have to be read."""
    site_registry: Address
    data_access: Address
    runs: Address
    credits: Address
    disclosures: Address
    masking: Address
    modules: Modules
    code_hashes: tuple[tuple[str, Digest], ...]
    """Keccak-256 of each contract's code on the chain, by contract name, sorted."""

    def contracts(self) -> dict[str, Address]:
        """Return every contract's address by the contract's name."""
        return {
            "SiteRegistry": self.site_registry,
            "DataAccess": self.data_access,
            "Runs": self.runs,
            "Credits": self.credits,
            "Disclosures": self.disclosures,
            "Masking": self.masking,
            "PlainRounds": self.modules.plain,
            "BatchedRounds": self.modules.batched,
            "SampledRounds": self.modules.sampled,
            "MaskedRounds": self.modules.masked,
        }


def pack_inclusion(verdicts: Mapping[int, Inclusion]) -> bytes:
    """Pack verdicts by roster position: four positions a byte, lowest bits first.

    Trailing zero bytes are left off, so that a proposal that includes every
    submission carries none.
    """
    packed = bytearray(max(verdicts, default=0) // 4 + 1)
    for position, verdict in verdicts.items():
        packed[position // 4] |= int(verdict) << (position % 4 * 2)
    return bytes(packed).rstrip(b"\0")


def unpack_inclusion(packed: bytes, submitted: Collection[int]) -> dict[int, Inclusion] | None:
    """Read the verdict on each position that submitted; None if the bytes are malformed.

    Malformed are an unused code, a verdict on a position that did not submit
    (thereby on any beyond the roster) and a trailing zero byte.
    """
    if packed.endswith(b"\0") or len(packed) > max(submitted, default=0) // 4 + 1:
        return None
    codes = {at: packed[at // 4] >> (at % 4 * 2) & 3 for at in range(len(packed) * 4)}
    excluded = {at: code for at, code in codes.items() if code}
    if 1 in excluded.values() or excluded.keys() - set(submitted):
        return None
    return {at: Inclusion(excluded.get(at, Inclusion.INCLUDED)) for at in submitted}


def turn_position(round_number: int, attempt: int, proposal: int, roster_length: int) -> int:
    """Name the roster position whose site may propose first."""
    return (round_number + attempt + proposal) % roster_length

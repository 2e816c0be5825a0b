"""What a member signs to have its act carried with others, as the digest that is signed (EIP-712).

Both kinds bind the chain, the module, the run, the round and the attempt, so
that no signature can be replayed elsewhere. Who signed is for the ledger to
recover: no key and no curve is known here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from eth_hash.auto import keccak

from fednet.domain.identity import (
    Address,
    Commitment,
    Digest,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)

_DOMAIN_TYPE = keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_NAME, _VERSION = keccak(b"fednet BatchedRounds"), keccak(b"1")
_UPDATE_TYPE = keccak(
    b"Update(uint64 run,uint32 round,uint8 attempt,uint32 site,bytes32 commitment,uint64 weight,"
    b"bytes32 locator)"
)
_ATTESTATION_TYPE = keccak(
    b"Attestation(uint64 run,uint32 round,uint8 attempt,uint8 proposal,uint32 site,"
    b"bytes32 settlement,bytes32 witness)"
)


@dataclass(frozen=True, slots=True)
class Module:
    """The rounds contract that signatures are for."""

    chain_id: int
    address: Address
    _separator: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Hash the domain once: every signature needs it."""
        address = bytes.fromhex(self.address[2:]).rjust(32, b"\0")
        domain = keccak(_DOMAIN_TYPE + _NAME + _VERSION + _word(self.chain_id) + address)
        object.__setattr__(self, "_separator", b"\x19\x01" + domain)

    def digest(self, value: Update | Attestation) -> Digest:
        """Return what is signed."""
        return Digest(keccak(self._separator + keccak(value.words)))


@dataclass(frozen=True, slots=True)
class Update:
    """What a site signs to have its update handed in with others."""

    run: RunId
    round: RoundNumber
    attempt: int
    site: SiteId
    commitment: Commitment
    weight: int
    locator: Locator

    @property
    def words(self) -> bytes:
        """Return the type and the fields as EIP-712 hashes them."""
        head = (self.run, self.round, self.attempt, self.site)
        numbers = b"".join(map(_word, head))
        return _UPDATE_TYPE + numbers + self.commitment + _word(self.weight) + self.locator


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a site signs to have its attestation carried with others."""

    run: RunId
    round: RoundNumber
    attempt: int
    proposal: int
    site: SiteId
    settlement: Digest
    """Of the proposal, as the module stores it; see ``credits.settlement_hash``."""
    witness: Digest

    @property
    def words(self) -> bytes:
        """Return the type and the fields as EIP-712 hashes them."""
        head = (self.run, self.round, self.attempt, self.proposal, self.site)
        return _ATTESTATION_TYPE + b"".join(map(_word, head)) + self.settlement + self.witness


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")

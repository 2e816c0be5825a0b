"""Where the contracts keep what an audit needs, and proofs that they do.

The places follow from ``contracts/rounds/RoundsStore.sol``, from
``contracts/records/RecordLog.sol`` and from Solidity's layout
of mappings (https://docs.soliditylang.org/en/latest/internals/layout_in_storage.html);
a test compares them with what the contract's own views say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

from fednet.domain.identity import ZERO_DIGEST, Address, Digest, RoundNumber, RunId
from fednet.domain.running_hash import KEPT_SIZE_BYTES
from fednet.ledger.proofs import rlp_values
from fednet.ledger.proofs.trie import proven_value

RECORDS_HASH_SLOT = 0
"""Its first 26 bytes are the running hash of a ledger of records."""
_RECORDS_SLOT = 0
_PROGRESS, _SETTLEMENTS = 1, 6
_ACCOUNT_FIELDS = 4


@dataclass(frozen=True, slots=True)
class ProvenAccount:
    """What a state root says of a contract."""

    storage_root: Digest
    code_hash: Digest


def running_hash_slot(run: RunId) -> int:
    """Name the slot whose first 26 bytes are a run's running hash."""
    return _mapped(run, _RECORDS_SLOT) + _PROGRESS


def settlement_slot(run: RunId, round_number: RoundNumber) -> int:
    """Name the slot that holds what a round settled."""
    return _mapped(round_number, _mapped(run, _RECORDS_SLOT) + _SETTLEMENTS)


def running_hash_in(value: Digest) -> Digest:
    """Take the running hash out of its slot."""
    return Digest(value[:KEPT_SIZE_BYTES].ljust(len(value), b"\0"))


def prove_account(
    state_root: Digest, address: Address, proof: Sequence[bytes], subject: str
) -> ProvenAccount | None:
    """Read a contract's storage root and code hash from a proof; None if there is no account.

    Raises:
        VerificationError: The proof does not lead to the state root.
    """
    raw = proven_value(state_root, bytes.fromhex(address[2:]), proof, subject)
    if raw is None:
        return None
    fields = rlp_values.as_list(rlp_values.decode(raw, subject), subject, _ACCOUNT_FIELDS)
    return ProvenAccount(
        storage_root=Digest(rlp_values.as_bytes(fields[2], subject, 32)),
        code_hash=Digest(rlp_values.as_bytes(fields[3], subject, 32)),
    )


def prove_slot(storage_root: Digest, slot: int, proof: Sequence[bytes], subject: str) -> Digest:
    """Read the value of a slot from a proof; zero if nothing was ever put there.

    Raises:
        VerificationError: The proof does not lead to the storage root.
    """
    raw = proven_value(storage_root, slot.to_bytes(32, "big"), proof, subject)
    if raw is None:
        return ZERO_DIGEST
    value = rlp_values.as_int(rlp_values.decode(raw, subject), subject)
    return Digest(value.to_bytes(32, "big"))


def _mapped(key: int, slot: int) -> int:
    place = key.to_bytes(32, "big") + (slot % (1 << 256)).to_bytes(32, "big")
    return int.from_bytes(keccak(place))

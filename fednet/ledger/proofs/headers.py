"""Block headers as bytes: their hashes, and what of them proves anything.

A header is the RLP list of its fields; forks only ever appended to it. JSON-RPC
names the fields, so the list is built again and must hash to the block's hash.
An engine whose own rules cannot be rebuilt this way is told, not trusted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from eth_hash.auto import keccak

from fednet.domain.identity import Address, Digest
from fednet.errors import MalformedBlobError
from fednet.ledger.proofs import rlp_values

MAX_HEADER_SIZE_BYTES = 64 * 1024
_BASE = (
    "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot",
    "logsBloom", "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "extraData",
    "mixHash", "nonce",
)  # fmt: skip
_LATER = (
    "baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas",
    "parentBeaconBlockRoot", "requestsHash",
)  # fmt: skip
"""London, Shanghai, Cancun (three), Prague."""
_NUMBERS = frozenset(
    ("difficulty", "number", "gasLimit", "gasUsed", "timestamp",
     "baseFeePerGas", "blobGasUsed", "excessBlobGas")
)  # fmt: skip
_HASH, _BLOOM, _ACCOUNT = 32, 256, 20


@dataclass(frozen=True, slots=True)
class Header:
    """One header, read from its bytes."""

    raw: bytes
    """RLP of its fields."""
    block_hash: Digest
    parent: Digest
    producer: str
    extra: bytes
    state_root: Digest
    receipts_root: Digest
    bloom: int
    number: int
    timestamp: int

    @classmethod
    def read(cls, raw: bytes, subject: str) -> Self:
        """Read a header from its bytes.

        Raises:
            MalformedBlobError: It is none.
        """
        if len(raw) > MAX_HEADER_SIZE_BYTES:
            raise MalformedBlobError("header is too large", subject=subject, actual=len(raw))
        fields = rlp_values.decode_list(raw, subject)
        if len(fields) < len(_BASE):
            raise MalformedBlobError("header has too few fields", subject=subject)
        value = dict(zip(_BASE, fields, strict=False))
        return cls(
            raw=raw,
            block_hash=Digest(keccak(raw)),
            parent=Digest(rlp_values.as_bytes(value["parentHash"], subject, _HASH)),
            producer="0x" + rlp_values.as_bytes(value["miner"], subject, _ACCOUNT).hex(),
            extra=rlp_values.as_bytes(value["extraData"], subject),
            state_root=Digest(rlp_values.as_bytes(value["stateRoot"], subject, _HASH)),
            receipts_root=Digest(rlp_values.as_bytes(value["receiptsRoot"], subject, _HASH)),
            bloom=int.from_bytes(rlp_values.as_bytes(value["logsBloom"], subject, _BLOOM)),
            number=rlp_values.as_int(value["number"], subject),
            timestamp=rlp_values.as_int(value["timestamp"], subject),
        )

    def may_log(self, masks: Iterable[int]) -> bool:
        """Tell whether an address of these bloom masks may have logged; never wrongly says no."""
        return any(self.bloom & mask == mask for mask in masks)


def header_bytes(block: Mapping[str, Any]) -> bytes | None:
    """Rebuild a header's bytes from JSON-RPC; None if no known form hashes to the block's hash."""
    try:
        wanted = Digest(block["hash"])
        fields: list[object] = [_field(name, block[name]) for name in _BASE]
        forms = [list(fields)]
        for name in _LATER:
            if block.get(name) is None:
                break
            fields.append(_field(name, block[name]))
            forms.append(list(fields))
    except (KeyError, TypeError, ValueError):
        return None
    for form in reversed(forms):
        raw = rlp_values.encode(form)
        if keccak(raw) == wanted:
            return raw
    return None


def bloom_mask(address: Address) -> int:
    """Return the bits that a log of an address sets in a header's bloom filter."""
    digest = keccak(bytes.fromhex(address[2:]))
    mask = 0
    for at in (0, 2, 4):
        mask |= 1 << (int.from_bytes(digest[at : at + 2]) & 2047)
    return mask


def find_break(headers: Sequence[Header]) -> Header | None:
    """Return the first header that does not follow the one before it, if any."""
    for before, header in itertools.pairwise(headers):
        if header.parent != before.block_hash or header.number != before.number + 1:
            return header
    return None


def _field(name: str, value: str) -> bytes | int:
    return int(value, 16) if name in _NUMBERS else bytes.fromhex(value[2:])

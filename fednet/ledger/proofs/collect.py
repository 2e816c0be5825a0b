"""Headers, receipts and storage proofs: where they come from, and how a node gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fednet.domain.identity import Address, Digest
from fednet.errors import LedgerError, MalformedBlobError, VerificationError
from fednet.ledger.proofs.headers import Header, header_bytes
from fednet.ledger.proofs.receipts import receipt_bytes
from fednet.ledger.rpc import Json, Rpc, RpcRefusedError

_AT_ONCE = 100
"""Requests in one batch."""


@dataclass(frozen=True, slots=True)
class BlockReceipts:
    """Every receipt of one block, in order, and the hashes of their transactions."""

    receipts: tuple[bytes, ...]
    transactions: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class StorageProof:
    """The nodes that lead from a state root to a contract and to some of its slots."""

    account: tuple[bytes, ...]
    slots: Mapping[int, tuple[bytes, ...]]


class Unprovable(Exception):
    """Say why a chain's blocks cannot be proven here; never leaves the ledger."""


class ProofSource(Protocol):
    """Give what proves; raises `Unprovable` where that cannot be had."""

    def headers(self, first: int, last: int) -> Sequence[Header]:
        """Give the headers of a range of blocks, both ends included.

        Raises:
            VerificationError: One of them is not the header of its block's hash.
        """
        ...

    def receipts(self, numbers: Sequence[int]) -> Mapping[int, BlockReceipts]:
        """Give all receipts of some blocks; a block may be left out."""
        ...

    def storage(self, address: Address, slots: Sequence[int], block: int) -> StorageProof:
        """Give the proof of some slots of a contract at a block."""
        ...


class RpcSource:
    """Ask a node; its answers are kept only as long as one call lasts."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._transactions: dict[int, list[str]] = {}

    def headers(self, first: int, last: int) -> Sequence[Header]:
        found: list[Header] = []
        for start in range(first, last + 1, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, last + 1))
            for number, block in zip(numbers, self._blocks(numbers), strict=True):
                raw = header_bytes(block) if isinstance(block, dict) else None
                if raw is None and not found:
                    raise Unprovable(f"the hash of block {number} follows no known rule")
                if raw is None:
                    raise VerificationError(
                        "the header does not hash to the block's hash", subject=f"block {number}"
                    )
                header = Header.read(raw, f"block {number}")
                self._transactions[header.number] = [str(each) for each in block["transactions"]]
                found.append(header)
        return found

    def receipts(self, numbers: Sequence[int]) -> Mapping[int, BlockReceipts]:
        found: dict[int, BlockReceipts] = {}
        for start in range(0, len(numbers), _AT_ONCE):
            wanted = numbers[start : start + _AT_ONCE]
            for number, raw in zip(wanted, self._receipts(wanted), strict=True):
                found[number] = _block_receipts(number, raw)
        return found

    def storage(self, address: Address, slots: Sequence[int], block: int) -> StorageProof:
        keys = ["0x" + slot.to_bytes(32, "big").hex() for slot in slots]
        try:
            answer = self._rpc.call("eth_getProof", address, keys, hex(block))
            return StorageProof(
                account=_nodes(answer["accountProof"]),
                slots={
                    slot: _nodes(entry["proof"])
                    for slot, entry in zip(slots, answer["storageProof"], strict=True)
                },
            )
        except RpcRefusedError as exc:
            raise Unprovable(f"the node proves no storage: {exc.text[:80]}") from exc
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise Unprovable("the node's proof of storage cannot be read") from exc

    def _blocks(self, numbers: Sequence[int]) -> list[Json]:
        try:
            return self._rpc.batch(
                *(("eth_getBlockByNumber", hex(number), False) for number in numbers)
            )
        except RpcRefusedError as exc:
            raise LedgerError("the chain refuses", subject="headers", actual=exc.text) from exc

    def _receipts(self, numbers: Sequence[int]) -> list[Json]:
        """Ask by block, or one by one where a node does not know the better way."""
        try:
            return self._rpc.batch(*(("eth_getBlockReceipts", hex(number)) for number in numbers))
        except RpcRefusedError:
            pass
        hashes = [name for number in numbers for name in self._transactions.get(number, ())]
        answers: list[Json] = []
        try:
            for start in range(0, len(hashes), _AT_ONCE):
                wanted = hashes[start : start + _AT_ONCE]
                answers += self._rpc.batch(
                    *(("eth_getTransactionReceipt", each) for each in wanted)
                )
        except RpcRefusedError as exc:
            raise LedgerError("the chain refuses", subject="receipts", actual=exc.text) from exc
        rest = iter(answers)
        return [[next(rest) for _ in self._transactions.get(number, ())] for number in numbers]


def _block_receipts(number: int, raw: Json) -> BlockReceipts:
    try:
        return BlockReceipts(
            receipts=tuple(receipt_bytes(each) for each in raw),
            transactions=tuple(Digest(each["transactionHash"]) for each in raw),
        )
    except (KeyError, TypeError, MalformedBlobError) as exc:
        raise LedgerError(
            "the chain's receipts cannot be read", subject=f"block {number}", actual=str(exc)[:200]
        ) from exc


def _nodes(raw: Json) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(node.removeprefix("0x")) for node in raw)

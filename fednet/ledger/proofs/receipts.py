"""Receipts as bytes (EIP-2718), the root that a header holds, and the logs in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eth_utils.address import to_checksum_address

from fednet.domain.events import Log
from fednet.domain.identity import Address, Digest
from fednet.errors import MalformedBlobError
from fednet.ledger.proofs import rlp_values
from fednet.ledger.proofs.trie import list_root

_MAX_TYPE = 0x7F
_FIELDS, _LOG_FIELDS = 4, 3


def receipt_bytes(receipt: Mapping[str, Any]) -> bytes:
    """Rebuild a receipt's bytes from JSON-RPC.

    Raises:
        MalformedBlobError: It lacks a field.
    """
    try:
        kind = int(receipt.get("type") or "0x0", 16)
        status = receipt.get("status")
        outcome: object = int(status, 16) if status is not None else _raw(receipt["root"])
        body = rlp_values.encode(
            [
                outcome,
                int(receipt["cumulativeGasUsed"], 16),
                _raw(receipt["logsBloom"]),
                [
                    [_raw(log["address"]), [_raw(topic) for topic in log["topics"]],
                     _raw(log["data"])]
                    for log in receipt["logs"]
                ],
            ]
        )  # fmt: skip
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise MalformedBlobError("the chain's receipt cannot be read", actual=str(exc)) from exc
    return bytes((kind,)) + body if kind else body


def receipts_root(receipts: Sequence[bytes]) -> Digest:
    """Compute the root that the header of a block with these receipts holds."""
    return Digest(list_root(receipts))


def logs_of(block: int, receipts: Sequence[bytes], transactions: Sequence[Digest]) -> Iterator[Log]:
    """Read every log of a block from its receipts, in order.

    Args:
        block: Number of the block.
        receipts: All its receipts, in order.
        transactions: Hash of each receipt's transaction, which no receipt proves.

    Raises:
        MalformedBlobError: One is no receipt.
    """
    index = 0
    for receipt, transaction in zip(receipts, transactions, strict=True):
        subject = f"receipt of transaction {transaction}"
        for raw in _logs(receipt, subject):
            address, topics, data = rlp_values.as_list(raw, subject, _LOG_FIELDS)
            yield Log(
                block=block,
                index=index,
                transaction=transaction,
                contract=Address(to_checksum_address(rlp_values.as_bytes(address, subject, 20))),
                topics=tuple(
                    rlp_values.as_bytes(topic, subject, 32)
                    for topic in rlp_values.as_list(topics, subject)
                ),
                data=rlp_values.as_bytes(data, subject),
            )
            index += 1


def _logs(receipt: bytes, subject: str) -> list[rlp_values.Rlp]:
    if not receipt:
        raise MalformedBlobError("receipt is empty", subject=subject)
    body = receipt[1:] if receipt[0] <= _MAX_TYPE else receipt
    fields = rlp_values.as_list(rlp_values.decode(body, subject), subject, _FIELDS)
    return rlp_values.as_list(fields[3], subject)


def _raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))

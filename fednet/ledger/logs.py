"""Read logs in ranges of blocks, halving a range that a provider finds too large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fednet.domain.events import Log
from fednet.domain.identity import Address
from fednet.errors import LedgerError
from fednet.ledger.codec import read_log
from fednet.ledger.rpc import Rpc, RpcRefusedError

_TOO_MANY_BLOCKS = ("range", "limit", "too many", "more than", "too large", "exceed", "timeout")


class LogReader:
    """Read the logs of some contracts, in the order of the chain."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._span: int | None = None
        """Blocks that the provider takes at once; None while it took all."""

    def read(
        self,
        addresses: Sequence[Address],
        topics: Sequence[object],
        first_block: int,
        last_block: int,
    ) -> list[Log]:
        """Read from the first block to the last, both included.

        Raises:
            LedgerError: The provider refuses even one block.
            LedgerUnavailableError: It does not answer.
        """
        found: list[Log] = []
        block = first_block
        while block <= last_block:
            span = last_block - block + 1 if self._span is None else self._span
            last = min(block + span - 1, last_block)
            try:
                found.extend(self._range(addresses, topics, block, last))
            except RpcRefusedError as exc:
                if last == block or not _is_too_large(exc):
                    raise LedgerError(
                        "the chain does not give its logs",
                        subject=f"blocks {block} to {last}",
                        actual=exc.text,
                        hint="the provider must serve eth_getLogs from the deployment's block on",
                    ) from exc
                self._span = (last - block + 1) // 2
                continue
            block = last + 1
        return found

    def _range(
        self, addresses: Sequence[Address], topics: Sequence[object], first: int, last: int
    ) -> Iterator[Log]:
        raw = self._rpc.call(
            "eth_getLogs",
            {
                "address": list(addresses),
                "topics": list(topics),
                "fromBlock": hex(first),
                "toBlock": hex(last),
            },
        )
        return map(read_log, raw)


def _is_too_large(exc: RpcRefusedError) -> bool:
    text = exc.text.lower()
    return exc.code == -32005 or any(word in text for word in _TOO_MANY_BLOCKS)

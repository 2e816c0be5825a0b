"""A node that speaks of one block only: recorded while a bundle is made, played back from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fednet.domain.events import Log
from fednet.domain.ledger import Head
from fednet.ledger.bundle.contents import StateForm
from fednet.ledger.proofs.headers import Header
from fednet.ledger.rpc import Json, Rpc, RpcRefusedError

_SILENT = "the bundle holds no answer to this"


class RecordingRpc:
    """Pass requests on as of one block, and keep what views and code answered."""

    def __init__(self, rpc: Rpc, head: Head) -> None:
        self._rpc = rpc
        self._tag = hex(head.number)
        self.calls: dict[tuple[str, str], str] = {}
        self.code: dict[str, str] = {}

    @property
    def connections(self) -> int:
        """Count the connections made."""
        return self._rpc.connections

    def call(self, method: str, *params: object) -> Json:
        return self._keep(method, params, self._rpc.call(method, *self._pinned(params)))

    def batch(self, *calls: tuple[Json, ...]) -> list[Json]:
        pinned = [(method, *self._pinned(params)) for method, *params in calls]
        answers = self._rpc.batch(*pinned)
        return [
            self._keep(method, params, answer)
            for (method, *params), answer in zip(calls, answers, strict=True)
        ]

    def close(self) -> None:
        self._rpc.close()

    def _pinned(self, params: Sequence[object]) -> list[object]:
        return [self._tag if each == "latest" else each for each in params]

    def _keep(self, method: str, params: Sequence[Any], answer: Json) -> Json:
        if method == "eth_call":
            self.calls[_key(params[0])] = answer
        elif method == "eth_getCode":
            self.code[str(params[0]).lower()] = answer
        return answer


class RecordedRpc:
    """Answer from what a bundle holds, and refuse everything else."""

    connections = 1

    def __init__(
        self, state: StateForm, head: Head, headers: Mapping[int, Header], logs: Iterable[Log]
    ) -> None:
        self._state, self._head, self._headers = state, head, headers
        self._logs = [log_json(log) for log in logs]
        self._calls = {(call.to, call.data): call.result for call in state.calls}
        self._blocks = {int(str(block.get("number")), 16): block for block in state.blocks}

    def call(self, method: str, *params: object) -> Json:
        answer = self._answer(method, params)
        if answer is None:
            raise RpcRefusedError(method, {"message": _SILENT})
        return answer

    def batch(self, *calls: tuple[Json, ...]) -> list[Json]:
        return [self.call(method, *params) for method, *params in calls]

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self, method: str, params: Sequence[Any]) -> Json:
        match method:
            case "eth_chainId":
                return hex(self._state.chain_id)
            case "eth_getCode":
                return self._state.code.get(str(params[0]).lower(), "0x")
            case "eth_call":
                return self._calls.get(_key(params[0]))
            case "eth_getBlockByNumber":
                return self._block(str(params[0]))
            case "eth_getLogs":
                return [log for log in self._logs if _is_wanted(log, params[0])]
            case _:
                return None

    def _block(self, tag: str) -> Json:
        if tag == "0x0":
            return self._known(0) | {"hash": "0x" + self._state.genesis_hash}
        number = self._head.number if tag == "latest" else int(tag, 16)
        known = self._known(number)
        if tag == "latest":
            # What the bundle names as its head; that the headers lead there is for the proof.
            known |= {"number": hex(number), "hash": "0x" + self._head.block_hash.hex(),
                      "timestamp": hex(self._head.timestamp)}  # fmt: skip
        return known or None

    def _known(self, number: int) -> dict[str, Any]:
        header = self._headers.get(number)
        if header is None:
            return dict(self._blocks.get(number, {}))
        return {
            "number": hex(header.number),
            "hash": "0x" + header.block_hash.hex(),
            "timestamp": hex(header.timestamp),
            "miner": header.producer,
            "extraData": "0x" + header.extra.hex(),
        }


def log_json(log: Log) -> dict[str, Any]:
    """Write a log as JSON-RPC does."""
    return {
        "blockNumber": hex(log.block),
        "logIndex": hex(log.index),
        "transactionHash": "0x" + log.transaction.hex(),
        "address": log.contract,
        "topics": ["0x" + topic.hex() for topic in log.topics],
        "data": "0x" + log.data.hex(),
    }


def _key(transaction: Mapping[str, Any]) -> tuple[str, str]:
    return str(transaction["to"]).lower(), str(transaction["data"])


def _is_wanted(log: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
    if not first <= int(log["blockNumber"], 16) <= last:
        return False
    if str(log["address"]).lower() not in {str(each).lower() for each in query["address"]}:
        return False
    for at, wanted in enumerate(query["topics"]):
        if wanted is None:
            continue
        allowed = [wanted] if isinstance(wanted, str) else wanted
        if at >= len(log["topics"]) or log["topics"][at] not in allowed:
            return False
    return True

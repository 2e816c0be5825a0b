"""Flower's SecAgg+ without its network: its own server workflow and client modifier, in turn.

Runs where the package `flwr` can be imported, which is not here: `benchmarks.masking`
installs it aside and starts this file with its folder on the path. Prints the
seconds of the whole protocol on the clock and on processors, the bytes that a site
uploads, and by how much the mean is off. It knows nothing of fednet.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from typing import Any

import flwr.compat.common.recorddict_compat as compat
import numpy as np
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.client.mod.secure_aggregation.secaggplus_mod import secaggplus_mod
from flwr.common import (
    Code,
    FitIns,
    FitRes,
    Status,
    ndarrays_to_parameters,
    parameters_to_ndarrays,
)
from flwr.common.secure_aggregation.secaggplus_constants import (
    RECORD_KEY_CONFIGS,
    Key,
    Stage,
)
from flwr.server.compat.legacy_context import LegacyContext
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD
from flwr.server.workflow.constant import Key as WorkflowKey
from flwr.server.workflow.secure_aggregation.secaggplus_workflow import SecAggPlusWorkflow
from flwr.supercore.task_identity import TaskIdentity

WEIGHT = 500
LATE_STAGES = (Stage.COLLECT_MASKED_VECTORS, Stage.UNMASK)


class Grid:
    """Hand each message to its site at once; some are away from the masked updates on."""

    def __init__(self, updates: dict[int, np.ndarray[Any, Any]], gone: frozenset[int]) -> None:
        self._updates, self._gone = updates, gone
        self._contexts = {node: Context(node, node, {}, RecordDict(), {}) for node in updates}
        self.upload_bytes = 0

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        """Return the sites' replies."""
        replies = []
        for message in messages:
            node = message.metadata.dst_node_id
            # The modifier takes its orders out of the message; a network would have copied them.
            orders = ConfigRecord(dict(message.content.config_records[RECORD_KEY_CONFIGS]))
            content = RecordDict(dict(message.content) | {RECORD_KEY_CONFIGS: orders})
            message = Message(content, metadata=message.metadata)
            stage = orders[Key.STAGE]
            if node in self._gone and stage in LATE_STAGES:
                continue
            reply = secaggplus_mod(message, self._contexts[node], self._train)
            answer = reply.content.config_records[RECORD_KEY_CONFIGS]
            if Key.MASKED_PARAMETERS in answer:
                self.upload_bytes = sum(map(len, answer[Key.MASKED_PARAMETERS]))
            replies.append(reply)
        return replies

    def _train(self, message: Message, context: Context) -> Message:
        result = FitRes(
            Status(Code.OK, ""),
            ndarrays_to_parameters([self._updates[context.node_id]]),
            WEIGHT,
            {},
        )
        return Message(compat.fitres_to_recorddict(result, keep_input=True), reply_to=message)


class Proxy:
    """Stand for one site."""

    def __init__(self, node: int) -> None:
        self.node_id = node


class Strategy:
    """Choose every site, and keep the mean."""

    def __init__(self, nodes: Iterable[int]) -> None:
        self._nodes = list(nodes)
        self.mean: np.ndarray[Any, Any] | None = None

    def configure_fit(self, number: int, parameters: object, manager: object) -> list[Any]:
        """Ask every site."""
        return [(Proxy(node), FitIns(parameters, {})) for node in self._nodes]

    def aggregate_fit(
        self, number: int, results: list[Any], failures: list[Any]
    ) -> tuple[Any, Any]:
        """Take the mean, which every result holds by now."""
        (self.mean,) = parameters_to_ndarrays(results[0][1].parameters)
        return results[0][1].parameters, {}


class Manager:
    """Say how many sites there are."""

    def __init__(self, count: int) -> None:
        self._count = count

    def num_available(self) -> int:
        """Return the number."""
        return self._count


def main() -> int:
    """Play once and print what came of it."""
    sites, count, vanishing, threshold = map(int, sys.argv[1:])
    nodes = list(range(1, sites + 1))
    updates = {
        node: np.random.default_rng(node).standard_normal(count).astype(np.float32)
        * np.float32(0.1)
        for node in nodes
    }
    gone = frozenset(nodes[:vanishing])
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 0, 0
    grid, strategy = Grid(updates, gone), Strategy(nodes)
    context = Context(0, 0, {}, RecordDict(), {})
    legacy = LegacyContext(context, None, strategy, Manager(sites))
    legacy.state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({WorkflowKey.CURRENT_ROUND: 1})
    empty = ndarrays_to_parameters([np.zeros(1, np.float32)])
    legacy.state.array_records[MAIN_PARAMS_RECORD] = compat.parameters_to_arrayrecord(empty, True)
    workflow = SecAggPlusWorkflow(1.0, threshold, max_weight=float(WEIGHT), clipping_range=1.0)
    began, worked = time.perf_counter(), time.process_time()
    workflow(grid, legacy)
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    if strategy.mean is None:
        raise RuntimeError("Flower's protocol gave no mean")
    expected = np.mean([updates[node] for node in nodes if node not in gone], axis=0)
    error = float(np.abs(strategy.mean - expected).max())
    found = {"seconds": seconds, "work": work, "upload_bytes": grid.upload_bytes, "error": error}
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

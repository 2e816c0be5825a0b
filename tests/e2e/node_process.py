"""Run one node in a process of its own, without torch; killed on request.

``FEDNET_TEST_CRASHES`` names points such as ``3:submit:after``: in round 3 the
process kills itself as soon as the submission has been mined. Each point is
used once: a file in the node's home remembers it. Product code knows nothing
of this; the points sit in the adapters that are handed to the node.
``FEDNET_TEST_NAP`` says from which round on training yields nothing for how long, as ``3:60``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from eth_account import Account

from fednet.airlock import Airlock
from fednet.blobs import EmbeddedStore
from fednet.codec.files import TensorFile
from fednet.domain.identity import Commitment, SiteId
from fednet.domain.plan import Plan
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Place
from fednet.errors import TrainingError
from fednet.ledger.deployment import read_deployment
from fednet.ledger.reader import Web3Reader
from fednet.ledger.writer import Web3Writer
from fednet.node import (
    CheckpointBook,
    CheckpointKeeper,
    Journal,
    Node,
    NodeSettings,
    Progress,
    SaltedData,
    SiteKeys,
    SiteTools,
    StatusFile,
    TrainingResult,
    run_until_signal,
)
from fednet.node.encrypting import shared_keys
from fednet.privacy.sealing import EncryptionKeys, KeyStore
from tests.e2e.consortium import PASSWORD

EXAMPLES = 100
CONTENT_KEYS = "content-keys"
SHARED_KEYS = "shared-keys"
CHECKPOINTS = "checkpoints.jsonl"


class NoTraining:
    """Answer at once with a small difference that depends on site and place alone.

    Args:
        nap: From which round on nothing is trained for a while, and for how many seconds;
            empty: never.
    """

    def __init__(self, nap: str = "") -> None:
        round_number, _, seconds = nap.partition(":")
        self._nap_round, self._nap_seconds = int(round_number or 0), float(seconds or 0)
        self._awake_at = 0.0

    def digest(self, plan: Plan) -> Commitment:
        return Commitment(plan.task.digest)

    def train(
        self,
        plan: Plan,
        base_state_path: Path,
        place: Place,
        site: SiteId,
        out_dir: Path,
        kept: Mapping[str, FloatArray],
        part: int | None,
        halt: Event,
    ) -> TrainingResult:
        self._nap(place.round, halt)
        with TensorFile(base_state_path, "base") as base:
            shapes = {spec.name: spec.shape for spec in base.layout.tensors}
        generator = np.random.default_rng([site, place.round, place.attempt])
        arrays = {
            name: generator.random(shape, np.float32) * np.float32(0.01)
            for name, shape in shapes.items()
        }
        return TrainingResult(arrays, EXAMPLES * site)

    def _nap(self, round_number: int, halt: Event) -> None:
        if self._nap_round and round_number >= self._nap_round:
            self._awake_at = self._awake_at or time.monotonic() + self._nap_seconds
            if halt.wait(max(0.0, self._awake_at - time.monotonic())):
                raise TrainingError("halted", subject=f"round {round_number}")


class Crashes:
    """Where this process is to die."""

    def __init__(self, points: str, home: Path) -> None:
        self._points = [point for point in points.split(",") if point]
        self._home = home
        self.round = 0

    def at(self, name: str, of: int | None) -> None:
        """Die here if that is asked for, and has not happened before."""
        for point in self._points:
            round_number, _, place = point.partition(":")
            mark = self._home / f"crashed-{point.replace(':', '-')}"
            if int(round_number) == (of or self.round) and place == name and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)

    def report(self, progress: Progress) -> None:
        """Notice which round it is."""
        if progress.round:
            self.round = progress.round


def round_of(name: str, arguments: Sequence[Any]) -> int | None:
    """Tell which round a call is about, where it says so: votes may come late."""
    if name in ("submit", "attest"):
        return int(arguments[2])
    rounds = [each.round for each in arguments if hasattr(each, "round")]
    return int(rounds[0]) if rounds else None


class Wrapped:
    """Pass every call on, through the points before and after it."""

    def __init__(self, target: object, crashes: Crashes) -> None:
        self._target = target
        self._crashes = crashes

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*arguments: object, **named: object) -> object:
            round_number = round_of(name, arguments)
            self._crashes.at(f"{name}:before", round_number)
            result = found(*arguments, **named)
            self._crashes.at(f"{name}:after", round_number)
            return result

        return call


def build(config: dict[str, Any], store: EmbeddedStore, crashes: Crashes) -> SiteTools:
    """Put the site's tools together."""
    home, site = Path(config["home"]), SiteId(config["site"])
    deployment = read_deployment(Path(config["deployment"]))
    reader = Web3Reader(deployment, config["url"])
    writer: Any = Wrapped(Web3Writer(reader, Account.from_key(config["key"])), crashes)
    journal: Any = Wrapped(Journal(home / "journal", deployment, site), crashes)
    blobs: Any = Wrapped(store, crashes)
    trainer: Any = Wrapped(NoTraining(os.environ.get("FEDNET_TEST_NAP", "")), crashes)
    poll = config["poll_seconds"]
    status = StatusFile(home / "status.json", site)
    log = (home / "node.log").open("a", buffering=1)

    def report(progress: Progress) -> None:
        crashes.report(progress)
        status(progress)
        log.write(f"{progress}\n")

    return SiteTools(
        site=site,
        reader=reader,
        writer=writer,
        blobs=blobs,
        trainer=trainer,
        data=SaltedData(home / "data.csv", home / "salt"),
        airlock=Airlock(),
        journal=journal,
        folder=home / "runs",
        settings=replace(NodeSettings(), poll_seconds=poll),
        report=report,
        checkpoints=CheckpointKeeper(CheckpointBook(home / CHECKPOINTS), reader, writer, site),
        bus=store.bus,
        keys=SiteKeys(
            KeyStore(home / CONTENT_KEYS, site),
            EncryptionKeys(home / "keystores", PASSWORD).holding,
        ),
        shared_key=shared_keys(home / SHARED_KEYS),
    )


def main() -> None:
    """Run until a signal comes."""
    config = json.loads(Path(sys.argv[1]).read_text())
    home = Path(config["home"])
    crashes = Crashes(os.environ.get("FEDNET_TEST_CRASHES", ""), home)
    store = EmbeddedStore(
        home / "store", home / "cache", swarm_key=bytes.fromhex(config["swarm_key"])
    )
    try:
        run_until_signal(Node(build(config, store, crashes)))
    finally:
        store.close()


if __name__ == "__main__":
    main()

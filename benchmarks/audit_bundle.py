"""Audit an exported bundle of five rounds, ten sites and ten million parameters (about 2 GB).

Its speed is compared with `sha256sum` plus one NumPy sum over the same blobs, by two
processes on the same two cores in the same run. The same run is then audited through
an embedded Kubo. Contracts are real, on Anvil; updates are made by hand, untrained.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks._figures import show
from benchmarks._updates import peak_bytes
from fednet.aggregation import aggregate, begin_digest
from fednet.audit import evidence, judging, recomputation
from fednet.audit.replay import audit_run
from fednet.blobs import EmbeddedStore, new_swarm_key
from fednet.blobs.bundled import BundledStore
from fednet.codec import judge_update
from fednet.domain.blobs import BlobStore
from fednet.ledger.bundle.export import export_run
from fednet.ledger.bundle.reader import BundleReader
from fednet.ledger.chains import LocalChain

MINUTES = 2, 2
SITES, ROUNDS, ELEMENTS = 10, 5, 10_000_000
MODEL_SIZE_BYTES = ELEMENTS * 4
LEAST_SPEED = 0.5
MOST_MODELS = 4.0
CORES = 2
REPEATS = 3
"""Yardstick and audit take turns, and the best of each counts: others may use the machine."""
_SUM = "import sys, numpy as np\nfor name in sys.argv[1:]: np.fromfile(name, np.float32).sum()"
_MIB = 1 << 20


def main() -> int:
    """Print the rows, each as JSON; with a name, do one part in a process of its own."""
    if len(sys.argv) > 1:
        return _part(sys.argv[1], Path(sys.argv[2]))
    with tempfile.TemporaryDirectory(prefix="fednet-bench-") as name:
        folder = Path(name)
        _child("make", folder)
        blobs = sorted((folder / "made").iterdir())
        size_bytes = sum(path.stat().st_size for path in blobs)
        yardsticks, audits = [], []
        for _ in range(REPEATS):
            yardsticks.append(_yardstick(blobs))
            audits.append(_child("bundle", folder))
        speed = size_bytes / min(yardsticks)
        best = min(audits, key=lambda row: row["seconds"])
        _row("sha256sum and NumPy sum, two processes", speed / 1e6, "MB/s")
        _row("bundle of 2 GB: bytes a second", size_bytes / best["seconds"] / 1e6, "MB/s")
        _row("bundle of 2 GB: bytes a second over those of sha256sum and NumPy",
             size_bytes / best["seconds"] / speed, "", at_least=LEAST_SPEED)  # fmt: skip
        _row("bundle of 2 GB: peak memory above that after imports",
             max(row["models"] for row in audits), "models", at_most=MOST_MODELS)  # fmt: skip
        _steps("bundle", best)
        kubo = _child("kubo", folder)
        _row("embedded Kubo: bytes a second", size_bytes / kubo["seconds"] / 1e6, "MB/s")
        _steps("embedded Kubo", kubo)
    return 0


def _row(
    figure: str,
    value: float,
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> None:
    show("audit_bundle", figure, round(value, 3), unit, at_most=at_most, at_least=at_least)


def _steps(name: str, row: dict[str, float]) -> None:
    """Print where the time goes; steps overlap, so that they add up to more than the whole."""
    for step in ("fetch", "intake", "combine", "digest"):
        _row(f"{name}: {step}, summed over threads", row[step], "s")
    _row(f"{name}: in all", row["seconds"], "s")


def _child(part: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.audit_bundle", part, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _yardstick(blobs: list[Path]) -> float:
    """Time two processes, each of which hashes and sums half of the blobs."""
    halves = [[str(path) for path in blobs[at::CORES]] for at in range(CORES)]
    began = time.perf_counter()
    running = [
        subprocess.Popen(
            ["/bin/sh", "-c", 'code=$1; python=$2; shift 2; sha256sum "$@" && '
             '"$python" -c "$code" "$@"', "sh", _SUM, sys.executable, *half],
            stdout=subprocess.DEVNULL,
        )
        for half in halves
    ]  # fmt: skip
    for process in running:
        if process.wait():
            raise RuntimeError("the yardstick failed")
    return time.perf_counter() - began


def _part(part: str, folder: Path) -> int:
    result: dict[str, float] = {}
    if part == "make":
        _make(folder)
    else:
        audit = _audit_bundle if part == "bundle" else _audit_kubo
        result = audit(folder)
    print(json.dumps(result))
    return 0


def _make(folder: Path) -> None:
    """Play the run and export it; leaves the bundle, and the blobs as files."""
    from tests.chain_fixtures import deploy_world
    from tests.handmade import HandmadeRun

    made_folder = folder / "made"
    made_folder.mkdir()
    chain = LocalChain("anvil", folder / "chain")
    chain.start()
    try:
        world = deploy_world(chain)
        made = HandmadeRun(world, made_folder, SITES, ROUNDS, ELEMENTS)
        made.play(ROUNDS)
        with closing(made.store()) as store:
            export_run(world.reader, made.run, folder / "run.fednet", store, fetch_seconds=60.0)
    finally:
        chain.stop()


def _audit_bundle(folder: Path) -> dict[str, float]:
    reader = BundleReader(folder / "run.fednet")
    with closing(BundledStore(reader.spans(), folder)) as store:
        return _audit(reader, store, folder)


def _audit_kubo(folder: Path) -> dict[str, float]:
    """Publish the blobs to one node, and audit from it with an empty cache."""
    repo, reader = folder / "repo", BundleReader(folder / "run.fednet")
    key = new_swarm_key()
    with closing(EmbeddedStore(repo, folder / "publishing", swarm_key=key)) as store:
        for path in sorted((folder / "made").iterdir()):
            store.publish(path)
            path.unlink()
    with closing(EmbeddedStore(repo, folder / "cache", swarm_key=key)) as store:
        return _audit(reader, store, folder)


def _audit(reader: BundleReader, store: BlobStore, folder: Path) -> dict[str, float]:
    spent: dict[str, float] = {}
    with _timed(spent):
        before = peak_bytes()
        began = time.perf_counter()
        report = audit_run(reader, store, reader.run_id, work_dir=folder)
        seconds = time.perf_counter() - began
    if not report.verified:
        raise RuntimeError(f"the audit found {[each.code for each in report.findings]}")
    models = (peak_bytes() - before) / MODEL_SIZE_BYTES
    return {"seconds": seconds, "models": models} | spent


@contextmanager
def _timed(spent: dict[str, float]) -> Iterator[None]:
    """Measure the steps of an audit where they are called."""
    from unittest.mock import patch

    def timing(step: str, function: object) -> object:
        spent[step] = 0.0

        def timed(*arguments: object, **named: object) -> object:
            began = time.perf_counter()
            try:
                return function(*arguments, **named)  # type: ignore[operator]
            finally:
                spent[step] += time.perf_counter() - began

        return timed

    with (
        patch.object(evidence.Evidence, "_fetch", timing("fetch", evidence.Evidence._fetch)),
        patch.object(judging, "judge_update", timing("intake", judge_update)),
        patch.object(recomputation, "aggregate", timing("combine", aggregate)),
        patch.object(recomputation, "begin_digest", timing("digest", begin_digest)),
    ):
        yield


if __name__ == "__main__":
    sys.exit(main())

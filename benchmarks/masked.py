"""Masked rounds beside plain ones on a real chain and store: what is learnt is the same.

Ten virtual sites learn digits twice, by plain rounds and by masked ones, from the same
model, with the same order of records in each training. So all that is left between the
two is that a masked update stands in whole steps of a ring.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

import numpy as np

from benchmarks._figures import is_full, show, tell
from fednet.airlock import Airlock
from fednet.cli import rehearsing, variants
from fednet.domain.history import RunHistory
from fednet.domain.identity import Address, Commitment, RoundNumber, RunId, SiteId
from fednet.domain.plan import Plan
from fednet.domain.tensors import FloatArray, decode_tensors
from fednet.domain.update import Place
from fednet.node.ports import TrainerPort, TrainingResult
from fednet.simulation import Member, Partition, Scenario

MINUTES = 1, 2
TASK, SITES, ROUNDS = "digits", 10, {False: 8, True: 20}
WAYS = "fedavg", "masked"
MOST_DIFFERENCE = 0.005


class SameOrder:
    """A site's trainer whose order of records does not depend on the run or its contract."""

    def __init__(self, trainer: TrainerPort) -> None:
        self._trainer = trainer

    def digest(self, plan: Plan) -> Commitment:
        """Return the digest of the task's code."""
        return self._trainer.digest(plan)

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
        """Train as in a run that both have in common."""
        common = replace(place, contract=Address("0x" + "00" * 20), run=RunId(1))
        return self._trainer.train(plan, base_state_path, common, site, out_dir, kept, part, halt)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What one way led to."""

    accuracy: Sequence[float]
    """After each round."""
    state: FloatArray
    """After the last one."""
    seconds: float


def main(argv: Sequence[str] | None = None) -> int:
    """Print the accuracy of both, and how far they ever are apart."""
    rounds = ROUNDS[is_full(__doc__, argv)]
    scenario = Scenario(SITES, Partition.parse("iid"), None, seed=0)
    with (
        tempfile.TemporaryDirectory(prefix="fednet-bench-") as name,
        rehearsing.staged(scenario, TASK, Path(name, "home"), lambda step: None) as stage,
    ):
        plain, masked = (learn(stage, way, rounds) for way in WAYS)
    at = f"{SITES} sites, {TASK}, {rounds} rounds"
    show("masked", f"accuracy of plain rounds, {at}", round(plain.accuracy[-1], 4))
    show("masked", f"accuracy of masked rounds, {at}", round(masked.accuracy[-1], 4))
    apart = np.abs(np.subtract(plain.accuracy, masked.accuracy)).max()
    most = MOST_DIFFERENCE
    kept = show("masked", f"largest difference after any round, {at}", float(apart), at_most=most)
    off = np.abs(plain.state - masked.state).max()
    show("masked", f"largest difference of a parameter in the end, {at}", float(off))
    show("masked", f"a plain round, {at}", round(plain.seconds / rounds, 3), "s")
    show("masked", f"a masked round, {at}", round(masked.seconds / rounds, 3), "s")
    return 0 if kept else 1


def learn(stage: rehearsing.Stage, way: str, rounds: int) -> Learnt:
    """Play a run one way, to its end."""

    def equip(member: Member, trainer: TrainerPort) -> tuple[TrainerPort, Airlock]:
        return SameOrder(trainer), Airlock()

    def watch(number: RoundNumber, metrics: Mapping[str, float]) -> None:
        tell("masked", f"{way}: {number} of {rounds}")

    raw = variants.lay_out(way, stage.scenario, rounds, {}, None)
    played = rehearsing.play(stage, raw, equip, watch)
    history = RunHistory(played.run)
    history.extend(stage.reader.run_events(played.run))
    final = history.rounds[RoundNumber(rounds)].final_proposal
    if final is None:
        raise RuntimeError(f"{way}: no final round {rounds}")
    folder = stage.app.home / "runs" / f"run-{played.run}"
    path = folder / f"{final.proposed.state}.safetensors"
    arrays = decode_tensors(path.read_bytes(), "last state")[0]
    state = np.concatenate([arrays[name].reshape(-1) for name in sorted(arrays)])
    return Learnt([each["accuracy"] for each in played.metrics], state, played.seconds)


if __name__ == "__main__":
    sys.exit(main())

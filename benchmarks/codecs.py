"""Set each codec's bytes on the wire beside the accuracy that it costs.

Ten sites train digits with a perceptron of 167,178 parameters and with the
convolutional network of ``digits-conv``, error feedback on, by fednet's own
pieces (see `_federation`). What a member and a site that comes back fetch is then
fetched from one Kubo node by another, through a counter. `--full` takes every
codec and three seeds, and writes the table in docs/codecs.md; otherwise one seed
of float32 and topk-int8 is played.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch

from benchmarks._federation import Arrays, Federation, mean, plan_of
from benchmarks._figures import is_full, show, tell
from benchmarks._wire import Wire
from fednet.codec import CODECS, open_update
from fednet.codec.feedback import residual_of, with_residual
from fednet.domain.identity import SiteId
from fednet.domain.tensors import FloatArray
from fednet.learning import partition
from fednet.learning.baseline import built_in_task
from fednet.learning.task import Task
from fednet.learning.tasks.digits import Digits
from fednet.node.decide.returning import replay_pays

MINUTES = 2, 18
PAGE = Path(__file__).resolve().parents[1] / "docs" / "codecs.md"
START, END = "<!-- recorded: codecs -->\n", "<!-- end -->"
SITES = 10
STATE = "state"
SPARSE = "topk"
MOST_SHARE = 0.01
MOST_LOSS = 0.005
MISSED_ROUNDS = 3
"""Rounds for which the site was away that comes back."""
MOST_BACK = 0.5
"""Bytes of a site that comes back, over those of a state."""
LAST_ROUNDS = 5
"""Rounds whose accuracies are averaged into the final one."""


class WideDigits(Digits):
    """Classify digits with a perceptron of 64-512-256-10."""

    def model(self) -> torch.nn.Module:
        """Return the perceptron."""
        return torch.nn.Sequential(
            torch.nn.Linear(64, 512), torch.nn.ReLU(), torch.nn.Linear(512, 256),
            torch.nn.ReLU(), torch.nn.Linear(256, 10),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Course:
    """A task, and how long it is trained."""

    name: str
    task: Task
    rounds: int
    local_epochs: int
    keep_ratio: str

    @property
    def element_count(self) -> int:
        """Count the model's values."""
        return sum(value.numel() for value in self.task.model().state_dict().values())


@dataclass(frozen=True, slots=True)
class Result:
    """What one codec gave on one task with one seed."""

    course: str
    codec: str
    seed: int
    accuracy: float
    """On held-out records, mean of the last rounds."""
    file_bytes: float
    """Of an update, mean of the sites in the last round."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes on the wire under one codec, on one task."""

    update: int
    down: int
    """Of the other sites' updates of a round, which a member fetches."""
    back: int
    """Of what a site that missed rounds fetches, by the rule of a node: updates or a state."""


class Feedback:
    """Do what every site does: add what the last update lost, and send that."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._wanted: dict[SiteId, dict[str, FloatArray]] = {}
        self.federation: Federation | None = None

    def __call__(
        self, number: int, sent: dict[SiteId, dict[str, FloatArray]]
    ) -> Mapping[SiteId, Arrays]:
        """Return what the sites send, given what they trained."""
        federation = self.federation
        assert federation is not None
        for site, arrays in sent.items():
            residual: dict[str, FloatArray] = {}
            if site in self._wanted:
                path = self._folder / f"update-{site}"
                with open_update(path, "update", federation.plan, federation.shape) as file:
                    residual = residual_of(self._wanted[site], file)
            self._wanted[site] = with_residual(arrays, residual)
        return self._wanted


def courses() -> tuple[Course, ...]:
    """Name the tasks."""
    conv = built_in_task("digits-conv")
    return (
        Course("digits, perceptron 64-512-256-10", WideDigits(), 100, 2, "0.015"),
        Course("digits-conv", conv, 40, 4, "0.0125"),
    )


def main() -> int:
    """Print a row of JSON for each figure; write the table after a full run."""
    full = is_full(__doc__)
    names = tuple(CODECS) if full else ("float32", "topk-int8")
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="fednet-bench-") as name:
        folder = Path(name)
        cases = [
            (course, codec, seed, folder)
            for course in courses()[: 2 if full else 1]
            for codec in names
            for seed in range(3 if full else 1)
        ]
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
            for result in pool.map(play, *zip(*cases, strict=True)):
                tell("codecs", f"{result.course}, {result.codec}, seed {result.seed}: done")
                results.append(result)
        costs = wire_costs(folder, results)
    _report(results, costs)
    if full:
        head, rest = PAGE.read_text("utf-8").split(START)
        page = head + START + table(results, costs) + END + rest.split(END, 1)[1]
        PAGE.write_text(page, encoding="utf-8")
    return 0


def play(course: Course, codec: str, seed: int, folder: Path) -> Result:
    """Train a course under a codec; the first seed leaves what was sent last in the folder."""
    own = folder / f"{course.name}-{codec}-{seed}"
    paths, held_out = partition.even("digits", SITES, seed).write(own / "data")
    keep_ratio = course.keep_ratio if codec.startswith(SPARSE) else "1"
    sections = {
        "training": {
            "local_epochs": course.local_epochs, "batch_size": 32, "learning_rate": "0.05",
            "momentum": "0.9", "seed": seed,
        },
        "update": {"codec": codec, "keep_ratio": keep_ratio},
    }  # fmt: skip
    feedback = Feedback(own)
    feedback.federation = federation = Federation(
        plan_of(codec, "digits", course.rounds, sections),
        [course.task.load(path) for path in paths],
        own,
        feedback,
        task=course.task,
    )
    test = course.task.load(held_out)
    updates = [own / f"update-{site}" for site in federation.data]
    left = left_path(folder, course.name, codec)
    accuracies = []
    for number in range(1, course.rounds + 1):
        accuracies.append(federation.play(test)["accuracy"])
        if seed == 0 and number > course.rounds - MISSED_ROUNDS:
            place = left / f"{number:03}"
            place.mkdir(parents=True)
            for path in updates:
                shutil.copy(path, place)
    if seed == 0:
        shutil.copy(federation.state_path, left / STATE)
    size = mean([path.stat().st_size for path in updates])
    shutil.rmtree(own)  # a state for each round
    return Result(course.name, codec, seed, mean(accuracies[-LAST_ROUNDS:]), size)


def left_path(folder: Path, course: str, codec: str) -> Path:
    """Say where the last rounds' updates, in a folder each, and the last state are kept."""
    return folder / f"left-{course}-{codec}"


def wire_costs(folder: Path, results: Sequence[Result]) -> dict[tuple[str, str], Cost]:
    """Measure what was sent last on each course under each codec."""
    with Wire(folder / "wire") as wire:
        return {
            (each.course, each.codec): cost_of(wire, left_path(folder, each.course, each.codec))
            for each in results
            if each.seed == 0
        }


def cost_of(wire: Wire, left: Path) -> Cost:
    """Fetch what a member fetches, then the rest of what a site that comes back does."""
    *earlier, last = sorted(path for path in left.iterdir() if path.is_dir())
    first, *others = sorted(last.iterdir())
    missed = [path for place in earlier for path in sorted(place.iterdir())]
    update, down = wire.cost_bytes(first), wire.cost_bytes(*others)
    state, size = left / STATE, first.stat().st_size
    if replay_pays(MISSED_ROUNDS * SITES, size, state.stat().st_size):
        return Cost(update, down, update + down + wire.cost_bytes(*missed))
    return Cost(update, down, wire.cost_bytes(state))


def table(results: Sequence[Result], costs: Mapping[tuple[str, str], Cost]) -> str:
    """Lay out what every codec costs."""
    lines = [
        f"*Down* is what a member fetches in a round, the updates of the other sites; *back* what a"
        f" site fetches that missed {MISSED_ROUNDS} rounds: their updates, or a state if that is"
        " less.",
        "",
    ]
    for course in courses():
        count = course.element_count
        lines += [
            f"**{course.name}**: {count:,} values, {course.rounds} rounds of {course.local_epochs}"
            f" local epochs, keep_ratio {course.keep_ratio} where sparse.",
            "",
            "| Codec | File | On the wire | Share | Down | Back | Accuracy | Against float32 |"
            " Seeds |",
            "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        ]
        for codec in CODECS:
            rows = _of(results, course.name, codec)
            if not rows:
                continue
            cost, accuracy = costs[course.name, codec], mean([row.accuracy for row in rows])
            share = cost.update / costs[course.name, "float32"].update
            gap = _gap(results, course.name, codec)
            lines.append(
                f"| {codec} | {mean([row.file_bytes for row in rows]):,.0f} | {cost.update:,} |"
                f" {share:.2%} | {cost.down:,} | {cost.back:,} | {accuracy:.4f} |"
                f" {100 * gap:+.2f} points | {len(rows)} |"
            )
        lines.append("")
    return "\n".join(lines)


def _report(results: Sequence[Result], costs: Mapping[tuple[str, str], Cost]) -> None:
    for course in dict.fromkeys(result.course for result in results):
        for codec in CODECS:
            if codec == "float32" or not _of(results, course, codec):
                continue
            plain, cost = costs[course, "float32"], costs[course, codec]
            back = f"bytes of a site back after {MISSED_ROUNDS} rounds over those of a state"
            gap = _gap(results, course, codec)
            is_limited = codec == "topk-int8"
            what = f"{course}, {codec}"
            _row(
                f"{what}: bytes on the wire over those of float32",
                cost.update / plain.update,
                MOST_SHARE,
                is_limited,
            )
            _row(f"{what}: {back}", cost.back / plain.back, MOST_BACK, is_limited)
            _row(f"{what}: accuracy lost against float32", 0.0 - gap, MOST_LOSS, is_limited)


def _row(figure: str, value: float, limit: float, is_limited: bool) -> None:
    show("codecs", figure, round(value, 5), at_most=limit if is_limited else None)


def _of(results: Sequence[Result], course: str, codec: str) -> list[Result]:
    return [each for each in results if (each.course, each.codec) == (course, codec)]


def _gap(results: Sequence[Result], course: str, codec: str) -> float:
    """Return by how much a codec is better than float32, over the seeds that both have."""
    plain = {each.seed: each.accuracy for each in _of(results, course, "float32")}
    return mean([each.accuracy - plain[each.seed] for each in _of(results, course, codec)])


if __name__ == "__main__":
    sys.exit(main())

"""Accuracy beside plain PyTorch, round by round, and what helps where sites differ.

Digits. Parity: fednet's own pieces (training, update files, intake,
aggregation) against `fednet.learning.baseline`, which shares no training and no
aggregation code with them, from the same seeds. Skew: a Dirichlet split at
0.1, several seeds, FedAvg beside the methods for unequal data. With --full (or
from `scripts/bench --full`) everything, and docs/accuracy.md is written.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._federation import Federation, mean, plan_of, seed_of
from benchmarks._figures import is_full, show
from fednet.learning import baseline, partition

MINUTES = 1, 8
TASK = "digits"
PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"
MOST_DIFFERENCE = 0.006
LOCAL = {"local_epochs": 1, "batch_size": 32, "learning_rate": "0.3"}
PARITY: dict[str, dict[str, Any]] = {
    "FedAvg": {},
    "FedProx": {"training": {"algorithm": "fedprox", "proximal_mu": "0.1"}},
    "SCAFFOLD": {"training": {"algorithm": "scaffold"}},
    "FedAdam": {"server": {"optimizer": "fedadam", "learning_rate": "0.02"}},
    "FedYogi": {"server": {"optimizer": "fedyogi", "learning_rate": "0.02"}},
    # Without momentum, as torch's own Adagrad.
    "FedAdagrad": {"server": {"optimizer": "fedadagrad", "learning_rate": "0.05", "momentum": "0"}},
}
SKEWED: dict[str, dict[str, Any]] = {
    **PARITY,
    "FedNova": {"aggregation": {"rule": "fednova"}},
    "FedAvgM": {"server": {"optimizer": "fedavgm"}},
}
SKEW, SKEWED_SITES, SKEWED_ROUNDS, SKEWED_EPOCHS, SEEDS = 0.1, 10, 20, 2, 5
SKEWED_RATE = "0.5"
OTHER_RATES = ("0.1", "0.3", "0.7")
"""Rates that FedAvg is tried at too, so that it is not beaten for want of a good one."""


@dataclass(frozen=True, slots=True)
class Series:
    """Accuracy after each round, both ways."""

    ours: tuple[float, ...]
    plain: tuple[float, ...]

    @property
    def difference(self) -> float:
        """Return the largest difference in any round."""
        return max(abs(one - other) for one, other in zip(self.ours, self.plain, strict=True))


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row for each figure; with --full write the page too."""
    full = is_full(__doc__, argv)
    sizes, rounds = ((10, 50), 20) if full else ((10,), 5)
    found = {
        (name, size, alpha): compare(sections, size, alpha, rounds)
        for name, sections in PARITY.items()
        for size in sizes
        for alpha in (None, 0.3)
    }
    for (name, size, alpha), series in found.items():
        show(
            "parity",
            f"{name}, {size} sites, {_split_name(alpha)}, {rounds} rounds: largest difference"
            " to plain PyTorch",
            round(series.difference, 4),
            at_most=MOST_DIFFERENCE,
        )
    if full:
        skewed = {
            name: [learn(sections, seed) for seed in range(SEEDS)]
            for name, sections in SKEWED.items()
        } | {
            f"FedAvg, rate {rate}": [learn({}, seed, rate=rate) for seed in range(SEEDS)]
            for rate in OTHER_RATES
        }
        best, rival, margins = margins_of(skewed)
        show(
            "parity", f"{best} over {rival}, Dirichlet {SKEW}, mean of {SEEDS} seeds",
            round(mean(margins), 4), at_least=0.0,
        )  # fmt: skip
        PAGE.write_text(page(found, rounds, skewed), "utf-8")
    return 0 if all(series.difference <= MOST_DIFFERENCE for series in found.values()) else 1


def compare(
    sections: Mapping[str, Any], sites: int, alpha: float | None, rounds: int, seed: int = 0
) -> Series:
    """Learn the same thing by fednet's pieces and in plain PyTorch.

    Args:
        sections: Of the plan, what differs from plain FedAvg.
        sites: How many.
        alpha: Of the Dirichlet split; None deals evenly at random.
        rounds: How many.
        seed: Of split, model and training.
    """
    plan = plan_of("parity", TASK, rounds, _with_local(sections, seed, LOCAL))
    with tempfile.TemporaryDirectory(prefix="fednet-bench-") as name:
        paths, held_out = _split(sites, alpha, seed).write(Path(name, "data"))
        task = baseline.built_in_task(TASK)
        federation = Federation(plan, [task.load(path) for path in paths], Path(name))
        test = task.load(held_out)
        ours = [federation.play(test)["accuracy"] for _ in range(rounds)]
        plain = baseline.federated(
            task, paths, held_out, plan.training, rounds, seed,
            server=plan.server, seed_of=lambda number, place: seed_of(seed, number, place),
        )  # fmt: skip
    return Series(tuple(ours), tuple(metrics["accuracy"] for metrics in plain))


def learn(
    sections: Mapping[str, Any], seed: int, rounds: int = SKEWED_ROUNDS, rate: str = SKEWED_RATE
) -> float:
    """Learn over sites that differ much; the accuracy at the end, as the mean of the last five."""
    local = {**LOCAL, "local_epochs": SKEWED_EPOCHS, "learning_rate": rate}
    plan = plan_of("skewed", TASK, rounds, _with_local(sections, seed, local))
    with tempfile.TemporaryDirectory(prefix="fednet-bench-") as name:
        paths, held_out = _split(SKEWED_SITES, SKEW, seed).write(Path(name, "data"))
        task = baseline.built_in_task(TASK)
        federation = Federation(plan, [task.load(path) for path in paths], Path(name))
        test = task.load(held_out)
        return mean([federation.play(test)["accuracy"] for _ in range(rounds)][-5:])


def margins_of(skewed: Mapping[str, Sequence[float]]) -> tuple[str, str, list[float]]:
    """Name the best method and FedAvg at its best rate; by how much the one is ahead, by seed."""

    def first(names: Iterable[str]) -> str:
        return max(names, key=lambda name: mean(skewed[name]))

    rivals = {"FedAvg", *(f"FedAvg, rate {rate}" for rate in OTHER_RATES)} & skewed.keys()
    best, rival = first(skewed.keys() - rivals), first(rivals)
    return (
        best,
        rival,
        [one - other for one, other in zip(skewed[best], skewed[rival], strict=True)],
    )


def page(
    found: Mapping[tuple[str, int, float | None], Series],
    rounds: int,
    skewed: Mapping[str, Sequence[float]],
) -> str:
    """Return docs/accuracy.md."""
    cases = list(dict.fromkeys((size, alpha) for _, size, alpha in found))
    names = list(dict.fromkeys(name for name, _, _ in found))
    heads = [f"{size} sites, {_split_name(alpha)}" for size, alpha in cases]
    lines = [
        "# Accuracy",
        "",
        "Written by `scripts/bench --full` (`benchmarks/parity.py`).",
        "",
        "## The same as plain PyTorch",
        "",
        f"Digits, 64-128-10 perceptron, {rounds} rounds of one local epoch, batches of 32, learning"
        f" rate {LOCAL['learning_rate']}. Accuracy on held-out images at the end; in brackets the"
        " largest difference in any round to plain PyTorch doing the same algorithm from the same"
        " seeds.",
        "",
        f"| | {' | '.join(heads)} |",
        "|---" * (len(heads) + 1) + "|",
    ]
    for name in names:
        cells = [found[name, size, alpha] for size, alpha in cases]
        told = [f"{series.ours[-1]:.3f} ({series.difference:.4f})" for series in cells]
        lines.append(f"| {name} | {' | '.join(told)} |")
    best, rival, margins = margins_of(skewed)
    seeds = " | ".join(f"seed {seed}" for seed in range(SEEDS))
    lines += [
        "",
        "## Where sites differ much",
        "",
        f"Dirichlet {SKEW}: most of the {SKEWED_SITES} sites have seen a few digits only."
        f" {SKEWED_ROUNDS} rounds of {SKEWED_EPOCHS} local epochs at a learning rate of"
        f" {SKEWED_RATE} unless a row says otherwise; mean accuracy of the last five rounds.",
        "",
        f"| | {seeds} | mean |",
        "|---" * (SEEDS + 2) + "|",
    ]
    for name, values in sorted(skewed.items(), key=lambda item: -mean(item[1])):
        told = [f"{value:.3f}" for value in (*values, mean(values))]
        lines.append(f"| {name} | {' | '.join(told)} |")
    lines += [
        "",
        f"{best} is ahead of {rival} (FedAvg at the best of the rates tried) by"
        f" {mean(margins):.3f} on average, by {min(margins):.3f} at least and {max(margins):.3f}"
        " at most. At a low rate the distance is larger, for FedAvg learns slowly there.",
        "",
    ]
    return "\n".join(lines)


def _with_local(sections: Mapping[str, Any], seed: int, local: Mapping[str, Any]) -> dict[str, Any]:
    training = {**local, "seed": seed, **sections.get("training", {})}
    return {**sections, "training": training}


def _split(sites: int, alpha: float | None, seed: int) -> partition.Split:
    if alpha is None:
        return partition.even(TASK, sites, seed)
    return partition.dirichlet(TASK, sites, alpha, seed)


def _split_name(alpha: float | None) -> str:
    return "IID" if alpha is None else f"Dirichlet {alpha}"


if __name__ == "__main__":
    sys.exit(main())

"""Every rule against every attack, on digits; with --full every cell, and docs/robustness.md.

Trains in one process, and combines by the very function that nodes and the
audit share, on real update files. Without --full: the two attacks that a mean
does not survive, dealt evenly, one seed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing import get_context
from pathlib import Path

from benchmarks._arena import HOSTILE, SITES, TASK, Fight, last, play
from benchmarks._figures import is_full, show, tell
from fednet.domain.sections import AggregationSection, TrainingSection
from fednet.learning.hostile import ATTACKS

MINUTES = 2, 20
PAGE = Path(__file__).parents[1] / "docs" / "robustness.md"
ROUNDS = 15
SEEDS = 3
TRAINING = TrainingSection(local_epochs=5, batch_size=32, learning_rate=Decimal("0.3"))
ALPHAS = {"dealt evenly": 0.0, "Dirichlet 0.5": 0.5}
DEADLY = ("sign-flip-10", "constant")
MEANS = ("fedavg", "fednova")
LEAST = {"krum": 0.85}
LEAST_OTHERWISE = 0.89
MOST_OF_A_MEAN = 0.5

RULES: tuple[AggregationSection, ...] = (
    AggregationSection(rule="fedavg"),
    AggregationSection(rule="fednova"),
    AggregationSection(rule="median", hostile=HOSTILE, fallback="median"),
    AggregationSection(rule="trimmed-mean", hostile=HOSTILE, fallback="median"),
    AggregationSection(rule="krum", hostile=HOSTILE, fallback="median"),
    AggregationSection(rule="multi-krum", hostile=HOSTILE, fallback="median"),
    AggregationSection(rule="bulyan", hostile=HOSTILE, fallback="median"),
    AggregationSection(rule="geometric-median", hostile=HOSTILE, fallback="median"),
    AggregationSection(rule="norm-bounding", norm=Decimal(1)),
    AggregationSection(
        rule="centred-clipping", hostile=HOSTILE, fallback="median", norm=Decimal(1), iterations=3
    ),
)

HEADER = f"""\
# How rules stand up to hostile sites

Written by `scripts/bench --full robustness`. `{TASK}`, {SITES} sites of which {HOSTILE} are
hostile and act together, {ROUNDS} rounds of {TRAINING.local_epochs} local epochs, batches of \
{TRAINING.batch_size}, learning rate {TRAINING.learning_rate}; accuracy on
the common test set after the last round, mean of {SEEDS} seeds, the lowest of them in brackets.
Updates pass the real intake and are combined by the function that nodes and the audit share. The
plan's bound on norms is opened wide, so that the rule stands alone; in a real plan
`update.maximum_norm` refuses the coarse attacks before any rule sees them.

| Attack | What the hostile sites do |
|---|---|
| `label-flip` | train on labels 9 - y |
| `sign-flip`, `sign-flip-10` | send their honest update times -1, times -10 |
| `noise` | send normal noise of standard deviation 1 |
| `constant` | add 100 to every value |
| `alie` | "a little is enough": element by element the honest mean less 1.5 standard deviations |
| `inner-product` | send the honest mean times -0.5 |
| `claims` | train on wrong labels and claim 1000 times their examples; the ledger takes no more \
than the plan's cap, here the largest site's count |
| `nan` | send one value that is no number; the intake refuses it, {SITES - HOSTILE} updates \
remain, and Bulyan falls back to the median |

Rules are described in [algorithms.md](algorithms.md#aggregation-rules). Parameters:
`hostile = {HOSTILE}` where a rule has it, `norm = 1` for norm bounding and centred clipping (3
steps), 8 steps for the geometric median.
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One place in the table."""

    dealt: str
    rule: str
    attack: str


def main() -> int:
    """Play what was asked for and print the figures; with --full write the page."""
    full = is_full(__doc__)
    dealt = list(ALPHAS) if full else list(ALPHAS)[:1]
    attacks = list(ATTACKS) if full else ["none", *DEADLY]
    results = measure(dealt, attacks, range(SEEDS if full else 1), os.cpu_count() or 1)
    if full:
        PAGE.write_text(page(results), encoding="utf-8")
    return 0 if report(results) else 1


def measure(
    dealt: Sequence[str], attacks: Sequence[str], seeds: Sequence[int], processes: int
) -> dict[Cell, list[float]]:
    """Play every fight; return the accuracies by cell, one a seed."""
    cells = [
        (Cell(name, section.rule, attack), section)
        for name in dealt
        for section in RULES
        for attack in attacks
    ]
    fights = [
        Fight(section, cell.attack, ALPHAS[cell.dealt], seed, ROUNDS, TRAINING)
        for cell, section in cells
        for seed in seeds
    ]
    results: dict[Cell, list[float]] = {}
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        histories = pool.map(play, fights)
        for cell, _ in cells:
            tell("robustness", f"{cell.dealt}, {cell.rule}, {cell.attack}")
            results[cell] = [last(next(histories)) for _ in seeds]
    return results


def report(results: Mapping[Cell, Sequence[float]]) -> bool:
    """Set what an even split shows under the deadly attacks beside its limits."""

    def under(wanted: Callable[[str], bool]) -> list[float]:
        return [
            round(value, 3)
            for cell, values in results.items()
            for value in values
            if cell.dealt == "dealt evenly" and cell.attack in DEADLY and wanted(cell.rule)
        ]

    holds = [
        show(
            "robustness", "ten times the reversed update, or 100 added: best accuracy of a mean",
            max(under(lambda rule: rule in MEANS)), at_most=MOST_OF_A_MEAN,
        ),
        show(
            "robustness", "the same: worst accuracy of a robust rule but Krum",
            min(under(lambda rule: rule not in (*MEANS, *LEAST))), at_least=LEAST_OTHERWISE,
        ),
    ]  # fmt: skip
    for name, least in LEAST.items():
        worst = min(under(lambda rule, name=name: rule == name))  # type: ignore[misc]
        holds.append(
            show("robustness", f"the same: worst accuracy of {name}", worst, at_least=least)
        )
    return all(holds)


def page(results: Mapping[Cell, Sequence[float]]) -> str:
    """Lay the accuracies out, one table a split."""
    parts = [HEADER]
    for dealt in ALPHAS:
        parts.append(f"## Records {dealt}\n")
        lines = [
            "| Rule | " + " | ".join(f"`{attack}`" for attack in ATTACKS) + " |",
            "|---|" + "--:|" * len(ATTACKS),
        ]
        for section in RULES:
            found = [results[Cell(dealt, section.rule, attack)] for attack in ATTACKS]
            written = [f"{sum(each) / len(each):.3f} ({min(each):.3f})" for each in found]
            lines.append(f"| {section.rule} | " + " | ".join(written) + " |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    raise SystemExit(main())

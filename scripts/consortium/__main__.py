"""Run the demo: `scripts/demo [--seeds N] [--record]`.

Without options: four hospitals train one model over a real chain and a real
store, in processes of their own, and everything is audited. `--seeds N` adds
the comparison over N seeds, by the same learning in one process; the demo
shows that both end in the same bytes.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fednet.domain.sections import TrainingSection
from fednet.errors import FednetError
from scripts.consortium import comparison, processes, story
from scripts.consortium.members import StoryError

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 88
_RECORDED = re.compile(r"(<!-- recorded: demo -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Play the demo; return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__.split("\n\n")[1])
    parser.add_argument("--seeds", type=int, default=0, help="also compare over this many seeds")
    parser.add_argument("--folder", type=Path, default=ROOT / ".fednet" / "demo", help="homes")
    parser.add_argument("--record", action="store_true", help="write the session into the README")
    options = parser.parse_args()
    terminal = sys.stdout.isatty()
    console = Console(record=True, width=None if terminal else WIDTH, highlight=False)
    try:
        with (
            story.fresh(options.folder.absolute()) as folder,
            processes.nothing_left_behind(folder),
        ):
            story.Story(folder, console).tell()
        if options.seeds:
            over_seeds(options.seeds, console)
    except processes.Interrupted as exc:
        print(f"interrupted by {exc}; everything is stopped", file=sys.stderr)
        return 130
    except (StoryError, FednetError) as exc:
        print(f"the demo failed: {exc}", file=sys.stderr)
        print(f"logs are under {options.folder}", file=sys.stderr)
        return 1
    if options.record:
        record(console.export_text())
    return 0


def over_seeds(count: int, console: Console) -> None:
    """Compare the ways of learning over several deals of the records.

    Raises:
        StoryError: The federated model does not keep its promise.
    """
    settings = TrainingSection.model_validate(story.settings_of_the_demo())
    hospitals = len(story.HOSPITALS)
    scores = [
        comparison.over_seed(
            seed, hospitals, settings, story.ROUNDS, story.fixed_point_of_the_demo()
        )
        for seed in range(count)
    ]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("seed", "federated", "pooled", "mean hospital alone"):
        table.add_column(column, justify="right")
    for seed, score in enumerate(scores):
        table.add_row(
            str(seed), f"{score.federated:.3f}", f"{score.pooled:.3f}", f"{score.mean_alone:.3f}"
        )
    mean = comparison.Scores(
        statistics.mean(score.federated for score in scores),
        statistics.mean(score.pooled for score in scores),
        tuple(score.mean_alone for score in scores),
    )
    table.add_row(
        "mean",
        f"{mean.federated:.3f}",
        f"{mean.pooled:.3f}",
        f"{mean.mean_alone:.3f}",
        style="bold",
    )
    console.print()
    console.print(table)
    if not mean.holds:
        raise StoryError("federating fell below 99% of pooling, or below the mean hospital")


def record(session: str) -> None:
    """Put the session into the README."""
    path = ROOT / "README.md"
    lines = "\n".join(line.rstrip() for line in session.strip().splitlines())
    block = f"```\n$ scripts/demo\n{lines}\n```\n"
    text = _RECORDED.sub(lambda found: found.group(1) + block + found.group(2), path.read_text())
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

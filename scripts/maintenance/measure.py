"""Run every benchmark in one go, set each figure beside its limit, write docs/benchmarks.md.

A benchmark is a module of `benchmarks/` that prints rows of JSON, one a line;
a row with `benchmark`, `figure`, `value`, `unit`, and `limit` where there is one.
`benchmarks/gas.py` writes a table of its own, docs/gas.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.maintenance.set_up import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
HEADER = """\
# Speed

Written by `scripts/bench`, in one run on one machine; compare figures of one run only.
Gas stands in [gas.md](gas.md), the long tables in [accuracy.md](accuracy.md),
[codecs.md](codecs.md) and [robustness.md](robustness.md).
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure."""

    benchmark: str
    name: str
    value: float
    unit: str
    limit: float | None
    at_least: bool
    """Whether the limit is a lower one."""

    @property
    def ratio(self) -> float | None:
        """Return value over limit."""
        return None if self.limit is None else self.value / self.limit

    @property
    def holds(self) -> bool:
        """Tell whether the figure keeps its limit, if it has one."""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @classmethod
    def of(cls, row: dict[str, object]) -> Figure:
        """Read a figure from a benchmark's row."""
        limit = row.get("limit")
        return cls(
            benchmark=str(row["benchmark"]),
            name=str(row["figure"]),
            value=float(str(row["value"])),
            unit=str(row.get("unit", "")),
            limit=None if limit is None else float(str(limit)),
            at_least=bool(row.get("at_least", False)),
        )


def main() -> int:
    """Measure; return 1 if a benchmark failed or a limit is not kept."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.split("\n\n")[0])
    parser.add_argument("--full", action="store_true", help="repeat more")
    parser.add_argument("names", nargs="*", help="benchmarks to run; default all")
    options = parser.parse_args()
    modules = sorted(
        path.stem for path in (ROOT / "benchmarks").glob("*.py") if not path.stem.startswith("_")
    )
    failed, figures = [], []
    for name in options.names or modules:
        print(f"{name} ...", file=sys.stderr, flush=True)
        os.sync()  # gigabytes that one benchmark left unwritten would slow the next one's disk
        rows = run(name, options.full)
        if rows is None:
            failed.append(name)
        else:
            figures += rows
    page = HEADER + machine() + table(figures)
    print(page)
    if not options.names:
        PAGE.write_text(page, encoding="utf-8")
    failed += [figure.name for figure in figures if not figure.holds]
    if failed:
        print(f"failed or over a limit: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run(name: str, full: bool) -> list[Figure] | None:
    """Run one benchmark; return its figures, or nothing if it failed."""
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    environment = os.environ | {"FEDNET_BENCH_FULL": "1" if full else ""}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    figures = [Figure.of(row) for row in rows if "figure" in row]
    return None if done.returncode else figures


def machine() -> str:
    """Describe the machine in one line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"\nMachine: {os.cpu_count()} cores, {model}, Python {platform.python_version()}.\n\n"


def table(figures: list[Figure]) -> str:
    """Lay the figures out beside their limits."""
    lines = ["| Benchmark | Figure | Value | Limit | Value / limit |", "|---|---|--:|--:|--:|"]
    for figure in figures:
        limit = "" if figure.limit is None else f"{figure.limit:g} {figure.unit}"
        if limit:
            limit = ("at least " if figure.at_least else "at most ") + limit
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        value = f"{figure.value:g} {figure.unit}"
        lines.append(f"| {figure.benchmark} | {figure.name} | {value} | {limit} | {ratio} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())

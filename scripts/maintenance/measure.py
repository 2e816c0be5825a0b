"""Run every benchmark, set each figure beside its limit, and keep docs/benchmarks.md.

A benchmark is a module of `benchmarks/` that prints its figures as `benchmarks._figures.show` does
and says in MINUTES what it takes, without and with --full. The short ones come first. One that
fails or hangs is reported at the end and stops no other. The page has a section for each, which is
replaced as soon as the benchmark has run. With --full, docs/accuracy.md, docs/codecs.md and
docs/robustness.md are written by the benchmarks themselves; docs/gas.md always is.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scripts.maintenance.set_up import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
BENCHMARKS = ROOT / "benchmarks"
HEADER = """\
# Speed

Written by `scripts/bench`, a section for each benchmark; compare figures of one section only.
A figure that does not keep its limit is bold. Gas stands in [gas.md](gas.md), the long tables in
[accuracy.md](accuracy.md), [codecs.md](codecs.md) and [robustness.md](robustness.md).
"""
LEAST_PATIENCE_MINUTES = 10.0
PATIENCE = 4.0
"""Times the expected minutes after which a benchmark counts as hung."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure."""

    name: str
    value: float
    unit: str
    limit: float | None
    at_least: bool
    """Whether the limit is a lower one."""

    @property
    def holds(self) -> bool:
        """Tell whether the figure keeps its limit, if it has one."""
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def line(self) -> str:
        """Lay the figure out as a line of a table."""
        value, limit, ratio = f"{self.value:g} {self.unit}".strip(), "", ""
        if self.limit is not None:
            limit = f"at {'least' if self.at_least else 'most'} {self.limit:g} {self.unit}".strip()
            ratio = f"{self.value / self.limit:.2f}" if self.limit else ""
        return f"| {self.name} | {value if self.holds else f'**{value}**'} | {limit} | {ratio} |"

    @classmethod
    def of(cls, row: Mapping[str, object]) -> Figure:
        """Read a figure from a benchmark's row."""
        limit = row.get("limit")
        return cls(
            name=str(row["figure"]),
            value=float(str(row["value"])),
            unit=str(row.get("unit", "")),
            limit=None if limit is None else float(str(limit)),
            at_least=bool(row.get("at_least", False)),
        )


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module that measures, and the minutes that it takes on a quiet machine of two cores."""

    name: str
    about: str
    minutes: float
    full_minutes: float

    def expected(self, full: bool) -> float:
        """Return the minutes that it takes."""
        return self.full_minutes if full else self.minutes

    @classmethod
    def read(cls, path: Path) -> Benchmark | None:
        """Read a module's first line and MINUTES, without importing it; None without MINUTES."""
        tree = ast.parse(path.read_text("utf-8"))
        about = (ast.get_docstring(tree) or "").split("\n\n")[0].replace("\n", " ")
        for node in tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MINUTES":
                return cls(path.stem, about, *map(float, ast.literal_eval(node.value)))
        return None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one benchmark."""

    figures: Sequence[Figure]
    failure: str = ""
    """Why it gave no result, or not all."""

    @property
    def complaint(self) -> str:
        """Say what is wrong; empty if nothing is."""
        broken = [figure.name for figure in self.figures if not figure.holds]
        return self.failure or ("limit not kept: " + "; ".join(broken) if broken else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 1 if a benchmark failed or a limit is not kept."""
    known = {path.stem: found for path in sorted(BENCHMARKS.glob("*.py"))
             if (found := Benchmark.read(path))}  # fmt: skip
    options = parse(known, arguments)
    chosen = [known[name] for name in options.names or known]
    chosen.sort(key=lambda each: each.expected(options.full))
    complaints: dict[str, str] = {}
    for number, benchmark in enumerate(chosen, 1):
        minutes = benchmark.expected(options.full)
        tell(f"[{number}/{len(chosen)}] {benchmark.name}, about {minutes:g} minutes ...")
        os.sync()  # gigabytes that one benchmark left unwritten would slow the next one's disk
        load, began = os.getloadavg()[0], time.monotonic()
        outcome = run(benchmark, options.full)
        took = (time.monotonic() - began) / 60
        if outcome.complaint:
            complaints[benchmark.name] = outcome.complaint
        verdict = "not as promised" if outcome.complaint else "done"
        tell(f"{benchmark.name}: {verdict}, after {took:.1f} minutes")
        if outcome.figures and not outcome.failure:
            text = section(benchmark, outcome.figures, load, took)
            print(text, flush=True)
            PAGE.write_text(updated(PAGE.read_text("utf-8"), benchmark.name, text), "utf-8")
    for name, complaint in complaints.items():
        tell(f"{name}: {complaint}")
    tell(f"{len(chosen) - len(complaints)} of {len(chosen)} benchmarks are as promised")
    return 1 if complaints else 0


def parse(known: Mapping[str, Benchmark], arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; `--help` tells how long everything takes."""
    lines = [f"  {'minutes':<16}{'':>8}{'--full':>8}"]
    for each in sorted(known.values(), key=lambda each: each.minutes):
        lines.append(f"  {each.name:<16}{each.minutes:>8g}{each.full_minutes:>8g}")
    lines.append(
        f"  {'in all':<16}{sum(each.minutes for each in known.values()):>8g}"
        f"{sum(each.full_minutes for each in known.values()):>8g}"
    )
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__.split("\n\n")[0],
        epilog="expected on two quiet cores:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--full", action="store_true", help="every case, and the long tables")
    parser.add_argument("names", nargs="*", help="benchmarks to run; default all")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(known):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    return options


def run(benchmark: Benchmark, full: bool) -> Outcome:
    """Run one benchmark in a session of its own, of which nothing is left behind."""
    command = [sys.executable, "-m", f"benchmarks.{benchmark.name}"]
    environment = os.environ | {"FEDNET_BENCH_FULL": "1" if full else ""}
    minutes = max(LEAST_PATIENCE_MINUTES, PATIENCE * benchmark.expected(full))
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    failure = ""
    try:
        output, _ = process.communicate(timeout=minutes * 60)
    except subprocess.TimeoutExpired:
        failure = f"not done after {minutes:g} minutes"
        end(process)
        output, _ = process.communicate()
    except BaseException:
        end(process)
        raise
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    figures = [Figure.of(row) for row in rows if "figure" in row]
    if process.returncode and not failure and all(figure.holds for figure in figures):
        failure = f"failed with exit code {process.returncode}"
    return Outcome(figures, failure)


def end(process: subprocess.Popen[str]) -> None:
    """End a benchmark and what it started: a chance to clean up, then by force."""
    for number, seconds in ((signal.SIGINT, 20), (signal.SIGKILL, 20)):
        try:
            os.killpg(process.pid, number)
            process.wait(seconds)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def section(benchmark: Benchmark, figures: Sequence[Figure], load: float, minutes: float) -> str:
    """Lay out what one benchmark measured."""
    today = datetime.now(UTC).date()
    lines = [
        f"## {benchmark.name}",
        "",
        benchmark.about,
        f"{today}, {machine()}, load {load:.1f} before, {minutes:.1f} minutes.",
        "",
        "| Figure | Value | Limit | Value / limit |",
        "|---|--:|--:|--:|",
        *(figure.line for figure in figures),
    ]
    return "\n".join(lines) + "\n"


def updated(page: str, name: str, text: str) -> str:
    """Put a section in its place on the page: for its old one, else in the order of names."""
    _, *old = page.split("\n## ")
    sections = {each.partition("\n")[0]: "## " + each.rstrip("\n") + "\n" for each in old}
    sections[name] = text
    return "\n".join([HEADER, *(sections[name] for name in sorted(sections))])


def machine() -> str:
    """Describe the machine."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}"


def tell(text: str) -> None:
    """Say how it goes; results go to stdout."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # nothing is left behind
    sys.exit(main())

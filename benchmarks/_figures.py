"""What a benchmark prints: one figure a line, as JSON, which `scripts/bench` reads."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence


def show(
    benchmark: str,
    figure: str,
    value: float,
    unit: str = "",
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    **more: object,
) -> bool:
    """Print one figure; tell whether it keeps its limit, if it has one."""
    row: dict[str, object] = {"benchmark": benchmark, "figure": figure, "value": value}
    row |= {"unit": unit} | more
    if at_most is not None:
        row |= {"limit": at_most}
    if at_least is not None:
        row |= {"limit": at_least, "at_least": True}
    print(json.dumps(row), flush=True)
    return (at_most is None or value <= at_most) and (at_least is None or value >= at_least)


def tell(benchmark: str, text: str) -> None:
    """Say on stderr how far a long benchmark is."""
    print(f"{benchmark}: {text}", file=sys.stderr, flush=True)


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Make the option that benchmarks share; `scripts/bench --full` sets it by the environment."""
    parser = argparse.ArgumentParser(description=(description or "").split("\n\n")[0])
    full = bool(os.environ.get("FEDNET_BENCH_FULL"))
    parser.add_argument(
        "--full", action="store_true", default=full, help="every case, and the page"
    )
    return parser


def is_full(description: str | None, argv: Sequence[str] | None = None) -> bool:
    """Read the options of a benchmark that has no others."""
    return bool(parser_of(description).parse_args(argv).full)

"""Time complete rounds of ten node processes that do no training, on Anvil and on Ganache.

Ten nodes with ten Kubo nodes of their own: ten submissions, the reveal, a
proposal, ten attestations, final. The model has 0.4 MB. A round is timed from
one finality to the next as an outsider sees it; the attestations that come after
the quorum fall into the next round's time. The first round, in which everybody
starts, is left out.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._figures import is_full, show
from fednet.domain.identity import RunId
from fednet.domain.ledger import Phase
from tests.e2e.fleet import Fleet, assert_one_record_each, running_fleet

MINUTES = 1.5, 3
SITES = 10
ELEMENTS = 100_000
LIMIT_SECONDS = {"anvil": 2.0, "ganache": None}
_LOOK_SECONDS = 0.02


def main() -> int:
    """Print one figure for each chain; return 1 if a limit is not kept."""
    rounds, holds = 30 if is_full(__doc__) else 10, True
    for engine, limit in LIMIT_SECONDS.items():
        with tempfile.TemporaryDirectory(prefix="fednet-bench-") as name:
            times = measure(Path(name), engine, rounds)
        what = f"{engine}: {SITES} nodes, 0.4 MB model, median"
        seconds = [round(each, 3) for each in times]
        holds &= show(
            "round_latency", what, round(statistics.median(times), 3), "s",
            at_most=limit, seconds=seconds,
        )  # fmt: skip
    return 0 if holds else 1


def measure(folder: Path, engine: str, rounds: int) -> list[float]:
    """Run some rounds on a chain and return how long each took after the first."""
    with running_fleet(folder, SITES, rounds, engine, ELEMENTS) as (fleet, _, run):
        for site in fleet.consortium.sites:
            fleet.start(site)
        ends = _watch(fleet, run, rounds)
        fleet.finish(run)
        assert_one_record_each(fleet, run, rounds)
        fleet.stop()
    return [end - begin for begin, end in itertools.pairwise(ends)]


def _watch(fleet: Fleet, run: RunId, rounds: int) -> list[float]:
    """Note when each round becomes final."""
    ends: list[float] = []
    while len(ends) < rounds:
        state = fleet.consortium.reader.state(run)
        ends += [time.monotonic()] * (state.final_rounds - len(ends))
        if state.phase is Phase.ABORTED:
            raise RuntimeError("the run was aborted")
        fleet.look_after()
        time.sleep(_LOOK_SECONDS)
    return ends


if __name__ == "__main__":
    sys.exit(main())

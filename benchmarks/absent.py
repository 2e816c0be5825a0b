"""Time rounds of ten nodes of which one sleeps a minute and one dies, on Anvil.

The plan aims at eight updates; the quorum is six. Two runs of the same plan: one
undisturbed, one in which a site's training takes 60 s from the second round on
and another site's process is killed at the same time. Its rounds are timed, from
one finality to the next, for as long as both are away; then the dead process is
started again, and what is timed is how long it takes until both vote again. In
both runs the first round, in which everybody starts, is left out.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._figures import is_full, show
from fednet.domain.history import RunHistory
from fednet.domain.identity import RoundNumber, RunId, SiteId
from fednet.domain.ledger import Phase
from tests.e2e.fleet import Fleet, running_fleet

MINUTES = 3, 4
SITES, TARGET = 10, 8
SLEEPER, GONE = SiteId(9), SiteId(10)
NAP_ROUND, NAP_SECONDS = 2, 60
MOST_ROUNDS = 200
PLAN: dict[str, Any] = {
    "cohort": {"target_updates": TARGET},
    # An absent aggregator's turn lasts for both together.
    "timing": {"reveal_seconds": 4, "grace_seconds": 1},
}
LIMIT_RATIO = 1.2
_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 120


def main() -> int:
    """Print both medians, their ratio, and the time to come back."""
    rounds = 40 if is_full(__doc__) else 20
    with tempfile.TemporaryDirectory(prefix="fednet-bench-") as name:
        calm = measure_calm(Path(name), rounds)
    with tempfile.TemporaryDirectory(prefix="fednet-bench-") as name:
        away, back = measure_absent(Path(name))
    medians = statistics.median(calm), statistics.median(away)
    ratio = round(medians[1] / medians[0], 3)
    show("absent", f"{SITES} sites, {TARGET} updates aimed at, median", round(medians[0], 3), "s")
    show("absent", "while one sleeps and one is dead, median", round(medians[1], 3), "s",
         rounds=len(away), slowest=round(max(away), 3))  # fmt: skip
    holds = show("absent", "the one median over the other", ratio, "times", at_most=LIMIT_RATIO)
    show("absent", "until both vote again, of their own accord", round(back, 3), "s")
    return 0 if holds else 1


def measure_calm(folder: Path, rounds: int) -> list[float]:
    """Return the seconds of each round of an undisturbed run after the first."""
    with running_fleet(folder, SITES, rounds, **PLAN) as (fleet, _, run):
        for site in fleet.consortium.sites:
            fleet.start(site)
        ends: list[float] = []
        while len(ends) < rounds:
            watch(fleet, run, ends)
        fleet.stop()
    return [end - begin for begin, end in itertools.pairwise(ends)]


def measure_absent(folder: Path) -> tuple[list[float], float]:
    """Return the seconds of each round while two sites are away, and those until they are back."""
    with running_fleet(folder, SITES, MOST_ROUNDS, **PLAN) as (fleet, _, run):
        for site in fleet.consortium.sites:
            fleet.start(site, nap=f"{NAP_ROUND}:{NAP_SECONDS}" if site == SLEEPER else "")
        ends: list[float] = []
        while len(ends) < NAP_ROUND - 1:
            watch(fleet, run, ends)
        fleet.lose(GONE)
        asleep_until = time.monotonic() + NAP_SECONDS
        while time.monotonic() < asleep_until:
            watch(fleet, run, ends)
        require_absence(fleet.consortium.history(run), len(ends))
        fleet.start(GONE)
        begun, seen = time.monotonic(), len(ends)
        while not are_back(fleet.consortium.history(run), seen):
            if time.monotonic() - begun > _PATIENCE_SECONDS:
                raise RuntimeError("the absent sites did not come back")
            watch(fleet, run, ends[:])
        back = time.monotonic() - begun
        fleet.stop()
    return [end - begin for begin, end in itertools.pairwise(ends)], back


def watch(fleet: Fleet, run: RunId, ends: list[float]) -> None:
    """Look once, and note when a round becomes final."""
    state = fleet.consortium.reader.state(run)
    ends += [time.monotonic()] * (state.final_rounds - len(ends))
    if state.phase is Phase.ABORTED:
        raise RuntimeError("the run was aborted")
    fleet.look_after()
    time.sleep(_LOOK_SECONDS)


def require_absence(history: RunHistory, final_rounds: int) -> None:
    """Make sure that what was timed are rounds without the two, closed at the target."""
    for number in range(NAP_ROUND + 1, final_rounds + 1):
        attempts = history.rounds[RoundNumber(number)].attempts
        submitted = attempts[1].submissions
        if len(attempts) > 1 or len(submitted) != TARGET or {SLEEPER, GONE} & submitted.keys():
            raise RuntimeError(f"round {number} did not close at the target without the two")


def are_back(history: RunHistory, since: int) -> bool:
    """Tell whether both have voted on a round that became final after they were away."""
    voters = {
        site
        for number, entry in history.rounds.items()
        if number > since and entry.final_proposal
        for site in entry.final_proposal.attestations
    }
    return {SLEEPER, GONE} <= voters


if __name__ == "__main__":
    sys.exit(main())

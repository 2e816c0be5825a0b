"""Secure aggregation beside Flower's SecAgg+: the whole protocol, without training or network.

Twenty sites of a million parameters each, four of which vanish before they hand in
their masked updates. Both protocols are played in one process, site after site, with
the same number of neighbours and the same threshold, in turn; ours hashes what it
would publish. Flower's package is installed aside, without what it needs a network
for, and runs in a process of its own. Then the work of one site is timed in cohorts
of up to 200.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import numpy as np

from benchmarks._figures import is_full, show, tell
from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Manifest
from fednet.privacy.masking import (
    Bound,
    FixedPoint,
    Masked,
    Ring,
    bind,
    close_dealing,
    deal,
    disclose,
    freeze,
    receive,
    write_masked_header,
)
from tests.masking_fixtures import PLACE, WEIGHT_CAP, Attempt, weight_of

MINUTES = 1, 2
ROOT = Path(__file__).resolve().parents[1]
SITES, VANISHING, COUNT = 20, 4, 1_000_000
WHAT = f"{SITES} sites of {COUNT:,} parameters, {VANISHING} vanish"
BOUND = Bound(Decimal("0.2"), Decimal("0.2"))
COHORTS = (20, 50, 100, 200)
OF_COHORTS = Decimal("0.1")
MOST_BYTES = 4.1
MOST_GROWTH = 2.5
"""Of a site's work, from 20 sites to 200: the logarithm grows by 1.8."""

FLOWER = "1.42.0"
PACKAGES = (f"flwr=={FLOWER}", "grpcio<2", "protobuf<7", "typer<0.21", "iterators<0.0.3")
"""What its protocol imports and is not in our environment; nothing else of its dependencies."""


def main() -> int:
    """Print both times, the bytes and the growth."""
    repeats = 7 if is_full(__doc__) else 3
    folder = install_flower()
    ours, theirs = [], []
    for turn in range(repeats):
        tell("masking", f"turn {turn + 1} of {repeats}")
        ours.append(play_ours())
        theirs.append(play_flower(folder))
    holds = report(ours, theirs)
    return 0 if all([*holds, *report_growth(repeats)]) else 1


def report(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> list[bool]:
    """Set the medians of both side by side; tell which limits are kept."""

    def median(rows: list[dict[str, float]], name: str) -> float:
        return statistics.median(row[name] for row in rows)

    holds = []
    for name, clock in (("seconds", "by the clock"), ("work", "on processors")):
        one, other = median(ours, name), median(theirs, name)
        show("masking", f"{WHAT}, {clock}", round(one, 3), "s")
        show("masking", f"the same, Flower {FLOWER}, SecAgg+, {clock}", round(other, 3), "s")
        ratio = round(one / other, 3)
        figure = f"the one over the other, {clock}"
        holds.append(show("masking", figure, ratio, "times", at_most=1))
    holds.append(
        show("masking", "upload of a site for a parameter",
             round(median(ours, "upload_bytes") / COUNT, 4), "bytes", at_most=MOST_BYTES)
    )  # fmt: skip
    show(
        "masking",
        f"upload of a site for a parameter, Flower {FLOWER}",
        median(theirs, "upload_bytes") / COUNT,
        "bytes",
    )
    show("masking", "largest error of the mean, values of 0.1", median(ours, "error"))
    show("masking", f"largest error, Flower {FLOWER}", median(theirs, "error"))
    return holds


def report_growth(repeats: int) -> list[bool]:
    """Print a site's work by the size of the cohort, for both kinds of bound."""
    holds = []
    for targeted in (False, True):
        who = "on purpose" if targeted else "by chance"
        times = []
        for cohort in COHORTS:
            parameters = Bound(OF_COHORTS, OF_COHORTS, targeted).fit(cohort)
            rows = [site_seconds(cohort, targeted) for _ in range(repeats)]
            times.append(min(rows))
            show("masking", f"a site's work among {cohort}, who vanish {who}",
                 round(times[-1], 4), "s", neighbours=parameters.degree)  # fmt: skip
        growth = round(times[-1] / times[0], 2)
        figure = f"among {COHORTS[-1]} over among {COHORTS[0]}, who vanish {who}"
        limit = None if targeted else MOST_GROWTH
        holds.append(show("masking", figure, growth, "times", at_most=limit))
    return holds


def play_ours() -> dict[str, float]:
    """Play our protocol once."""
    sites = [SiteId(number) for number in range(1, SITES + 1)]
    left = sites[VANISHING:]
    updates = {site: update_of(site) for site in sites}
    began, worked = time.perf_counter(), time.process_time()
    fixed_point = fixed_point_of(SITES)
    attempt = Attempt.begin(sites, BOUND.fit(SITES))
    attempt.deal(sites)
    attempt.hold(sites)
    dealers = attempt.close()
    attempt.mask(dealers, left, COUNT, fixed_point, lambda site, _: updates[SiteId(site)])
    frozen = attempt.freeze(dealers)
    attempt.disclose(frozen, left)
    mean = attempt.combine(frozen, attempt.recover(frozen), fixed_point)
    seconds, work = time.perf_counter() - began, time.process_time() - worked
    weights = [weight_of(site) for site in left]
    expected = np.average([updates[site] for site in left], axis=0, weights=weights)
    manifest = Manifest(PLACE, left[0], Commitment(bytes(32)), weights[0], Digest(bytes(32)))
    head = write_masked_header(dealers, manifest, fixed_point.ring, COUNT)
    return {
        "seconds": seconds,
        "work": work,
        "upload_bytes": len(head) + attempt.masked[left[0]].nbytes,
        "error": float(np.abs(mean - expected).max()),
    }


def play_flower(folder: Path) -> dict[str, float]:
    """Play Flower's protocol once, in a process of its own."""
    threshold = BOUND.fit(SITES).threshold
    numbers = map(str, (SITES, COUNT, VANISHING, threshold))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "benchmarks" / "_secagg_plus.py"), *numbers],
        env=os.environ | {"PYTHONPATH": str(folder), "FLWR_TELEMETRY_ENABLED": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def install_flower() -> Path:
    """Put Flower's package into a folder of its own, unless it is there."""
    folder = ROOT / ".fednet" / "bench" / f"flower-{FLOWER}"
    stamp = folder / "installed"
    if not stamp.exists():
        tell("masking", f"installing Flower {FLOWER} into {folder.relative_to(ROOT)}")
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check",
             "--no-deps", "--only-binary", ":all:", "--target", str(folder), *PACKAGES],
            check=True,
        )  # fmt: skip
        stamp.touch()
    return folder


def site_seconds(cohort: int, targeted: bool) -> float:
    """Time all that one site does in an attempt, what it waits for left out."""
    sites = [SiteId(number) for number in range(1, cohort + 1)]
    attempt = Attempt.begin(sites, Bound(OF_COHORTS, OF_COHORTS, targeted).fit(cohort))
    circle, fixed_point = attempt.circle, fixed_point_of(cohort)
    me, update = sites[0], update_of(sites[0])
    secrets = attempt.secrets[me]
    attempt.deal(circle.neighbours[me])
    clock = Clock()
    with clock.running():
        assert secrets.public == circle.keys[me]
        attempt.dealings[me] = deal(circle, secrets)
        received = receive(circle, secrets, attempt.dealings)
    everything = {site: Commitment.of(b"%d" % site) for site in sites}
    dealers = close_dealing(
        circle, everything, {site: frozenset(circle.neighbours[site]) for site in sites}
    )
    with clock.running():
        attempt.mask(dealers, [me], COUNT, fixed_point, lambda *_: update)
        Commitment.of(attempt.masked[me].data.cast("B"))
    frozen = freeze(dealers, {site: Masked(everything[site], 1) for site in sites})
    with clock.running():
        disclose(bind(frozen, me, None), frozen, received.held)
    return clock.seconds


class Clock:
    """Add up stretches of time."""

    def __init__(self, now: Callable[[], float] = time.process_time) -> None:
        self.seconds = 0.0
        self._now = now

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what is done within."""
        began = self._now()
        yield
        self.seconds += self._now() - began


def fixed_point_of(cohort: int) -> FixedPoint:
    """Fit the ring of 32 bits."""
    return FixedPoint.fit(Ring.BITS_32, Decimal(1), WEIGHT_CAP, cohort, clips=True)


def update_of(site: SiteId) -> FloatArray:
    """Make a site's update, as the other protocol's are made."""
    drawn = np.random.default_rng(site).standard_normal(COUNT).astype(np.float32)
    return drawn * np.float32(0.1)


if __name__ == "__main__":
    sys.exit(main())

"""How many neighbours and shares a cohort needs: by hand where it is small, by lot where not."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

import pytest

from fednet.domain.identity import Digest, SiteId
from fednet.errors import PlanError
from fednet.privacy.masking import Bound, Parameters
from fednet.privacy.masking.graph import neighbours_of, ring_of
from fednet.privacy.masking.parameters import LEAST_DEGREE, _rare_from
from tests.masking_fixtures import PLACE, SEED


def fit(cohort: int, colluding: str, vanishing: str, targeted: bool = True) -> Parameters:
    return Bound(Decimal(colluding), Decimal(vanishing), targeted).fit(cohort)


def sites(count: int) -> list[SiteId]:
    return [SiteId(number) for number in range(1, count + 1)]


def test_small_cohort_is_complete_and_keeps_the_highest_threshold() -> None:
    # Of 10, 3 vanish: 6 of the 9 others are left. Of 20, 4: 15 of 19.
    assert fit(10, "0.3", "0.3") == Parameters(9, 6, 7)
    assert fit(20, "0.2", "0.2") == Parameters(19, 15, 16)
    assert fit(LEAST_DEGREE + 1, "0.1", "0.1").degree == LEAST_DEGREE
    assert fit(3, "0", "0") == Parameters(2, 2, 3)


@pytest.mark.parametrize(
    ("cohort", "colluding", "vanishing"),
    [(2, "0", "0"), (3, "0", "0.1"), (3, "0.5", "0"), (10, "0.5", "0.4"), (200, "0.5", "0.5")],
)
def test_more_than_any_threshold_can_bear_is_refused(
    cohort: int, colluding: str, vanishing: str
) -> None:
    with pytest.raises(PlanError) as caught:
        fit(cohort, colluding, vanishing)
    assert "collud" in str(caught.value.actual)
    assert caught.value.hint


@pytest.mark.parametrize(("colluding", "vanishing"), [("1", "0"), ("0", "1"), ("-0.1", "0")])
def test_part_that_is_none_is_refused(colluding: str, vanishing: str) -> None:
    with pytest.raises(PlanError, match="not a part"):
        fit(10, colluding, vanishing)


def test_degree_grows_with_the_logarithm_of_the_cohort() -> None:
    degrees = [
        fit(count, "0.1", "0.1", targeted=False).degree for count in (100, 200, 400, 800, 1_600)
    ]
    assert degrees == [32, 38, 42, 46, 50]
    targeted = [fit(count, "0.1", "0.1").degree for count in (200, 400, 800, 1_600)]
    assert targeted == sorted(targeted)
    # Twice the cohort costs ever less, in proportion.
    steps = [Fraction(two, one) for one, two in itertools.pairwise(targeted)]
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] < Fraction(5, 4)


def test_rare_is_reckoned_exactly() -> None:
    # Of 4, 2 are marked; 2 drawn: both with 1/6, at least one with 5/6.
    assert _rare_from(1, 4, 2, 2, bits=2) == 2
    assert _rare_from(1, 4, 2, 2, bits=3) == 3
    assert _rare_from(1, 4, 4, 2, bits=1) == 3
    # At most: one half is rare enough where one half is asked for.
    assert _rare_from(1, 2, 1, 1, bits=1) == 1
    # Twice the places, twice the chance.
    assert _rare_from(2, 4, 2, 2, bits=2) == 3
    # What cannot be drawn is rare at any price.
    assert _rare_from(1, 4, 2, 4, bits=1_000) == 3


def tail(population: int, marked: int, draws: int, least: int) -> Fraction:
    ways = sum(
        math.comb(marked, found) * math.comb(population - marked, draws - found)
        for found in range(least, min(marked, draws) + 1)
    )
    return Fraction(ways, math.comb(population, draws))


@pytest.mark.parametrize("cohort", [100, 200])
@pytest.mark.parametrize("targeted", [True, False])
def test_what_is_chosen_keeps_the_stated_bounds(cohort: int, targeted: bool) -> None:
    chosen = fit(cohort, "0.1", "0.1", targeted)
    tenth, half = cohort // 10, chosen.degree // 2
    left = cohort - 1 - tenth
    assert chosen.least_sites == cohort - tenth
    rare = Fraction(1, 2**40)
    assert cohort * tail(left, tenth, chosen.degree, chosen.threshold) <= rare
    if targeted:
        assert cohort * tail(left, tenth, half, chosen.threshold - half) <= rare
    else:
        assert cohort * tail(cohort - 1, 2 * tenth, half, half) <= rare
    too_many = chosen.degree - chosen.threshold + 1
    assert cohort * tail(cohort - 1, tenth, chosen.degree, too_many) <= Fraction(1, 2**20)
    # One share more would not stay live.
    assert cohort * tail(cohort - 1, tenth, chosen.degree, too_many - 1) > Fraction(1, 2**20)


def test_graph_is_even_symmetrical_and_of_nobodys_choice() -> None:
    graph = neighbours_of(PLACE, sites(50), SEED, 6)
    assert list(graph) == sites(50)
    for site, near in graph.items():
        assert len(near) == 6
        assert list(near) == sorted(set(near) - {site})
        assert all(site in graph[other] for other in near)
    assert neighbours_of(PLACE, reversed(sites(50)), SEED, 6) == graph
    assert neighbours_of(PLACE, sites(50), Digest(bytes([6]) * 32), 6) != graph
    assert graph[SiteId(1)] == (7, 8, 14, 15, 17, 46)


def test_graph_of_few_is_complete() -> None:
    for degree in (4, 5, 32):
        graph = neighbours_of(PLACE, sites(5), SEED, degree)
        assert all(len(near) == 4 for near in graph.values())
    assert neighbours_of(PLACE, sites(1), SEED, 2) == {SiteId(1): ()}


def test_who_sees_the_graph_and_cuts_it_apart_is_refused_by_the_threshold() -> None:
    """Colluders are fixed first; whoever stands between two arcs of the ring then vanishes."""
    chosen, count = fit(200, "0.1", "0.1"), 200
    half, colluding = chosen.degree // 2, set(sites(20))
    rng = random.Random(1)
    for _ in range(20):
        seed = Digest(rng.randbytes(32))
        ring = ring_of(PLACE, sites(count), seed)
        graph = neighbours_of(PLACE, sites(count), seed, chosen.degree)
        gaps = [{ring[(at + step) % count] for step in range(half)} for at in range(count)]
        at = max(range(count), key=lambda start: len(gaps[start] & colluding))
        vanished = (gaps[at] | gaps[(at + count // 2) % count]) - colluding
        counted = set(ring) - vanished
        honest = counted - colluding
        assert reach(graph, honest) < honest  # it works, but for the threshold
        fewest = min(len(counted.intersection(near)) for near in graph.values())
        assert half <= fewest < chosen.threshold


def reach(graph: Mapping[SiteId, tuple[SiteId, ...]], among: set[SiteId]) -> set[SiteId]:
    seen, waiting = set(), [min(among)]
    while waiting:
        site = waiting.pop()
        if site not in seen:
            seen.add(site)
            waiting += [other for other in graph[site] if other in among]
    return seen

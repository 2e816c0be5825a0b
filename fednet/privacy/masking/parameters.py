"""How many neighbours a site needs, and how many shares give a secret back.

A plan says which part of a cohort may collude and which may vanish. Of N sites
let C collude and V vanish, both rounded up. With degree k (neighbours of a site)
and threshold t, and neighbours drawn evenly, all of this has to hold:

1. *Secret.* No site has t or more colluding neighbours, but with a chance of
   2**-40 at most.
2. *Whole.* The honest sites that count stay connected, so that nothing less than
   the sum over all of them can be told, with the same chance. With h = k / 2, a
   ring of neighbours falls apart only where h sites in a row collude or vanish.
   If who vanishes may be chosen by somebody who sees the graph (``targeted``):
   since every site that counts must have t neighbours that count, such a gap
   needs t - h colluders among h sites in a row, and that must not happen. Else
   that h in a row collude or vanish must not happen, as in Bell et al., 2020.
3. *Live.* No site has fewer than t neighbours left when V vanish, but with a
   chance of 2**-20 at most: that costs an attempt and no secret.

The counts are hypergeometric; chances are compared as exact integers and added
over the N sites, so that every machine chooses the same. Where V vanish before
the graph is drawn, colluders are the denser: 1 and 2 reckon with that, and where
more than V have vanished an attempt ends (``least_sites``). The
smallest even degree that serves is taken, with the highest threshold that stays
live. A small cohort is a complete graph, where all three hold for certain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from fednet.errors import PlanError

SECURITY_BITS = 40
LIVENESS_BITS = 20
LEAST_DEGREE = 32
"""Fewer neighbours are not worth what they save: cohorts up to this are complete graphs."""
LEAST_SITES = 3
"""Between two sites the sum tells each the other's update."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What holds in every attempt of a run, whoever has vanished by then."""

    degree: int
    """Neighbours of a site; one less than the cohort in a complete graph."""
    threshold: int
    """Shares that give a secret back; never lowered when sites vanish."""
    least_sites: int
    """Sites that must advertise keys, and whose updates must count."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Against what a plan wants to be safe."""

    colluding: Decimal
    """Part of the cohort that may collude, with the aggregator; from 0, below 1."""
    vanishing: Decimal
    """Part of the cohort that may vanish in an attempt; from 0, below 1."""
    targeted: bool = True
    """Whether who vanishes may be chosen by somebody who sees the graph."""

    def fit(self, cohort: int) -> Parameters:
        """Choose degree and threshold for a cohort.

        Raises:
            PlanError: No choice is safe against so many.
        """
        if not all(0 <= part < 1 for part in (self.colluding, self.vanishing)):
            raise PlanError(
                "not a part of a cohort",
                expected="numbers from 0, below 1",
                actual=f"{self.colluding}, {self.vanishing}",
            )
        colluding = math.ceil(self.colluding * cohort)
        vanishing = math.ceil(self.vanishing * cohort)
        return _fit(cohort, colluding, vanishing, self.targeted)


@lru_cache(maxsize=64)
def _fit(cohort: int, colluding: int, vanishing: int, targeted: bool) -> Parameters:
    others = cohort - 1
    for degree in range(LEAST_DEGREE, others, 2):
        threshold = _highest_live(cohort, vanishing, degree)
        chosen = Parameters(degree, threshold, cohort - vanishing)
        if threshold >= 2 and _is_safe(cohort, colluding, vanishing, chosen, targeted):
            return chosen
    threshold = others - vanishing
    if cohort < LEAST_SITES or threshold < max(2, colluding + 1):
        raise PlanError(
            "no threshold is safe against so many sites that collude and vanish",
            expected=f"together at most {cohort - 2} of {cohort}, of at least {LEAST_SITES}",
            actual=f"{colluding} colluding, {vanishing} vanishing",
            hint="lower the plan's parts of colluding or vanishing sites, or wait for more sites",
        )
    return Parameters(others, threshold, cohort - vanishing)


def _highest_live(cohort: int, vanishing: int, degree: int) -> int:
    too_many = _rare_from(cohort, cohort - 1, vanishing, degree, LIVENESS_BITS)
    return degree - too_many + 1


def _is_safe(
    cohort: int, colluding: int, vanishing: int, chosen: Parameters, targeted: bool
) -> bool:
    """Tell whether 1 and 2 hold."""
    left, half = cohort - 1 - vanishing, chosen.degree // 2
    if chosen.degree >= left or colluding > left:
        return False
    if chosen.threshold < _rare_from(cohort, left, colluding, chosen.degree, SECURITY_BITS):
        return False
    if targeted:
        least = _rare_from(cohort, left, colluding, half, SECURITY_BITS)
        return chosen.threshold - half >= least
    bad = colluding + vanishing
    return bad < cohort and half >= _rare_from(cohort, cohort - 1, bad, half, SECURITY_BITS)


def _rare_from(places: int, population: int, marked: int, draws: int, bits: int) -> int:
    """Return the smallest number of marked ones whose drawing, or of more, is rare.

    Args:
        places: How often it is drawn; the chances are added.
        population: Number drawn from.
        marked: How many of these are marked.
        draws: How many are drawn, without putting back.
        bits: Rare is a chance of at most 2 to the minus this.
    """
    ways, total = 0, math.comb(population, draws)
    for found in range(min(marked, draws), -1, -1):
        ways += math.comb(marked, found) * math.comb(population - marked, draws - found)
        if places * ways << bits > total:
            return found + 1
    raise RuntimeError("something is always drawn")

"""How a round's credits are shared out: whole, exact, the same for everybody.

The largest remainder (Hamilton's method): each site gets the whole part of its
proportional share; what is left goes, one each, to the largest remainders, ties
to the lowest site id. The shares of a round always add up to the pool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fednet.domain.identity import SiteId
from fednet.errors import AggregationError, PlanError

Earned = Mapping[SiteId, int]
CreditRule = Callable[[int, Mapping[SiteId, int]], dict[SiteId, int]]
"""From a pool and the weights of the included sites to their shares."""


def share_out(pool: int, weights: Mapping[SiteId, int]) -> dict[SiteId, int]:
    """Share out a pool in proportion to weights.

    Args:
        pool: Credits of the round, at least 0.
        weights: Examples by included site, each at least 1.

    Raises:
        AggregationError: Nobody is included, or a weight is below 1.
    """
    if not weights or min(weights.values()) < 1:
        raise AggregationError("credits need sites with weights of at least 1")
    total = sum(weights.values())
    shares = {site: pool * weights[site] // total for site in sorted(weights)}
    left = pool - sum(shares.values())
    by_remainder = sorted(shares, key=lambda site: (-(pool * weights[site] % total), site))
    for site in by_remainder[:left]:
        shares[site] += 1
    return shares


def accumulate(earned: Earned, shares: Earned) -> dict[SiteId, int]:
    """Add a round's shares to what sites earned before; sites with nothing are left out."""
    sums = {
        site: earned.get(site, 0) + shares.get(site, 0)
        for site in sorted(earned.keys() | shares.keys())
    }
    return {site: amount for site, amount in sums.items() if amount}


CREDIT_RULES: dict[str, CreditRule] = {"examples": share_out}


def credit_rule_of(name: str) -> CreditRule:
    """Find the credit rule that a plan names.

    Raises:
        PlanError: This version knows no such rule.
    """
    rule = CREDIT_RULES.get(name)
    if rule is None:
        raise PlanError("unknown credit rule", expected=" or ".join(CREDIT_RULES), actual=name)
    return rule

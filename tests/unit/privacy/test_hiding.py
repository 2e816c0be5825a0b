"""Noise in a masked sum: its variance whoever vanishes, room for it in the ring, its price."""

from __future__ import annotations

import math
from collections.abc import Collection
from decimal import Decimal
from fractions import Fraction
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fednet.domain.identity import SiteId
from fednet.domain.plan import Plan
from fednet.domain.privacy import noise_of_training
from fednet.domain.randomness import SecretWords
from fednet.domain.tensors import FloatArray
from fednet.errors import PlanError, PrivacyError
from fednet.privacy.accounting.renyi import curve_of
from fednet.privacy.accounting.sums import NoisySum, sum_curve
from fednet.privacy.clipping import cut_to_norm
from fednet.privacy.masking import (
    FixedPoint,
    Ring,
    SumNoise,
    agree_on,
    combine,
    require_maskable,
)
from fednet.privacy.noise import MOST_VARIANCE, discrete_gaussian
from tests.masking_fixtures import TEN, WEIGHT_CAP, Array, Attempt, weight_of
from tests.unit.privacy.test_agreement import masked_plan

COUNT, GONE = 20_000, frozenset({SiteId(2), SiteId(5), SiteId(9)})
FALSE_ALARM = 1e-6
"""Of one test, were its seeds not fixed."""


def noise_of(norm: str = "1", multiplier: str = "1.5", honest: int = 7) -> SumNoise:
    return SumNoise(Decimal(norm), Decimal(multiplier), honest)


def fixed_point_with(noise: SumNoise, ring: Ring = Ring.BITS_32) -> FixedPoint:
    return FixedPoint.fit(ring, Decimal(4), WEIGHT_CAP, 10, clips=True, noise=noise)


def words_of(site: int) -> SecretWords:
    return SecretWords(bytes([site]) * 32)


def short_values(site: int, count: int) -> FloatArray:
    drawn = np.random.default_rng(site).standard_normal(count).astype(np.float32)
    return cut_to_norm({"all": drawn}, Decimal(1))["all"]


def noise_in_the_sum(
    stage: str, gone: Collection[SiteId], fixed_point: FixedPoint
) -> tuple[npt.NDArray[np.int64], list[SiteId]]:
    """Play the protocol; return the masked sum minus the sum in the clear, and who is in it."""
    stages = ("keys", "shares", "holdings", "masked", "unmask", "nowhere")
    there = {
        each: sorted(TEN - set(gone)) if stages.index(each) >= stages.index(stage) else sorted(TEN)
        for each in stages
    }
    attempt = Attempt.begin(there["keys"])
    attempt.deal(there["shares"])
    attempt.hold(there["holdings"])
    dealers = attempt.close()
    attempt.mask(dealers, there["masked"], COUNT, fixed_point, short_values, words_of)
    frozen = attempt.freeze(dealers)
    attempt.disclose(frozen, there["unmask"])
    updates = {site: Array(attempt.masked[site]) for site in frozen.included}
    scale = math.ldexp(frozen.total_weight, fixed_point.exponent)
    total = np.empty(COUNT, np.int64)

    def emit(start: int, mean: Any) -> None:
        total[start : start + mean.size] = np.rint(mean * scale)

    combine(frozen, attempt.recover(frozen), updates, fixed_point, emit)
    for site in frozen.included:
        encoded = np.empty(COUNT, fixed_point.ring.dtype)
        fixed_point.encode_into(short_values(site, COUNT), weight_of(site), encoded, str(site))
        total -= fixed_point.ring.signed(encoded)
    return total, list(frozen.included)


def has_variance(noise: npt.NDArray[np.int64], variance: float) -> bool:
    """Tell whether squares over a variance add up to what chi-square allows, on either side.

    The quantiles are those of Wilson and Hilferty, 1931, right to 1e-4 for so many degrees.
    """
    found = float(np.sum((noise / math.sqrt(variance)) ** 2))
    n, far = noise.size, NormalDist().inv_cdf(1 - FALSE_ALARM / 2)
    low, high = (n * (1 - 2 / (9 * n) + side * math.sqrt(2 / (9 * n))) ** 3 for side in (-far, far))
    return low < found < high


# The variance that is stated


@pytest.mark.parametrize(
    ("stage", "counted"),
    [("keys", 7), ("shares", 7), ("holdings", 7), ("masked", 7), ("unmask", 10), ("nowhere", 10)],
)
def test_noise_has_the_stated_variance_when_three_of_ten_vanish(stage: str, counted: int) -> None:
    fixed_point = fixed_point_with(noise_of())
    noise, included = noise_in_the_sum(stage, GONE, fixed_point)
    assert len(included) == counted
    promised = (1.5 * WEIGHT_CAP * 2.0**fixed_point.exponent) ** 2
    # Seven sites are the fewest that may be opened, and have what is promised; ten have more.
    assert has_variance(noise, promised * counted / 7)
    assert not has_variance(noise, promised * (counted - 1) / 7)
    assert not has_variance(noise, promised * (counted + 1) / 7)
    assert abs(float(noise.mean())) < 5 * math.sqrt(promised * counted / 7 / COUNT)


def test_what_colluders_cannot_take_away_has_the_promised_variance() -> None:
    # Of the seven that are left two tell each other their noise: five are reckoned with.
    fixed_point = fixed_point_with(noise_of(honest=5))
    noise, _ = noise_in_the_sum("masked", GONE, fixed_point)
    for colluder in (1, 3):
        noise -= discrete_gaussian(COUNT, fixed_point.noise_share, words_of(colluder))
    promised = (1.5 * WEIGHT_CAP * 2.0**fixed_point.exponent) ** 2
    assert has_variance(noise, promised)
    assert not has_variance(noise, promised * 4 / 5)


def test_share_is_the_longest_weighted_update_times_the_multiplier_over_the_honest() -> None:
    # 3 examples * norm 2 * 2**4 steps * 0.5 = 48 steps; 48**2 / 4
    assert noise_of("2", "0.5", 4).share(3, 4) == 576


# What leaves


def test_an_update_that_noise_cannot_hide_is_refused() -> None:
    attempt = Attempt.begin(TEN)
    attempt.deal(TEN)
    attempt.hold(TEN)
    dealers, fixed_point = attempt.close(), fixed_point_with(noise_of())

    def long(site: int, count: int) -> FloatArray:
        return short_values(site, count) * np.float32(1.001)

    with pytest.raises(PrivacyError) as caught:
        attempt.mask(dealers, [SiteId(1)], COUNT, fixed_point, long, words_of)
    assert caught.value.subject == "update of site 1"
    assert "privacy.clip_norm" in caught.value.hint
    with pytest.raises(ValueError, match="drawn from"):
        attempt.mask(dealers, [SiteId(1)], COUNT, fixed_point, short_values)
    assert not attempt.masked


def test_no_encoded_update_is_longer_than_noise_reckons_with() -> None:
    fixed_point = fixed_point_with(noise_of())
    encoded = np.empty(COUNT, np.uint32)
    fixed_point.encode_into(short_values(1, COUNT), WEIGHT_CAP, encoded, "site 1")
    steps = fixed_point.ring.signed(encoded).tolist()
    longest = WEIGHT_CAP * Fraction(2) ** fixed_point.exponent
    assert longest**2 * Fraction(99, 100) < sum(step * step for step in steps) <= longest**2


def test_cutting_keeps_the_direction_and_short_updates() -> None:
    update = {"a": np.array([3.0, 0.0], np.float32), "b": np.array([[4.0]], np.float32)}
    cut = cut_to_norm(update, Decimal("2.5"))
    assert cut["a"].tolist() == pytest.approx([1.5, 0.0], rel=1e-5)
    assert cut["b"].tolist() == [pytest.approx([2.0], rel=1e-5)]
    assert math.hypot(*cut["a"].tolist(), *cut["b"][0].tolist()) < 2.5
    assert cut_to_norm(update, Decimal("5.1"))["b"] is update["b"]
    spoilt = {"a": np.array([np.nan], np.float32)}
    assert cut_to_norm(spoilt, Decimal(1))["a"] is spoilt["a"]


# Room in the ring


@pytest.mark.parametrize("multiplier", ["0.1", "1.5", "100"])
def test_every_site_at_its_largest_and_its_noise_do_not_overflow(multiplier: str) -> None:
    noise = noise_of(multiplier=multiplier, honest=4)
    fixed_point = fixed_point_with(noise)
    assert fixed_point.clip == 1  # the norm, which is below the clip bound
    most = 10 * fixed_point.largest(WEIGHT_CAP) + fixed_point.noise_reach(10)
    assert most <= fixed_point.ring.largest < 2 * most
    # twelve deviations of ten shares
    deviation = math.sqrt(10 * fixed_point.noise_share)
    assert fixed_point.noise_reach(10) == pytest.approx(12 * deviation, rel=1e-6)


def test_ring_of_64_bits_has_noise_that_can_still_be_drawn() -> None:
    fixed_point = fixed_point_with(noise_of(multiplier="2"), Ring.BITS_64)
    assert MOST_VARIANCE / 4 < fixed_point.noise_share <= MOST_VARIANCE


def test_ring_too_small_for_the_noise_is_refused_with_the_remedy() -> None:
    cap = 500_000
    FixedPoint.fit(Ring.BITS_32, Decimal(1), cap, 10, clips=True)
    with pytest.raises(PlanError) as caught:
        FixedPoint.fit(
            Ring.BITS_32, Decimal(1), cap, 10, clips=True, noise=noise_of(multiplier="5")
        )
    assert "their noise" in str(caught.value)
    assert "64 bits" in caught.value.hint
    assert "noise multiplier" in caught.value.hint
    # What it says would fit, does.
    most = int(caught.value.expected.rpartition(" ")[2])
    for cap in (most // 10, most // 10 + 1):
        fits = cap == most // 10
        try:
            FixedPoint.fit(
                Ring.BITS_32, Decimal(1), cap, 10, clips=True, noise=noise_of(multiplier="5")
            )
        except PlanError:
            assert not fits
        else:
            assert fits


def test_steps_too_coarse_for_the_accountant_are_refused() -> None:
    many = 4_000_000
    with pytest.raises(PlanError) as caught:
        FixedPoint.fit(
            Ring.BITS_32, Decimal(1), 1, many, clips=True, noise=noise_of("1", "0.1", many)
        )
    assert "squared steps" in str(caught.value.expected)


# What a plan makes of it


def hiding_plan(multiplier: str = "1.5", rounds: int = 1, **masked: Any) -> Plan:
    raw = masked_plan(**masked).model_dump()
    raw["rounds"] = rounds
    raw["privacy"] |= {
        "mechanism": "distributed-gaussian", "clip_norm": 1, "noise_multiplier": multiplier,
        "epsilon": 8, "delta": "0.00001",
    }  # fmt: skip
    return Plan.validated(raw, "plan")


def test_least_honest_sites_are_those_left_when_the_plans_parts_vanish_and_collude() -> None:
    agreed = agree_on(hiding_plan(), 10)
    assert agreed.least_updates == 7
    assert agreed.fixed_point.noise == SumNoise(Decimal(1), Decimal("1.5"), 4)
    assert agree_on(masked_plan(), 10).fixed_point.noise is None


def test_every_cohort_that_may_begin_is_looked_at() -> None:
    # With 100 times the norm noise needs most room where few sites are left.
    plan = hiding_plan("100", sites=30, minimum=11, examples=4_000)
    agree_on(plan, 30)
    with pytest.raises(PlanError, match="their noise"):
        require_maskable(plan)


@pytest.mark.parametrize(("sites", "bits"), [(10, 32), (10, 64), (200, 32)])
@pytest.mark.parametrize("multiplier", ["0.1", "3", "40"])
def test_the_accountant_charges_what_the_sum_costs(sites: int, bits: int, multiplier: str) -> None:
    plan = hiding_plan(multiplier, sites=sites, examples=100, ring_bits=bits, colluding="0.1")
    fixed_point = agree_on(plan, sites).fixed_point
    assert fixed_point.noise is not None
    longest = 100 * Fraction(2) ** fixed_point.exponent
    # Another update instead moves the sum by two norms.
    opened = NoisySum(
        math.ceil(2 * longest), 10**9, fixed_point.noise_share, fixed_point.noise.honest_sites
    )
    charged = curve_of([noise_of_training(plan.training, plan.privacy, 1_000)])
    assert charged == pytest.approx(sum_curve(opened), rel=1e-3 if bits == 32 else 1e-9)
    assert charged[9] == pytest.approx(2 * 2.0 / float(multiplier) ** 2, rel=1e-12)  # order 2

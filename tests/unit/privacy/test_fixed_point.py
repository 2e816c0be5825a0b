"""Values in the ring and back, in numbers to be checked by hand; what does not fit is refused."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from fednet.errors import AggregationError, PlanError, TrainingError
from fednet.privacy.masking import FixedPoint, Ring
from fednet.privacy.masking.fixed_point import LEAST_STEPS, MOST_WEIGHT


def fit(
    ring: Ring = Ring.BITS_32, clip: str = "1", cap: int = 3, sites: int = 2, clips: bool = True
) -> FixedPoint:
    return FixedPoint.fit(ring, Decimal(clip), cap, sites, clips=clips)


def encode(fixed_point: FixedPoint, values: list[float], weight: int) -> np.ndarray:
    out = np.empty(len(values), fixed_point.ring.dtype)
    fixed_point.encode_into(np.array(values, np.float32), weight, out, "site 1")
    return out


def mean(fixed_point: FixedPoint, total: np.ndarray, weight: int) -> list[float]:
    out = np.empty(total.size, np.float64)
    fixed_point.mean_into(total, weight, out)
    return out.tolist()


def test_scale_is_the_largest_that_two_sites_of_weight_three_leave_room_for() -> None:
    # (2**31 - 1) / 2 - 1/2 = 2**30 - 1; a third of it lies between 2**28 and 2**29.
    assert fit().exponent == 28
    # Twice the clip bound costs one bit; 2**62 - 1, a third of it: 2**60.
    assert fit(clip="2").exponent == 27
    assert fit(Ring.BITS_64).exponent == 60


def test_scale_leaves_room_for_every_site_to_round_up() -> None:
    # 649657 * (337 * 92737) * (7 * 7 * 73 * 127) is 2**63 - 1 exactly: without rounding it fits.
    assert fit(Ring.BITS_64, "649657", 337 * 92_737, 7 * 7 * 73 * 127).exponent == -1


def test_weighted_mean_of_two_sites_is_exact() -> None:
    fixed_point = fit()
    one = encode(fixed_point, [0.5, -1.0, 1.0, 0.0], 3)
    other = encode(fixed_point, [-0.25, 0.5, 1.0, 0.0], 1)
    assert one.tolist() == [3 * 2**27, 2**32 - 3 * 2**28, 3 * 2**28, 0]
    assert other.tolist() == [2**32 - 2**26, 2**27, 2**28, 0]
    # (3 * 0.5 - 0.25) / 4, (-3 + 0.5) / 4, 1, 0
    assert mean(fixed_point, one + other, 4) == [0.3125, -0.625, 1.0, 0.0]


def test_rounding_is_to_the_nearest_and_ties_go_to_the_even() -> None:
    fixed_point = fit()
    step = 2.0**-28
    assert encode(fixed_point, [0.5 * step, 1.5 * step, 1.25 * step, -0.75 * step], 1).tolist() == [
        0, 2, 1, 2**32 - 1,
    ]  # fmt: skip
    # Multiplied by the weight first: half a step of weight three is a step and a half.
    assert encode(fixed_point, [0.5 * step], 3).tolist() == [2]


@pytest.mark.parametrize("ring", list(Ring))
@pytest.mark.parametrize(("clip", "cap", "sites"), [("1", 1, 1), ("0.1", 1_000, 20), ("7", 9, 300)])
def test_every_site_at_its_largest_does_not_overflow(
    ring: Ring, clip: str, cap: int, sites: int
) -> None:
    fixed_point = fit(ring, clip, cap, sites)
    top = float(np.float32(clip))
    for sign in (1, -1):
        encoded = encode(fixed_point, [sign * top], cap)
        assert abs(int(ring.signed(encoded)[0])) <= fixed_point.largest(cap)
        total = np.zeros(1, ring.dtype)
        for _ in range(sites):
            total += encoded
        assert int(ring.signed(total)[0]) == sites * int(ring.signed(encoded)[0])
        assert mean(fixed_point, total, sites * cap)[0] == pytest.approx(sign * top, rel=1e-6)
    # And a scale twice as fine would not fit.
    twice = cap * Fraction(fixed_point.clip) * Fraction(2) ** (fixed_point.exponent + 1)
    assert sites * (twice + Fraction(1, 2)) > ring.largest


@pytest.mark.parametrize("clip", ["0.1", "0.3", "1e-30", "12345.678", "1.00000001"])
def test_clip_bound_is_rounded_down_to_a_float32(clip: str) -> None:
    found = fit(clip=clip).clip
    assert Decimal(found) <= Decimal(clip)
    assert Decimal(float(np.nextafter(np.float32(found), np.float32(np.inf)))) > Decimal(clip)


def test_values_beyond_the_bound_are_clipped_or_refused_as_the_plan_says() -> None:
    assert encode(fit(), [9.0, -9.0], 1).tolist() == encode(fit(), [1.0, -1.0], 1).tolist()
    with pytest.raises(TrainingError) as caught:
        encode(fit(clips=False), [0.5, -9.0], 1)
    assert (caught.value.subject, caught.value.actual) == ("site 1", "9")
    assert "clip" in caught.value.hint
    assert encode(fit(clips=False), [1.0, -1.0], 1).tolist() == [2**28, 2**32 - 2**28]


@pytest.mark.parametrize("clips", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(value: float, clips: bool) -> None:
    with pytest.raises(TrainingError, match="not finite"):
        encode(fit(clips=clips), [0.0, value, 2.0], 1)


def test_ring_too_small_for_the_weights_is_refused_with_the_remedy() -> None:
    most = (2**31 - 1) // LEAST_STEPS
    assert fit(cap=most // 2 - 1).exponent == 8
    with pytest.raises(PlanError) as caught:
        fit(cap=most // 2 + 1)
    assert caught.value.expected == f"sites * weight cap of at most {most}"
    assert caught.value.actual == f"2 * {most // 2 + 1}"
    assert "64 bits" in caught.value.hint
    assert fit(Ring.BITS_64, cap=most // 2 + 1).exponent > 30
    with pytest.raises(PlanError):
        fit(sites=2**33)


@pytest.mark.parametrize("cap", [0, MOST_WEIGHT + 1])
def test_weights_that_float64_cannot_take_exactly_are_refused(cap: int) -> None:
    with pytest.raises(PlanError) as caught:
        fit(Ring.BITS_64, cap=cap)
    assert caught.value.actual == cap


@pytest.mark.parametrize("clip", ["0", "-1", "1e-40", "1e39", "1e400"])
def test_clip_bounds_that_no_float32_is_are_refused(clip: str) -> None:
    with pytest.raises(PlanError, match="clip bound"):
        fit(clip=clip)


@pytest.mark.parametrize("weight", [0, 4])
def test_weight_beyond_the_cap_is_the_callers_mistake(weight: int) -> None:
    with pytest.raises(ValueError, match="weight"):
        encode(fit(), [1.0], weight)


def test_sum_that_honest_sites_cannot_have_is_refused() -> None:
    fixed_point = fit()
    most = fixed_point.largest(3) + fixed_point.largest(1)
    assert most == 4 * 2**28
    fixed_point.require_possible(np.array([most, 2**32 - most], np.uint32), most)
    for value in (most + 1, 2**32 - most - 1):
        with pytest.raises(AggregationError) as caught:
            fixed_point.require_possible(np.array([0, value], np.uint32), most)
        assert caught.value.actual == f"{most + 1} steps"

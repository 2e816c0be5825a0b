"""The discrete Gaussian is exact, and a sum has the noise that was promised whoever drops out."""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pytest

from fednet.domain.randomness import SecretWords
from fednet.errors import PrivacyError
from fednet.privacy.noise import (
    clipped,
    discrete_gaussian,
    gaussian,
    noise_share,
    total_variance,
)
from fednet.privacy.noise.uniform import Uniform

KEY = bytes(range(32))


class Scripted:
    """Hand out given words, then those of a stream."""

    def __init__(self, *words: int) -> None:
        self._words = list(words)
        self._then = SecretWords(KEY)
        self.taken = 0

    def take(self, count: int) -> npt.NDArray[np.uint64]:
        self.taken += count
        given, self._words = self._words[:count], self._words[count:]
        rest = self._then.take(count - len(given))
        return np.concatenate([np.array(given, np.uint64), rest])


def chi_square(drawn: npt.NDArray[np.int64], variance: float, reach: int) -> float:
    """Compare counts of -reach..reach, and what is beyond, with their exact chances."""
    weights = [math.exp(-k * k / (2 * variance)) for k in range(-200, 201)]
    within = [math.exp(-k * k / (2 * variance)) / sum(weights) for k in range(-reach, reach + 1)]
    counts = [int((drawn == k).sum()) for k in range(-reach, reach + 1)]
    expected = [*(share * len(drawn) for share in within), (1 - sum(within)) * len(drawn)]
    counts.append(len(drawn) - sum(counts))
    return sum((n - wanted) ** 2 / wanted for n, wanted in zip(counts, expected, strict=True))


@pytest.mark.parametrize(
    ("variance", "reach", "once_in_a_thousand"),
    # chi-square with 2 * reach + 1 degrees of freedom
    [(Fraction(1, 3), 2, 20.52), (Fraction(4), 5, 31.26), (Fraction(19, 2), 8, 40.79)],
)
def test_numbers_have_the_chances_of_the_discrete_gaussian(
    variance: Fraction, reach: int, once_in_a_thousand: float
) -> None:
    drawn = discrete_gaussian(100_000, variance, SecretWords(KEY))
    assert chi_square(drawn, float(variance), reach) < once_in_a_thousand
    # the test can tell: a tenth more variance is found out
    assert chi_square(drawn, float(variance) * 1.1, reach) > once_in_a_thousand


def test_wide_numbers_are_normal() -> None:
    drawn = discrete_gaussian(100_000, Fraction(10**9), SecretWords(KEY))
    edges = [NormalDist(0, 10**4.5).inv_cdf(share) for share in np.linspace(0.05, 0.95, 19)]
    counts = np.bincount(np.searchsorted(edges, drawn), minlength=20)
    assert float(((counts - 5_000) ** 2 / 5_000).sum()) < 43.82
    # the last binary digit is fair: no grid shows
    assert abs(int((drawn & 1).sum()) - 50_000) < 4 * math.sqrt(100_000) / 2


@pytest.mark.parametrize("variance", [Fraction(1, 3), Fraction(7), Fraction(10**9 + 1, 3)])
def test_floats_decide_nothing_that_fractions_would_not(
    variance: Fraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = discrete_gaussian(300, variance, SecretWords(KEY))
    monkeypatch.setattr(gaussian, "_ROOM", 2.0)  # every comparison is made by fractions
    assert np.array_equal(discrete_gaussian(300, variance, SecretWords(KEY)), quick)


def test_a_word_on_a_threshold_is_decided_by_further_digits() -> None:
    # exp(-1) = 0.5e2d58d8b3bcdf1a|badec7829054f90d... in base 16
    on_it = 0x5E2D58D8B3BCDF1A
    assert on_it in gaussian._THRESHOLDS
    below, above = Scripted(0xBADEC78290000000), Scripted(0xBADEC782A0000000)
    for words, expected in ((below, 1), (above, 0)):
        drawn = np.array([on_it], np.uint64)
        assert gaussian._scales(drawn, words)[0] == expected
        assert words.taken == 1
    plain = np.array([on_it + 1, on_it - 1, (1 << 64) - 1, 0], np.uint64)
    found = gaussian._scales(plain, SecretWords(KEY))
    assert found[:3].tolist() == [0, 1, 0]
    assert found[3] >= 44  # 2**-64 is below exp(-44)


def test_a_uniform_number_draws_digits_only_where_they_matter() -> None:
    words = Scripted()
    assert Uniform(0, words).is_below_exp(Fraction(0))
    assert Uniform(1 << 62, words).is_below_exp(Fraction(1))
    assert not Uniform(1 << 63, words).is_below_exp(Fraction(1))
    assert words.taken == 0


@pytest.mark.parametrize("variance", [Fraction(0), Fraction(-1), Fraction(1 << 81)])
def test_a_variance_out_of_range_is_refused(variance: Fraction) -> None:
    with pytest.raises(PrivacyError):
        discrete_gaussian(1, variance, SecretWords(KEY))


def test_nobody_can_foretell_the_words() -> None:
    assert not np.array_equal(SecretWords().take(4), SecretWords().take(4))


# Shares of a sum


def test_sum_has_the_promised_variance_when_three_of_ten_vanish() -> None:
    promised, least = Fraction(700), 7
    share = noise_share(promised, least)
    sites = [
        discrete_gaussian(20_000, share, SecretWords(bytes([number] * 32))) for number in range(10)
    ]
    for survivors in (range(7), range(3, 10), (0, 2, 4, 5, 6, 8, 9)):
        summed = sum(sites[number] for number in survivors)
        # standard error of a variance over 20,000: 1 %
        assert np.var(summed) == pytest.approx(700, rel=0.04)
    everybody = sum(sites)
    assert np.var(everybody) == pytest.approx(float(total_variance(share, 10)), rel=0.04)
    assert total_variance(share, 7) == promised
    # shares of different sites have nothing to do with one another
    assert abs(np.corrcoef(sites)[0, 1:]).max() < 0.04


@pytest.mark.parametrize(("total", "least"), [(Fraction(0), 3), (Fraction(5), 0)])
def test_no_noise_is_no_share(total: Fraction, least: int) -> None:
    with pytest.raises(PrivacyError):
        noise_share(total, least)


# What noise is added to


def exact_norm_squared(values: npt.NDArray[np.int64]) -> int:
    return sum(each * each for each in values.ravel().tolist())


@pytest.mark.parametrize("norm", [1, 100, 1 << 20])
def test_clipped_vectors_are_no_longer_than_the_norm(norm: int) -> None:
    drawn = np.random.default_rng(1).normal(size=(50, 20))
    for scale in (0.01, 1.0, 1e6, 1e30, 1e200):
        found = clipped(drawn * scale, norm)
        assert exact_norm_squared(found) <= norm**2
    long = clipped(drawn * 1e30, norm)
    assert math.isqrt(exact_norm_squared(long)) >= norm * 0.9 - 32


def test_short_vectors_are_only_rounded_towards_zero() -> None:
    assert clipped(np.array([1.9, -1.9, 0.5, 3.0]), 100).tolist() == [1, -1, 0, 3]
    assert clipped(np.zeros(3), 5).tolist() == [0, 0, 0]
    assert clipped(np.zeros(0), 5).tolist() == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(PrivacyError):
        clipped(np.array([1.0, bad]), 10)

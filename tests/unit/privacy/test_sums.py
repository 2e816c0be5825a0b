"""What a noisy sum costs a site, and a clipping norm that follows the sites."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest

from fednet.errors import PrivacyError
from fednet.privacy.accounting.renyi import ORDERS, epsilon_of
from fednet.privacy.accounting.sums import NoisySum, concentration, sum_curve
from fednet.privacy.clipping import next_norm


def test_much_noise_costs_what_a_gaussian_of_that_variance_costs() -> None:
    # norm 100, total variance 7 * 100 = 700: rho = 100^2 / (2 * 700)
    opened = NoisySum(norm=100, values=1_000_000, share=Fraction(100), sites=7)
    assert concentration(opened) == pytest.approx(10_000 / 1_400, rel=1e-12)
    assert sum_curve(opened)[ORDERS.index(2.0)] == pytest.approx(2 * 10_000 / 1_400, rel=1e-12)
    more = NoisySum(norm=100, values=1_000_000, share=Fraction(100), sites=10)
    assert concentration(more) == pytest.approx(10_000 / 2_000, rel=1e-12)


def test_little_noise_costs_what_sums_of_it_lack_of_a_gaussian() -> None:
    # tau = 10 exp(-2 pi^2 (1/4) (1/2)) = 10 exp(-2.4674) = 0.84805; the total deviation is
    # sqrt(1/2); norm 1, 1 value: (1 / 0.70711 + 0.84805)^2 / 2 = 2.5588, and
    # (2 + 2 * 0.84805 / 0.70711 + 0.71919) / 2 = 2.5589: equal, as norm and sum are.
    opened = NoisySum(norm=1, values=1, share=Fraction(1, 4), sites=2)
    tau = 10 * math.exp(-(math.pi**2) / 4)
    assert tau == pytest.approx(0.84805, abs=1e-4)
    assert concentration(opened) == pytest.approx(2.5589, abs=1e-3)
    # at high orders the bound that does not grow with it is the smaller: a + tau at order a
    assert sum_curve(opened)[-1] == pytest.approx(63 * 1 + tau, rel=1e-9)


def test_openings_add_up() -> None:
    opened = NoisySum(norm=100, values=10, share=Fraction(3_000), sites=7)
    once = sum_curve(opened)
    ten = tuple(10 * each for each in once)
    assert epsilon_of(once, 1e-5) < epsilon_of(ten, 1e-5) < 10 * epsilon_of(once, 1e-5)


def test_noise_that_nothing_is_known_of_is_refused() -> None:
    with pytest.raises(PrivacyError) as caught:
        NoisySum(norm=1, values=1, share=Fraction(1, 5), sites=2)
    assert caught.value.hint
    with pytest.raises(PrivacyError):
        NoisySum(norm=1, values=1, share=Fraction(1), sites=0)


def test_clipping_norm_moves_towards_the_quantile() -> None:
    # half of ten are within and half should be: it stays
    stays = next_norm(Decimal("1.5"), Fraction(5), 10, Decimal("0.5"), Decimal("0.2"))
    assert stays == Decimal("1.5")
    # all are within: exp(-0.2 * 0.5) = 0.904837418036
    down = next_norm(Decimal(1), Fraction(10), 10, Decimal("0.5"), Decimal("0.2"))
    assert str(down) == "0.904837418036"
    # none: exp(0.2 * 0.5) = 1.10517091808
    up = next_norm(Decimal(1), Fraction(0), 10, Decimal("0.5"), Decimal("0.2"))
    assert str(up) == "1.10517091808"


def test_noise_in_the_count_moves_the_norm_no_further_than_all_or_none() -> None:
    move = (Decimal(1), Decimal("0.5"), Decimal("0.2"))
    for count, same_as in ((Fraction(27, 2), 10), (Fraction(-3), 0)):
        found = next_norm(move[0], count, 10, *move[1:])
        assert found == next_norm(move[0], Fraction(same_as), 10, *move[1:])


def test_clipping_norm_finds_the_median_of_honest_norms() -> None:
    lengths = [Fraction(each, 10) for each in (3, 5, 8, 13, 21, 34, 55)]
    norm = Decimal(1)
    for _ in range(200):
        within = sum(each <= Fraction(norm) for each in lengths)
        norm = next_norm(norm, Fraction(within), 7, Decimal("0.5"), Decimal("0.1"))
    assert Decimal("0.8") < norm < Decimal("1.5")


@pytest.mark.parametrize(
    ("norm", "sites", "target"), [("0", 10, "0.5"), ("1", 0, "0.5"), ("1", 10, "1.5")]
)
def test_clipping_norm_out_of_range_is_refused(norm: str, sites: int, target: str) -> None:
    with pytest.raises(PrivacyError):
        next_norm(Decimal(norm), Fraction(1), sites, Decimal(target), Decimal("0.2"))

"""A clipping norm that follows the sites: what they tell in the sum, and what all make of it."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fednet.domain.identity import SiteId
from fednet.domain.sections import PrivacySection
from fednet.domain.tensors import FloatArray
from fednet.privacy.clipping import cut_to_norm, is_within
from fednet.privacy.masking import Hearing, Telling, agree_on, combine, noise_in_mean, round_norm
from fednet.privacy.masking.adapting import COUNT, UPDATE
from tests.masking_fixtures import TEN, Array, Attempt, weight_of
from tests.unit.privacy.test_hiding import hiding_plan, words_of

SMALL = 999
HALF = PrivacySection(quantile=Decimal("0.5"))


def spoken(values: list[float], norm: str, within: bool, chunk: int = 2) -> npt.NDArray[Any]:
    """Read what is told of an update, a chunk at a time."""
    telling = Telling(Array(np.array(values, np.float32)), Decimal(norm), within)
    out = np.empty(telling.element_count, np.float32)
    for start in range(0, out.size, chunk):
        telling.read_into(start, out[start : start + chunk])
    return out


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 9])
@pytest.mark.parametrize(("within", "word"), [(True, 0.25), (False, -0.25)])
def test_update_is_told_in_units_of_the_norm_and_the_word_after_it(
    chunk: int, within: bool, word: float
) -> None:
    found = spoken([1.0, -2.0, 0.0], "4", within, chunk)
    # sqrt(15) / 4 of a quarter and of a half
    assert found.tolist() == pytest.approx([math.sqrt(15) / 16, -math.sqrt(15) / 8, 0, word])


def test_word_and_update_together_are_as_long_as_noise_reckons_with() -> None:
    assert pytest.approx(1) == UPDATE**2 + COUNT**2
    drawn = np.random.default_rng(1).standard_normal(5_000).astype(np.float32) * 1e4
    cut = cut_to_norm({"all": drawn}, Decimal("0.3"))["all"]
    length = math.sqrt(float(np.sum(spoken(cut.tolist(), "0.3", False, 5_001).astype(float) ** 2)))
    assert 1 - 1e-5 < length <= 1 - 2.0**-21


def heard(mean: list[float], norm: str, chunk: int) -> tuple[list[float], Hearing]:
    out: list[float] = []
    hearing = Hearing(lambda start, part: out.extend(part.tolist()), len(mean) - 1, Decimal(norm))
    for start in range(0, len(mean), chunk):
        hearing.take(start, np.array(mean[start : start + chunk]))
    return out, hearing


@pytest.mark.parametrize("chunk", [1, 2, 3, 4, 9])
def test_mean_is_measured_by_the_norm_again_and_its_word_kept(chunk: int) -> None:
    # A word of 0.125 in the mean: three quarters were within, a quarter more than should be.
    out, hearing = heard([UPDATE / 4, -UPDATE / 2, 0.0, 0.125], "4", chunk)
    assert out == pytest.approx([1.0, -2.0, 0.0])
    # 4 * exp(-0.2 * 0.25)
    assert hearing.settle(HALF) == {"next_norm": "3.804917698", "within": "0.750"}


@pytest.mark.parametrize(
    ("word", "share", "factor"), [(9.0, "18.500", -0.1), (-9.0, "-17.500", 0.1)]
)
def test_noise_in_the_word_moves_the_norm_no_further_than_all_or_none(
    word: float, share: str, factor: float
) -> None:
    settled = heard([0.0, word], "1", 2)[1].settle(HALF)
    assert settled["within"] == share
    assert float(str(settled["next_norm"])) == pytest.approx(math.exp(factor))


def test_norm_stays_within_what_can_be_written() -> None:
    quick = PrivacySection(quantile=Decimal("0.5"), norm_rate=Decimal(2))
    assert heard([0.0, 1.0], "1E-9", 2)[1].settle(quick)["next_norm"] == "0.000000001"
    assert heard([0.0, -1.0], "1E+9", 2)[1].settle(quick)["next_norm"] == "1000000000"


@pytest.mark.parametrize(
    "told",
    ["", "0", "-1", "nan", "1e3", "01", "1E+999999999", "0.0000000001", "1000000001", "7" * 99],
)
def test_what_is_no_norm_in_a_record_is_the_plans_own(told: str) -> None:
    adapting = PrivacySection(clip_norm=Decimal(3), quantile=Decimal("0.5"))
    assert round_norm(adapting, told) == 3
    assert round_norm(adapting, "0.904837418036") == Decimal("0.904837418036")
    assert round_norm(PrivacySection(clip_norm=Decimal(3)), "0.5") == 3


def test_noise_in_the_mean_is_that_of_the_first_norm_and_a_little_more() -> None:
    fixed, follows = hiding_plan(), hiding_plan(clip=1)
    moved = follows.privacy.model_copy(update={"quantile": Decimal("0.5"), "clip_norm": Decimal(3)})
    plan = follows.model_copy(update={"privacy": moved})
    noise = agree_on(plan, 10).fixed_point.noise
    assert noise is not None
    assert noise.norm == 1
    plain = agree_on(fixed, 10).fixed_point.noise
    assert plain is not None
    assert noise_in_mean(moved, noise, 7) == pytest.approx(
        3 * noise_in_mean(fixed.privacy, plain, 7) / math.sqrt(15 / 16)
    )


def test_norm_finds_the_median_of_ten_sites_inside_the_masked_sum() -> None:
    """Two of ten vanish; noise is small, so that the mean and the norm can be told."""
    plan = hiding_plan("0.1", clip=1)
    privacy = plan.privacy.model_copy(update={"quantile": Decimal("0.5"), "norm_rate": Decimal(1)})
    fixed_point = agree_on(plan.model_copy(update={"privacy": privacy}), 10).fixed_point
    there = sorted(TEN)[:8]
    weights = {site: weight_of(site) for site in there}

    def raw(site: int) -> dict[str, FloatArray]:
        drawn = np.random.default_rng(site).standard_normal(SMALL).astype(np.float32)
        return {"all": cut_to_norm({"all": drawn}, Decimal(site))["all"]}

    norm = Decimal(1)
    for _ in range(12):
        attempt = Attempt.begin(TEN)
        attempt.deal(TEN)
        attempt.hold(TEN)
        dealers = attempt.close()

        def told(site: int, count: int, norm: Decimal = norm) -> FloatArray:
            update = raw(site)
            cut = cut_to_norm(update, norm)["all"]
            out = np.empty(count, np.float32)
            Telling(Array(cut), norm, is_within(update, norm)).read_into(0, out)
            return out

        attempt.mask(dealers, there, SMALL + 1, fixed_point, told, words_of)
        frozen = attempt.freeze(dealers)
        attempt.disclose(frozen, there)
        mean = np.empty(SMALL)

        def emit(start: int, part: npt.NDArray[np.float64], mean: Any = mean) -> None:
            mean[start : start + part.size] = part

        hearing = Hearing(emit, SMALL, norm)
        updates = {SiteId(site): Array(attempt.masked[site]) for site in there}
        combine(frozen, attempt.recover(frozen), updates, fixed_point, hearing.take)
        clear = sum(
            weights[site] * cut_to_norm(raw(site), norm)["all"].astype(float) for site in there
        ) / sum(weights.values())
        assert fixed_point.noise is not None
        noise = noise_in_mean(privacy, fixed_point.noise, 8) * float(norm)
        # Weights are below the cap, by which noise is measured.
        noise *= 8 * 1_000 / sum(weights.values())
        assert np.std(mean - clear) == pytest.approx(noise, rel=0.15)
        norm = round_norm(privacy, str(hearing.settle(privacy)["next_norm"]))
    # Site n is n long and weighs more the higher n is: half of the weight is within 6.
    within = [sum(w for site, w in weights.items() if site <= bound) for bound in (4, 6)]
    assert within[0] < sum(weights.values()) / 2 < within[1]
    assert 4 < norm < Decimal("6.6")

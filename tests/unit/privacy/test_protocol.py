"""Whole attempts: whoever vanishes when, the sum is exactly that of the updates that count."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from fednet.domain.identity import SiteId
from fednet.errors import QuorumError
from fednet.privacy.masking import Bound, Parameters, Ring
from fednet.privacy.masking.streams import CHUNK_ELEMENTS
from tests.masking_fixtures import (
    OF_TEN,
    STAGES,
    TEN,
    Attempt,
    clear_mean,
    clear_sum,
    fixed_point_of,
    play,
    values_of,
    weight_of,
)

COUNT = 500
GONE = frozenset({SiteId(2), SiteId(5), SiteId(9)})
MANY = frozenset(SiteId(number * 7) for number in range(1, 61))
OF_MANY = Parameters(degree=12, threshold=5, least_sites=50)


@pytest.mark.parametrize("ring", list(Ring))
@pytest.mark.parametrize("stage", STAGES)
def test_three_of_ten_vanish_at_each_stage_and_the_sum_is_exact(stage: str, ring: Ring) -> None:
    played = play({stage: GONE}, ring=ring, count=COUNT)
    counted = TEN if stage == "unmask" else TEN - GONE
    assert set(played.frozen.included) == counted
    expected = clear_mean(sorted(counted), fixed_point_of(ring), COUNT)
    assert played.mean.tobytes() == expected.tobytes()
    assert not played.recovery.faults
    assert not played.recovery.missing


def test_one_vanishes_at_three_stages_each() -> None:
    played = play(
        {"shares": [SiteId(2)], "masked": [SiteId(5)], "unmask": [SiteId(9)]}, count=COUNT
    )
    counted = sorted(TEN - {SiteId(2), SiteId(5)})
    assert played.mean.tobytes() == clear_mean(counted, fixed_point_of(), COUNT).tobytes()
    assert played.frozen.vanished == (5,)


def test_mean_is_the_weighted_mean_of_the_clipped_values() -> None:
    played = play({"masked": GONE}, count=COUNT)
    counted = sorted(TEN - GONE)
    weights = np.array([weight_of(site) for site in counted], np.float64)
    clipped = np.stack([np.clip(values_of(site, COUNT), -4, 4) for site in counted])
    plain = (weights[:, None] * clipped.astype(np.float64)).sum(axis=0) / weights.sum()
    step = 2.0 ** -fixed_point_of().exponent
    assert np.abs(played.mean - plain).max() <= len(counted) * step / 2 / weights.sum() + 1e-7


def test_sum_of_many_chunks_is_exact() -> None:
    count = 2 * CHUNK_ELEMENTS + 77
    played = play({"masked": GONE}, count=count)
    assert (
        played.mean.tobytes() == clear_mean(sorted(TEN - GONE), fixed_point_of(), count).tobytes()
    )


def test_sparse_graph_gives_the_exact_sum_when_some_vanish_at_every_stage() -> None:
    gone = {stage: [site] for stage, site in zip(STAGES, sorted(MANY)[::13], strict=True)}
    played = play(gone, cohort=MANY, parameters=OF_MANY, count=COUNT)
    away = {gone[stage][0] for stage in STAGES if stage != "unmask"}
    counted = sorted(MANY - away)
    # Who dealt and fell silent before saying what it holds still masks no update.
    assert set(played.frozen.included) == set(counted)
    expected = clear_mean(counted, fixed_point_of(sites=len(MANY)), COUNT)
    assert played.mean.tobytes() == expected.tobytes()
    assert all(len(near) <= 12 for near in played.frozen.dealers.neighbours.values())


@pytest.mark.parametrize("stage", ["keys", "shares", "masked", "unmask"])
def test_below_the_threshold_the_attempt_ends_and_nothing_is_unmasked(stage: str) -> None:
    with pytest.raises(QuorumError) as caught:
        play({stage: [*GONE, SiteId(10)]}, count=COUNT)
    assert caught.value.hint


def test_attempt_that_lacks_shares_goes_on_when_they_come() -> None:
    attempt = Attempt.begin(TEN)
    attempt.deal(TEN)
    attempt.hold(TEN)
    dealers = attempt.close()
    attempt.mask(dealers, TEN, COUNT, fixed_point_of())
    frozen = attempt.freeze(dealers)
    attempt.disclose(frozen, sorted(TEN)[:5])
    recovery = attempt.recover(frozen)
    assert set(recovery.missing) == TEN
    assert not recovery.secrets
    with pytest.raises(QuorumError):
        attempt.combine(frozen, recovery, fixed_point_of())
    attempt.disclose(frozen, sorted(TEN)[5:7])
    mean = attempt.combine(frozen, attempt.recover(frozen), fixed_point_of())
    assert mean.tobytes() == clear_mean(sorted(TEN), fixed_point_of(), COUNT).tobytes()


def test_whichever_shares_come_the_bytes_are_the_same() -> None:
    means = {
        play({"unmask": [SiteId(number)]}, count=COUNT).mean.tobytes() for number in (1, 6, 10)
    }
    assert len(means) == 1


def test_masked_update_tells_nothing_and_a_sum_with_masks_left_neither() -> None:
    attempt = Attempt.begin(TEN)
    attempt.deal(TEN)
    attempt.hold(TEN)
    fixed_point = fixed_point_of()
    attempt.mask(attempt.close(), TEN, 20_000, fixed_point)
    for site, masked in attempt.masked.items():
        plain = clear_sum([site], fixed_point, 20_000)
        assert np.count_nonzero(masked == plain) == 0
        counts = np.bincount(masked.view(np.uint8), minlength=256)
        expected = masked.nbytes / 256
        assert float(((counts - expected) ** 2 / expected).sum()) < 400
    # All pairs' masks cancel here; the self-masks alone still hide the sum.
    total = sum(attempt.masked.values(), np.zeros(20_000, "<u4"))
    assert np.count_nonzero(total == clear_sum(sorted(TEN), fixed_point, 20_000)) == 0


def test_parameters_of_the_tests_are_those_of_the_rule() -> None:
    assert Bound(Decimal("0.3"), Decimal("0.3")).fit(10) == OF_TEN

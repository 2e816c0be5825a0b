"""Secure aggregation, whatever comes: sums that fit, shares that give back, bytes that are refused.

A mutated byte is read as what it was or refused with our own error, never with a
traceback of something else.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.domain.update import Manifest
from fednet.errors import FednetError, PhaseError, PlanError, QuorumError, VerificationError
from fednet.privacy.masking import (
    FixedPoint,
    Frozen,
    Ring,
    Unmasking,
    Wrong,
    bind,
    read_dealing,
    read_disclosure,
    read_masked_header,
    receive,
    unpack_holding,
    write_masked_header,
)
from fednet.privacy.masking.masked import masks_of
from fednet.privacy.masking.shamir import PRIME, join, split
from fednet.privacy.masking.streams import Masks
from tests.masking_fixtures import (
    OF_TEN,
    PLACE,
    STAGES,
    TEN,
    Attempt,
    clear_mean,
    fixed_point_of,
    play,
)

ONE = SiteId(1)
BASE = Commitment(bytes([7]) * 32)
MANIFEST = Manifest(PLACE, ONE, BASE, 98, Digest(bytes([9]) * 32))
COUNT = 40

rings = st.sampled_from(Ring)
clips = st.decimals(Decimal("1e-30"), Decimal("1e30"), allow_nan=False)
secrets = st.one_of(st.integers(0, PRIME - 1), st.sampled_from([0, 1, 2**255, PRIME - 1])).map(
    lambda number: number.to_bytes(32, "little")
)


def fit(ring: Ring, clip: Decimal, cap: int, sites: int) -> FixedPoint:
    try:
        return FixedPoint.fit(ring, clip, cap, sites, clips=True)
    except PlanError:
        assume(False)
        raise


@given(
    rings, clips, st.integers(1, 1 << 22), st.integers(1, 300),
    st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1)), min_size=1, max_size=12),
)  # fmt: skip
def test_sum_is_exact_and_the_mean_within_its_bound(
    ring: Ring, clip: Decimal, cap: int, most: int, sites: list[tuple[float, float]]
) -> None:
    fixed_point = fit(ring, clip, cap, max(most, len(sites)))
    scale = Fraction(2) ** fixed_point.exponent
    total = np.zeros(1, ring.dtype)
    exact, in_integers, weights = Fraction(0), 0, 0
    for value, share in sites:
        weight = max(1, int(share * cap))
        array = np.array([np.float32(value * fixed_point.clip)], np.float32)
        encoded = np.empty(1, ring.dtype)
        fixed_point.encode_into(array, weight, encoded, "site")
        total += encoded
        product = weight * Fraction(float(array[0]))
        # Round half to even, by exact fractions.
        in_integers += round(product * scale)
        exact += product
        weights += weight
    assert int(ring.signed(total)[0]) == in_integers
    mean = np.empty(1, np.float64)
    fixed_point.mean_into(total, weights, mean)
    bound = len(sites) / (2 * weights * scale)
    rounding = abs(exact / weights) / 2**51
    assert abs(Fraction(float(mean[0])) - exact / weights) <= bound + rounding


@given(rings, st.lists(st.floats(width=32), min_size=1, max_size=20), st.integers(1, 1_000))
def test_any_float_is_encoded_within_its_weights_bound_or_refused(
    ring: Ring, values: list[float], weight: int
) -> None:
    fixed_point = fixed_point_of(ring)
    out = np.empty(len(values), ring.dtype)
    array = np.array(values, np.float32)
    if not np.isfinite(array).all():
        with pytest.raises(FednetError):
            fixed_point.encode_into(array, weight, out, "site")
        return
    fixed_point.encode_into(array, weight, out, "site")
    most = fixed_point.largest(weight)
    assert all(-most <= int(each) <= most for each in ring.signed(out))
    fixed_point.require_possible(out, most)


@given(
    secrets,
    st.lists(st.integers(1, 2**32 - 1), min_size=2, max_size=9, unique=True),
    st.binary(min_size=32, max_size=32),
    st.data(),
)
def test_shares_give_back_the_secret_from_the_threshold_on(
    secret: bytes, holders: list[int], key: bytes, data: st.DataObject
) -> None:
    threshold = data.draw(st.integers(2, len(holders)))
    shares = split(secret, threshold, holders, key)
    some = data.draw(st.permutations(shares))
    assert join(some[:threshold], threshold) == secret
    assert join(some, threshold) == secret
    with pytest.raises(QuorumError):
        join(some[: threshold - 1], threshold)
    with pytest.raises(VerificationError):
        join([*some[1:], some[1]], threshold)


@settings(max_examples=10)
@given(st.permutations(sorted(TEN)), st.lists(st.sampled_from(STAGES), min_size=3, max_size=3))
def test_whichever_three_vanish_whenever_the_sum_is_exact(
    order: list[SiteId], stages: list[str]
) -> None:
    gone: dict[str, list[SiteId]] = {stage: [] for stage in STAGES}
    for site, stage in zip(order, stages, strict=False):
        gone[stage].append(site)
    played = play(gone, count=COUNT)
    away = {site for stage in STAGES if stage != "unmask" for site in gone[stage]}
    expected = clear_mean(sorted(TEN - away), fixed_point_of(), COUNT)
    assert played.mean.tobytes() == expected.tobytes()


@settings(max_examples=10)
@given(st.lists(st.tuples(st.sampled_from(STAGES), st.sampled_from(sorted(TEN))), max_size=8))
def test_however_many_vanish_the_sum_is_exact_or_there_is_none(
    falls: list[tuple[str, SiteId]],
) -> None:
    gone: dict[str, list[SiteId]] = {stage: [] for stage in STAGES}
    for stage, site in falls:
        gone[stage].append(site)
    away = {site for stage in STAGES if stage != "unmask" for site in gone[stage]}
    try:
        played = play(gone, count=COUNT)
    except QuorumError:
        assert len(away | set(gone["unmask"])) > len(TEN) - 1 - OF_TEN.threshold
        return
    expected = clear_mean(sorted(TEN - away), fixed_point_of(), COUNT)
    assert played.mean.tobytes() == expected.tobytes()


@pytest.fixture(scope="module")
def played() -> tuple[Attempt, Frozen]:
    attempt = Attempt.begin(TEN)
    attempt.deal(TEN)
    attempt.hold(TEN)
    dealers = attempt.close()
    attempt.mask(dealers, sorted(TEN)[:8], COUNT, fixed_point_of())
    frozen = attempt.freeze(dealers)
    attempt.disclose(frozen, sorted(TEN)[:8])
    return attempt, frozen


def test_masks_of_any_pair_cancel(played: tuple[Attempt, Frozen]) -> None:
    attempt, frozen = played
    for one, two in itertools.combinations(sorted(TEN), 2):
        of_one, of_two = (masks_of(frozen.dealers, attempt.secrets[site]) for site in (one, two))
        shared = [(term, other) for term in of_one for other in of_two if term.key == other.key]
        assert len(shared) == 1
        vector = np.zeros(8, "<u4")
        Masks(list(shared[0]), Ring.BITS_32).add_to(vector)
        assert not vector.any()


mutations = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 1 << 14), st.integers(1, 255)),
    st.tuples(st.just("cut"), st.integers(0, 1 << 14), st.just(0)),
    st.tuples(st.just("add"), st.just(0), st.integers(0, 255)),
    st.tuples(st.just("zero"), st.integers(0, 1 << 14), st.integers(1, 64)),
    st.tuples(st.just("fill"), st.integers(0, 1 << 14), st.integers(1, 64)),
)


def mutate(data: bytes, mutation: tuple[str, int, int]) -> bytes:
    kind, at, much = mutation
    at %= len(data)
    changed = bytearray(data)
    if kind == "flip":
        changed[at] ^= much
    elif kind == "cut":
        del changed[at:]
    elif kind == "add":
        changed.append(much)
    else:
        end = min(at + much, len(data))
        changed[at:end] = bytes([0 if kind == "zero" else 255]) * (end - at)
    return bytes(changed)


def refused(read: Callable[[bytes], object], data: bytes) -> bool:
    """Tell whether our own error came; any other goes up."""
    try:
        read(data)
    except FednetError:
        return True
    return False


@given(mutations)
def test_mutated_dealing_is_refused_by_all_or_by_whom_it_concerns(
    played: tuple[Attempt, Frozen], mutation: tuple[str, int, int]
) -> None:
    attempt, _ = played
    changed = mutate(attempt.dealings[ONE], mutation)
    assume(changed != attempt.dealings[ONE])
    if refused(lambda each: read_dealing(attempt.circle, ONE, each), changed):
        return
    refusing = 0
    for site in sorted(TEN - {ONE}):
        got = receive(attempt.circle, attempt.secrets[site], {ONE: changed})
        refusing += ONE in got.refused
        if held := got.held.get(ONE):
            assert held == attempt.received[site].held[ONE]
    assert refusing >= 1


@given(mutations)
def test_mutated_disclosure_convicts_its_author_and_spoils_nothing(
    played: tuple[Attempt, Frozen], mutation: tuple[str, int, int]
) -> None:
    attempt, frozen = played
    honest = attempt.disclosures[ONE]
    changed = mutate(honest, mutation)
    assume(changed != honest)
    attempt.disclosures[ONE] = changed
    recovery = attempt.recover(frozen)
    attempt.disclosures[ONE] = honest
    assert set(recovery.secrets) == TEN
    if refused(lambda each: read_disclosure(frozen, ONE, each), changed):
        assert [(fault.site, fault.wrong) for fault in recovery.faults] == [(1, Wrong.DISCLOSURE)]
    else:
        named = {(fault.site, fault.wrong) for fault in recovery.faults}
        assert named <= {(ONE, Wrong.SHARE)}
        # A row of zeros says that no share is held, of one that said before that it is.
        assert named or any(holder == ONE for holder, _ in recovery.withheld)


@given(mutations)
def test_mutated_header_of_a_masked_update_is_refused_or_differs_in_what_is_free(
    played: tuple[Attempt, Frozen], mutation: tuple[str, int, int]
) -> None:
    dealers = played[1].dealers
    head = write_masked_header(dealers, MANIFEST, Ring.BITS_32, COUNT)

    def read(data: bytes) -> tuple[Manifest, int]:
        size = len(data) + COUNT * 4
        return read_masked_header(data, size, dealers, ONE, BASE, 98, Ring.BITS_32, COUNT)

    changed = mutate(head, mutation)
    if not refused(read, changed):
        manifest, offset = read(changed)
        assert (manifest.place, manifest.site, manifest.base) == (PLACE, ONE, BASE)
        assert write_masked_header(dealers, manifest, Ring.BITS_32, COUNT) == changed[:offset]


@given(mutations)
def test_mutated_journal_is_refused_or_binds_to_nothing_there_is(
    played: tuple[Attempt, Frozen], mutation: tuple[str, int, int]
) -> None:
    frozen = played[1]
    kept = bind(frozen, ONE, None).to_bytes()
    changed = mutate(kept, mutation)
    assume(changed != kept)
    if not refused(lambda each: Unmasking.from_bytes(each, PLACE, ONE), changed):
        held = Unmasking.from_bytes(changed, PLACE, ONE)
        with pytest.raises(PhaseError):
            bind(frozen, ONE, held)


@given(st.binary(max_size=200))
def test_rubbish_is_refused_everywhere(played: tuple[Attempt, Frozen], data: bytes) -> None:
    attempt, frozen = played
    readers: list[Callable[[bytes], object]] = [
        lambda each: read_dealing(attempt.circle, ONE, each),
        lambda each: read_disclosure(frozen, ONE, each),
        lambda each: Unmasking.from_bytes(each, PLACE, ONE),
        lambda each: read_masked_header(
            each, len(each), frozen.dealers, ONE, BASE, 98, Ring.BITS_32, COUNT
        ),
    ]
    assert all(refused(read, data) for read in readers)
    if not refused(lambda each: unpack_holding(attempt.circle, ONE, each), data):
        assert len(data) == 2
        assert data[1] <= 1

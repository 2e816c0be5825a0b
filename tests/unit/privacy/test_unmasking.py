"""One share of one kind for one set: the guard, its bytes, and everything it refuses."""

from __future__ import annotations

import dataclasses

import pytest

from fednet.domain.identity import Commitment, SiteId
from fednet.errors import MalformedBlobError, PhaseError, QuorumError
from fednet.privacy.masking import (
    Dealers,
    Frozen,
    Masked,
    Unmasking,
    bind,
    disclose,
    freeze,
    read_disclosure,
)
from fednet.privacy.masking.dealing import Kind
from fednet.privacy.masking.forms import HEAD_SIZE_BYTES
from tests.masking_fixtures import PLACE, TEN, Attempt

ONE, TWO, NINE = SiteId(1), SiteId(2), SiteId(9)
ROW_SIZE_BYTES = 37
ROWS_START = HEAD_SIZE_BYTES + 32


@pytest.fixture
def attempt() -> Attempt:
    begun = Attempt.begin(TEN)
    begun.deal(TEN)
    begun.hold(TEN)
    return begun


@pytest.fixture
def dealers(attempt: Attempt) -> Dealers:
    return attempt.close()


def frozen_without(dealers: Dealers, *gone: SiteId) -> Frozen:
    included = {
        site: Masked(Commitment.of(b"%d" % site), int(site)) for site in TEN if site not in gone
    }
    return freeze(dealers, included)


def test_seed_of_who_counts_and_key_of_who_vanished(attempt: Attempt, dealers: Dealers) -> None:
    frozen = frozen_without(dealers, NINE)
    data = disclose(bind(frozen, ONE, None), frozen, attempt.received[ONE].held)
    shares = read_disclosure(frozen, ONE, data)
    assert set(shares) == TEN - {ONE}
    for dealer, share in shares.items():
        held = attempt.received[ONE].held[dealer]
        assert share == held.of(Kind.KEY if dealer == NINE else Kind.SEED)
        # The other kind stands nowhere in what leaves the site.
        assert held.of(Kind.SEED if dealer == NINE else Kind.KEY) not in data


def test_no_two_frozen_sets_ever_get_both_kinds_of_one_site(
    attempt: Attempt, dealers: Dealers
) -> None:
    first, second = frozen_without(dealers, NINE), frozen_without(dealers, TWO)
    bound = bind(first, ONE, None)
    held = attempt.received[ONE].held
    with pytest.raises(PhaseError) as caught:
        bind(second, ONE, bound)
    assert (caught.value.expected, caught.value.actual) == (first.view, second.view)
    assert "sit out" in caught.value.hint
    with pytest.raises(PhaseError):
        disclose(bound, second, held)
    # Asked again for the same set it gives the same bytes.
    assert bind(first, ONE, bound) == bound
    assert disclose(bound, first, held) == disclose(bound, first, held)


def test_set_is_another_when_one_update_or_weight_is(dealers: Dealers) -> None:
    frozen = frozen_without(dealers, NINE)
    bound = bind(frozen, ONE, None)
    for change in ({"weight": 7}, {"commitment": Commitment.of(b"other")}):
        entry = dataclasses.replace(frozen.included[TWO], **change)  # type: ignore[arg-type]
        with pytest.raises(PhaseError):
            bind(freeze(dealers, dict(frozen.included) | {TWO: entry}), ONE, bound)


def test_binding_survives_in_the_journal(dealers: Dealers) -> None:
    frozen = frozen_without(dealers, NINE)
    bound = bind(frozen, ONE, None)
    kept = bound.to_bytes()
    assert Unmasking.from_bytes(kept, PLACE, ONE) == bound
    with pytest.raises(PhaseError):
        bind(frozen_without(dealers, TWO), ONE, Unmasking.from_bytes(kept, PLACE, ONE))
    later = dataclasses.replace(PLACE, attempt=2)
    for data, place, site in ((kept[:-1], PLACE, ONE), (kept, later, ONE), (kept, PLACE, TWO)):
        with pytest.raises(MalformedBlobError):
            Unmasking.from_bytes(data, place, site)
    with pytest.raises(ValueError, match="another site or attempt"):
        bind(frozen, TWO, bound)


def test_who_holds_no_share_says_so_in_a_row_of_the_same_size(
    attempt: Attempt, dealers: Dealers
) -> None:
    frozen = frozen_without(dealers)
    full = disclose(bind(frozen, ONE, None), frozen, attempt.received[ONE].held)
    some = {dealer: held for dealer, held in attempt.received[ONE].held.items() if dealer != TWO}
    less = disclose(bind(frozen, ONE, None), frozen, some)
    assert len(full) == len(less) == ROWS_START + 9 * ROW_SIZE_BYTES
    assert set(read_disclosure(frozen, ONE, less)) == TEN - {ONE, TWO}


def test_share_of_the_wrong_kind_or_twice_is_refused(attempt: Attempt, dealers: Dealers) -> None:
    frozen = frozen_without(dealers, NINE)
    data = disclose(bind(frozen, ONE, None), frozen, attempt.received[ONE].held)
    rows = [data[at : at + ROW_SIZE_BYTES] for at in range(ROWS_START, len(data), ROW_SIZE_BYTES)]
    seed, key = (attempt.received[ONE].held[TWO].of(kind) for kind in Kind)
    assert rows[0] == b"\0\0\0\2\1" + seed
    for wrong in (
        [b"\0\0\0\2\2" + key, *rows[1:]],
        [rows[0], rows[0], *rows[2:]],
        [rows[1], rows[0], *rows[2:]],
        [rows[0], b"\0\0\0\2\2" + key, *rows[2:]],
        [b"\0\0\0\2\0" + seed, *rows[1:]],
        [b"\0\0\0\2\3" + seed, *rows[1:]],
        [b"\0\0\0\2\1" + bytes([255]) * 32, *rows[1:]],
    ):
        with pytest.raises(MalformedBlobError):
            read_disclosure(frozen, ONE, data[:ROWS_START] + b"".join(wrong))
    for size in ([*rows, rows[-1]], rows[:-1]):
        with pytest.raises(MalformedBlobError, match="size"):
            read_disclosure(frozen, ONE, data[:ROWS_START] + b"".join(size))


def test_disclosure_for_another_set_or_of_a_stranger_is_refused(
    attempt: Attempt, dealers: Dealers
) -> None:
    one, other = frozen_without(dealers, NINE), frozen_without(dealers, TWO)
    data = disclose(bind(one, ONE, None), one, attempt.received[ONE].held)
    with pytest.raises(MalformedBlobError, match="another set") as caught:
        read_disclosure(other, ONE, data)
    assert caught.value.expected == other.view
    with pytest.raises(MalformedBlobError, match="no keys"):
        read_disclosure(one, SiteId(99), data)
    with pytest.raises(MalformedBlobError, match="belong"):
        read_disclosure(one, TWO, data)


def test_freezing_refuses_a_set_of_fewer_than_the_plan_reckons_with(dealers: Dealers) -> None:
    assert frozen_without(dealers, ONE, TWO, NINE).vanished == (1, 2, 9)
    with pytest.raises(QuorumError) as caught:
        frozen_without(dealers, ONE, TWO, NINE, SiteId(10))
    assert (caught.value.expected, caught.value.actual) == ("at least 7", 6)
    with pytest.raises(ValueError, match="dealer"):
        freeze(dealers, {SiteId(99): Masked(Commitment.of(b""), 1)})


def test_freezing_counts_only_neighbours_that_hold_the_shares(attempt: Attempt) -> None:
    for site in (ONE, TWO, SiteId(3)):
        attempt.holdings[site] -= {NINE}
    dealers = attempt.close()
    assert NINE in dealers.sites
    assert frozen_without(dealers).vanished == ()
    # One of the six that hold site 9's shares is gone.
    with pytest.raises(QuorumError) as caught:
        frozen_without(dealers, SiteId(4))
    assert (caught.value.subject, caught.value.actual) == ("site 9", 5)

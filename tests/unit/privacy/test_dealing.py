"""Shares on their way: sealed for one neighbour, committed to, refused when anything is off."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.errors import (
    DigestMismatchError,
    MalformedBlobError,
    QuorumError,
    VerificationError,
)
from fednet.privacy.masking import (
    Circle,
    HeldShares,
    Parameters,
    close_dealing,
    deal,
    dealing_size_bytes,
    form_circle,
    pack_holding,
    read_dealing,
    receive,
    unpack_holding,
)
from fednet.privacy.masking import dealing as module
from fednet.privacy.masking.dealing import Dealing, Kind, open_shares, share_out
from fednet.privacy.masking.forms import HEAD_SIZE_BYTES
from fednet.privacy.masking.keys import load
from tests.masking_fixtures import OF_TEN, PLACE, SEED, TEN, Attempt, secrets_of

ONE, TWO, THREE = SiteId(1), SiteId(2), SiteId(3)
FOUR = [SiteId(number) for number in range(1, 5)]
OF_FOUR = Parameters(3, 2, 3)
CIRCLE = "a2fcc2a06397abf976ff38c43464e7fae91ef765650083ed5be00c90fcd9e28d"
DEALING = "a14c8672a8e1fab4bfd814e5d7bf955de30913a20510e0eba080fe114ce280a3"


def open_shares_of(circle: Circle, site: int, dealing: Dealing) -> HeldShares:
    return open_shares(circle, SiteId(site), load(secrets_of(site).channel_key), dealing)


@pytest.fixture
def attempt() -> Attempt:
    begun = Attempt.begin(FOUR, OF_FOUR)
    begun.deal(FOUR)
    return begun


def test_bytes_are_the_same_for_ever(attempt: Attempt) -> None:
    assert str(attempt.circle.view) == CIRCLE
    dealt = attempt.dealings[ONE]
    assert HEAD_SIZE_BYTES == 88
    assert dealt[:16] == b"fednet-shares/1\0"
    assert dealt[16:88].hex() == (
        f"{1337:064x}" + "11" * 20 + f"{1:016x}" + f"{2:08x}" + f"{1:08x}" + f"{1:08x}"
    )
    assert len(dealt) == dealing_size_bytes(3) == HEAD_SIZE_BYTES + 32 + 3 * 148
    assert hashlib.sha256(dealt).hexdigest() == DEALING
    assert deal(attempt.circle, secrets_of(1)) == dealt


def test_every_neighbour_opens_its_own_shares_and_no_others(attempt: Attempt) -> None:
    circle = attempt.circle
    for dealer in FOUR:
        dealing = read_dealing(circle, dealer, attempt.dealings[dealer])
        seeds = share_out(circle, dealer, Kind.SEED, secrets_of(dealer).seed)
        keys = share_out(circle, dealer, Kind.KEY, secrets_of(dealer).mask_key)
        for site in circle.neighbours[dealer]:
            held = open_shares_of(circle, site, dealing)
            assert (held.of(Kind.SEED), held.of(Kind.KEY)) == (seeds[site], keys[site])
            # Another's row under this site's key is noise.
            for other in circle.neighbours[dealer]:
                if other != site:
                    swapped = Dealing(dealer, {site: dealing.rows[other]})
                    with pytest.raises(VerificationError, match="do not decrypt"):
                        open_shares_of(circle, site, swapped)


def test_shares_are_not_printed(attempt: Attempt) -> None:
    attempt.hold([TWO])
    held = attempt.received[TWO].held[ONE]
    assert held.seed.hex() not in repr(attempt.received)
    assert repr(held.seed) not in repr(attempt.received)


@pytest.mark.parametrize("at", [0, 20, 60, 80, HEAD_SIZE_BYTES + 3, HEAD_SIZE_BYTES + 32 + 3])
def test_dealing_that_belongs_elsewhere_is_refused(attempt: Attempt, at: int) -> None:
    data = bytearray(attempt.dealings[ONE])
    data[at] ^= 1
    with pytest.raises(MalformedBlobError) as caught:
        read_dealing(attempt.circle, ONE, bytes(data))
    assert "site 1" in caught.value.subject


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_dealing_of_another_size_is_refused(attempt: Attempt, cut: int) -> None:
    data = attempt.dealings[ONE]
    wrong = data + b"\0" if cut == -1 else data[:cut]
    with pytest.raises(MalformedBlobError) as caught:
        read_dealing(attempt.circle, ONE, wrong)
    assert (caught.value.expected, caught.value.actual) == (len(data), len(wrong))


def test_dealing_of_another_circle_is_refused(attempt: Attempt) -> None:
    other = Attempt.begin(FOUR, OF_FOUR, seed=Digest(bytes([6]) * 32))
    with pytest.raises(MalformedBlobError, match="other sites or keys"):
        read_dealing(other.circle, ONE, attempt.dealings[ONE])
    # And a key of one circle opens nothing of another.
    later = Attempt.begin(FOUR, OF_FOUR, place=dataclasses.replace(PLACE, attempt=2))
    later.deal(FOUR)
    assert later.dealings[ONE] != attempt.dealings[ONE]


def test_rubbish_for_one_neighbour_is_noticed_by_it_alone(attempt: Attempt) -> None:
    data = bytearray(attempt.dealings[ONE])
    data[HEAD_SIZE_BYTES + 32 + 4 + 64 + 5] ^= 1  # in the ciphertext of the first row, site 2's
    attempt.dealings[ONE] = bytes(data)
    attempt.hold(FOUR)
    assert attempt.holdings[TWO] == {THREE, 4}
    assert "do not decrypt" in str(attempt.received[TWO].refused[ONE])
    assert attempt.holdings[THREE] == {ONE, TWO, 4}


def test_share_that_is_not_the_one_committed_to_is_refused(attempt: Attempt) -> None:
    circle, secrets = attempt.circle, secrets_of(1)
    plain = share_out(circle, ONE, Kind.SEED, secrets.seed)[TWO] * 2
    promised = Digest(bytes([1]) * 32)
    channel = module._channel(circle, load(secrets.channel_key), TWO, ONE, TWO)
    sealed = channel.encrypt(bytes(12), plain, promised + promised)
    row = module.Row(promised, promised, sealed)
    with pytest.raises(DigestMismatchError) as caught:
        open_shares_of(circle, 2, Dealing(ONE, {TWO: row}))
    assert caught.value.expected == promised
    nonsense = channel.encrypt(bytes(12), bytes([255]) * 64, promised + promised)
    with pytest.raises(MalformedBlobError):
        open_shares_of(circle, 2, Dealing(ONE, {TWO: module.Row(promised, promised, nonsense)}))


def test_too_few_keys_end_the_attempt() -> None:
    keys = {site: secrets_of(site).public for site in sorted(TEN)[:6]}
    with pytest.raises(QuorumError) as caught:
        form_circle(PLACE, keys, SEED, OF_TEN)
    assert (caught.value.expected, caught.value.actual) == ("at least 7", 6)


def test_circle_commits_to_every_key_the_seed_and_the_parameters() -> None:
    keys = {site: secrets_of(site).public for site in FOUR}
    view = form_circle(PLACE, keys, SEED, OF_FOUR).view
    swapped = keys | {ONE: keys[TWO], TWO: keys[ONE]}
    others = [
        form_circle(PLACE, swapped, SEED, OF_FOUR),
        form_circle(PLACE, keys, Digest(bytes(32)), OF_FOUR),
        form_circle(PLACE, keys, SEED, Parameters(3, 3, 3)),
        form_circle(PLACE, keys, SEED, Parameters(3, 2, 4)),
        form_circle(PLACE, {site: keys[site] for site in FOUR[:3]}, SEED, OF_FOUR),
    ]
    assert view not in {other.view for other in others}


def test_dealer_that_too_few_hold_is_left_out_before_anybody_masks(attempt: Attempt) -> None:
    commitments = {site: Commitment.of(attempt.dealings[site]) for site in FOUR}
    holdings = {site: frozenset(FOUR) - {site} for site in FOUR}
    assert close_dealing(attempt.circle, commitments, holdings).sites == tuple(FOUR)
    # Two say that they hold nothing of site 1; the threshold is two.
    for site in (TWO, THREE):
        holdings[site] -= {ONE}
    dealers = close_dealing(attempt.circle, commitments, holdings)
    assert dealers.sites == (TWO, THREE, 4)
    assert dealers.neighbours[TWO] == (THREE, 4)
    # A stranger's dealing, and what strangers say that they hold, count for nothing.
    strange = {SiteId(99): Commitment.of(b"")}
    again = close_dealing(
        attempt.circle, commitments | strange, holdings | {SiteId(99): frozenset(FOUR)}
    )
    assert again == dealers
    # What was dealt is part of the view.
    changed = commitments | {TWO: Commitment.of(b"another")}
    assert close_dealing(attempt.circle, changed, holdings).view != dealers.view


def test_too_few_dealers_end_the_attempt(attempt: Attempt) -> None:
    commitments = {site: Commitment.of(attempt.dealings[site]) for site in (ONE, TWO)}
    holdings = {site: frozenset(FOUR) - {site} for site in FOUR}
    with pytest.raises(QuorumError) as caught:
        close_dealing(attempt.circle, commitments, holdings)
    assert caught.value.actual == 1
    with pytest.raises(QuorumError):
        close_dealing(attempt.circle, {}, {})


def test_holding_is_a_bit_for_each_neighbour() -> None:
    circle = Attempt.begin(TEN).circle
    assert pack_holding(circle, ONE, [TWO, SiteId(10)]).hex() == "0101"
    assert unpack_holding(circle, ONE, bytes.fromhex("0101")) == {2, 10}
    assert unpack_holding(circle, ONE, bytes(2)) == frozenset()
    for wrong in ("", "01", "010100", "0102", "0180"):
        with pytest.raises(MalformedBlobError):
            unpack_holding(circle, ONE, bytes.fromhex(wrong))
    with pytest.raises(MalformedBlobError, match="no keys"):
        unpack_holding(circle, SiteId(99), bytes(2))
    with pytest.raises(MalformedBlobError, match="no keys"):
        read_dealing(circle, SiteId(99), b"")
    with pytest.raises(ValueError, match="not in tuple"):
        pack_holding(circle, ONE, [ONE])


def test_receiving_passes_over_who_is_no_neighbour_or_silent(attempt: Attempt) -> None:
    del attempt.dealings[THREE]
    attempt.dealings[SiteId(99)] = b"rubbish"
    got = receive(attempt.circle, secrets_of(2), attempt.dealings)
    assert set(got.held) == {ONE, 4}
    assert not got.refused

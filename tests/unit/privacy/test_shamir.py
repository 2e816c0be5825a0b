"""Shares of a secret, in polynomials that can be checked by hand."""

from __future__ import annotations

import itertools

import pytest

from fednet.errors import MalformedBlobError, QuorumError, VerificationError
from fednet.privacy.masking.shamir import PRIME, Share, join, split

SECRET = bytes(range(1, 33))
KEY = bytes([7]) * 32


def shares_of(values: dict[int, int]) -> list[Share]:
    return [Share(holder, value.to_bytes(32, "little")) for holder, value in values.items()]


def number(secret: bytes) -> int:
    return int.from_bytes(secret, "little")


def test_prime_is_prime() -> None:
    # Fermat's test to several bases; 2**256 - 189 is known to be the largest prime of 256 bits.
    assert PRIME == 2**256 - 189
    assert all(pow(base, PRIME - 1, PRIME) == 1 for base in (2, 3, 5, 7, 11, 13))


def test_line_and_parabola_give_back_their_value_at_zero() -> None:
    # 5 + 3x at 1, 2 and 4
    for pair in itertools.combinations({1: 8, 2: 11, 4: 17}.items(), 2):
        assert number(join(shares_of(dict(pair)), 2)) == 5
    # 1 + 2x + 3x**2 at 1, 2 and 3
    assert number(join(shares_of({1: 6, 2: 17, 3: 34}), 3)) == 1
    # 0 - x, at 1 and 2, modulo the prime
    assert number(join(shares_of({1: PRIME - 1, 2: PRIME - 2}), 2)) == 0


def test_any_threshold_of_shares_gives_the_secret_and_one_fewer_another() -> None:
    shares = split(SECRET, 3, [2, 3, 5, 8, 13], KEY)
    for some in itertools.combinations(shares, 3):
        assert join(some, 3) == SECRET
    for few in itertools.combinations(shares, 2):
        # Whoever has fewer shares can only take the polynomial for one of a lower degree.
        assert join(few, 2) != SECRET


def test_shares_are_the_same_for_ever() -> None:
    assert split(SECRET, 2, [1, 2], KEY)[0].value.hex() == (
        "a80ea56fbff6722d4e4ac028d3dbe960f0ed648d6bf74e162eb1e9dcc6932b99"
    )


def test_shares_are_derived_from_the_key_and_have_constant_sizes() -> None:
    assert split(SECRET, 3, [1, 2, 3], KEY) == split(SECRET, 3, [1, 2, 3], KEY)
    other = split(SECRET, 3, [1, 2, 3], bytes([8]) * 32)
    assert other != split(SECRET, 3, [1, 2, 3], KEY)
    assert {len(share.value) for share in other} == {32}
    assert join(other, 3) == SECRET


def test_secrets_at_both_ends_come_back() -> None:
    for secret in (0, 1, PRIME - 1):
        raw = secret.to_bytes(32, "little")
        assert join(split(raw, 2, [1, 2**32 - 1], KEY), 2) == raw


@pytest.mark.parametrize(
    ("secret", "threshold", "holders"),
    [
        (SECRET[:31], 2, [1, 2]),
        (bytes([255]) * 32, 2, [1, 2]),
        (SECRET, 1, [1, 2]),
        (SECRET, 3, [1, 2]),
        (SECRET, 2, [1, 1, 2]),
        (SECRET, 2, [0, 1]),
        (SECRET, 2, [1, 2**32]),
    ],
)
def test_dealing_out_of_range_is_the_callers_mistake(
    secret: bytes, threshold: int, holders: list[int]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        split(secret, threshold, holders, KEY)


def test_too_few_shares_are_refused() -> None:
    with pytest.raises(QuorumError) as caught:
        join(split(SECRET, 3, [1, 2, 3], KEY)[:2], 3)
    assert (caught.value.expected, caught.value.actual) == (3, 2)


def test_share_given_twice_is_refused() -> None:
    one, two = split(SECRET, 2, [1, 2], KEY)
    with pytest.raises(VerificationError, match="twice"):
        join([one, two, one], 2)


@pytest.mark.parametrize("holder", [0, -1, 2**32])
def test_share_of_nobody_is_refused(holder: int) -> None:
    with pytest.raises(VerificationError, match="nobody"):
        join([Share(holder, SECRET), Share(1, SECRET)], 2)


@pytest.mark.parametrize("value", [b"", SECRET[:31], SECRET + b"\0", bytes([255]) * 32])
def test_value_that_is_no_number_of_the_field_is_refused(value: bytes) -> None:
    with pytest.raises(MalformedBlobError):
        join([Share(1, SECRET), Share(2, value)], 2)

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fednet.errors import SettingsError, UnsealingError
from fednet.privacy.homomorphic.handing import MOST_HANDED_BYTES, hand_over, take_over
from tests.encrypting import ckks_key

SITE = X25519PrivateKey.from_private_bytes(bytes([7]) * 32)
PUBLIC = SITE.public_key().public_bytes_raw()
CHAIN = 1337


def test_a_site_takes_the_key_that_was_sealed_for_it() -> None:
    data = hand_over(ckks_key(), CHAIN, PUBLIC)

    assert take_over(data, CHAIN, SITE).identity == ckks_key().identity
    assert ckks_key().to_bytes()[100:200] not in data


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: data[:32],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: bytes([data[0] ^ 1]) + data[1:],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: bytes(MOST_HANDED_BYTES + 1),
    ],
    ids=["empty", "identity", "cut", "longer", "other identity", "altered", "huge"],
)
def test_what_is_not_whole_is_refused(spoil: object) -> None:
    assert callable(spoil)
    with pytest.raises(UnsealingError):
        take_over(spoil(hand_over(ckks_key(), CHAIN, PUBLIC)), CHAIN, SITE)


def test_nobody_else_and_no_other_chain_opens_it() -> None:
    data = hand_over(ckks_key(), CHAIN, PUBLIC)
    for chain, private in ((CHAIN + 1, SITE), (CHAIN, X25519PrivateKey.generate())):
        with pytest.raises(UnsealingError):
            take_over(data, chain, private)


def test_no_key_is_handed_to_a_site_whose_own_is_unusable() -> None:
    with pytest.raises(SettingsError) as caught:
        hand_over(ckks_key(), CHAIN, bytes(32))

    assert "rotate-key" in caught.value.hint

"""HPKE: the RFC's own numbers, and what another implementation makes of ours."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from fednet.errors import UnsealingError
from fednet.privacy.sealing import hpke

# RFC 9180, appendix A.2.1: X25519, HKDF-SHA256, ChaCha20-Poly1305, base mode, sequence number 0.
SEED = bytes.fromhex("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b")
EPHEMERAL = bytes.fromhex("f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600")
ENCAPSULATED = bytes.fromhex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a")
RECEIVER = bytes.fromhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb")
RECEIVER_PUBLIC = bytes.fromhex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a")
INFO = b"Ode on a Grecian Urn"
MESSAGE = b"Beauty is truth, truth beauty"
AAD = b"Count-0"
SEALED = bytes.fromhex(
    "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
)

PRIVATE = X25519PrivateKey.from_private_bytes(RECEIVER)
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)

# RFC 7748, section 6.1, and the list of Bernstein's "Curve25519" page: 0, 1, p - 1, p, p + 1,
# and the two points of order 8.
P = 2**255 - 19
SMALL_ORDER = [
    *(number.to_bytes(32, "little") for number in (0, 1, P - 1, P, P + 1)),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
]


def test_hpke_derives_the_pair_of_the_rfc() -> None:
    pair = hpke.derive_key_pair(SEED)
    assert pair.private_bytes_raw() == EPHEMERAL
    assert pair.public_key().public_bytes_raw() == ENCAPSULATED


def test_hpke_seals_what_the_rfc_seals() -> None:
    sealed = hpke.seal(hpke.derive_key_pair(SEED), RECEIVER_PUBLIC, INFO, MESSAGE, AAD)
    assert sealed == SEALED
    assert len(sealed) == len(MESSAGE) + hpke.OVERHEAD_SIZE_BYTES


def test_hpke_opens_what_the_rfc_seals() -> None:
    assert hpke.unseal(PRIVATE, ENCAPSULATED, INFO, SEALED, "vector", AAD) == MESSAGE


def test_hpke_agrees_with_another_implementation() -> None:
    ephemeral = X25519PrivateKey.generate()
    sealed = hpke.seal(ephemeral, RECEIVER_PUBLIC, INFO, MESSAGE)
    assert SUITE.decrypt(ephemeral.public_key().public_bytes_raw() + sealed, PRIVATE, INFO) == (
        MESSAGE
    )
    theirs = SUITE.encrypt(MESSAGE, X25519PublicKey.from_public_bytes(RECEIVER_PUBLIC), INFO)
    assert hpke.unseal(PRIVATE, theirs[:32], INFO, theirs[32:], "theirs") == MESSAGE


@pytest.mark.parametrize("point", SMALL_ORDER, ids=bytes.hex)
def test_hpke_refuses_points_of_small_order(point: bytes) -> None:
    assert not hpke.is_usable(point)
    with pytest.raises(UnsealingError) as caught:
        hpke.unseal(PRIVATE, point, INFO, SEALED, "letter", AAD)
    assert caught.value.subject == "letter"


@pytest.mark.parametrize("key", [b"", bytes(31), RECEIVER_PUBLIC + b"\0"])
def test_hpke_knows_no_key_of_another_size(key: bytes) -> None:
    assert not hpke.is_usable(key)


def test_hpke_takes_a_proper_key() -> None:
    assert hpke.is_usable(RECEIVER_PUBLIC)


@pytest.mark.parametrize(
    ("private", "encapsulated", "info", "sealed", "aad"),
    [
        (X25519PrivateKey.from_private_bytes(SEED), ENCAPSULATED, INFO, SEALED, AAD),
        (PRIVATE, RECEIVER_PUBLIC, INFO, SEALED, AAD),
        (PRIVATE, ENCAPSULATED, INFO + b".", SEALED, AAD),
        (PRIVATE, ENCAPSULATED, INFO, SEALED[:-1], AAD),
        (PRIVATE, ENCAPSULATED, INFO, b"", AAD),
        (PRIVATE, ENCAPSULATED, INFO, SEALED, b""),
        (PRIVATE, ENCAPSULATED[:-1], INFO, SEALED, AAD),
    ],
    ids=["key", "encapsulated", "info", "short", "empty", "aad", "short key"],
)
def test_hpke_opens_nothing_else(
    private: X25519PrivateKey, encapsulated: bytes, info: bytes, sealed: bytes, aad: bytes
) -> None:
    with pytest.raises(UnsealingError) as caught:
        hpke.unseal(private, encapsulated, info, sealed, "letter", aad)
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_message_travels_with_its_encapsulated_key() -> None:
    first = hpke.seal_message(RECEIVER_PUBLIC, INFO, MESSAGE)
    assert len(first) == len(MESSAGE) + hpke.MESSAGE_OVERHEAD_SIZE_BYTES
    assert hpke.unseal_message(PRIVATE, INFO, first, "message") == MESSAGE
    assert SUITE.decrypt(first, PRIVATE, INFO) == MESSAGE
    assert hpke.seal_message(RECEIVER_PUBLIC, INFO, MESSAGE)[:32] != first[:32]
    for size in range(len(first)):
        with pytest.raises(UnsealingError):
            hpke.unseal_message(PRIVATE, INFO, first[:size], "message")

"""Keys by the RFC's own vectors, bound to their place; masks by AES's known answers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fednet.domain.identity import Address, RoundNumber, RunId, SiteId
from fednet.errors import VerificationError
from fednet.privacy.masking import Ring, SiteSecrets
from fednet.privacy.masking.derivation import Purpose, derive, digest_of
from fednet.privacy.masking.keys import agree, load, public_of, require_usable
from fednet.privacy.masking.streams import CHUNK_ELEMENTS, Masks, Term
from tests.masking_fixtures import PLACE, secrets_of

# RFC 7748, section 6.1
ALICE = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
BOB = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
BOTH = bytes.fromhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
# AES-256 of a block of zeros under a key of zeros, then of a block that ends in one
ZERO_KEY = bytes(32)
FIRST = "dc95c078a2408989ad48a21492842087"


def test_agreement_is_that_of_the_rfc() -> None:
    assert agree(load(ALICE), public_of(BOB)) == agree(load(BOB), public_of(ALICE)) == BOTH


@pytest.mark.parametrize(
    "public", [bytes(32), b"\1" + bytes(31), (2**255 - 20).to_bytes(32, "little")]
)
def test_keys_that_keep_no_secret_are_refused(public: bytes) -> None:
    with pytest.raises(VerificationError, match="keeps no secret"):
        require_usable(public, "site 3")
    require_usable(public_of(BOB), "site 3")


def test_root_gives_the_same_keys_for_ever() -> None:
    secrets = SiteSecrets(PLACE, SiteId(4), bytes(32))
    assert secrets.seed.hex() == "88031074ca0a693c1746824cb4754ddd3915ddc696a8b0579aa4cbd133a09438"
    assert (
        secrets.public.mask.hex()
        == "2a6bcad7f156a212e3afe2e79a39647feb00314f1aed8f90b7465c98a7b54840"
    )
    assert (
        secrets.public.channel.hex()
        == "1e9af993888caeca9bfc455ceeccd261c326f27ec2cf8458577eea59e35b6622"
    )
    # The private mask key is a number that X25519 itself would not change.
    assert secrets.mask_key[0] & 7 == 0
    assert secrets.mask_key[31] & 0xC0 == 0x40
    assert secrets.seed[31] < 0x80


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 1}, {"contract": Address("0x" + "22" * 20)}, {"run": RunId(2)},
        {"round": RoundNumber(3)}, {"attempt": 2},
    ],
)  # fmt: skip
def test_every_part_of_the_place_changes_every_key(change: dict[str, object]) -> None:
    elsewhere = dataclasses.replace(PLACE, **change)  # type: ignore[arg-type]
    here, there = secrets_of(4), secrets_of(4, elsewhere)
    assert here.root == there.root
    assert here.seed != there.seed
    assert here.mask_key != there.mask_key
    assert here.channel_key != there.channel_key
    for purpose in Purpose:
        assert derive(BOTH, purpose, PLACE) != derive(BOTH, purpose, elsewhere)
        assert digest_of(purpose, PLACE) != digest_of(purpose, elsewhere)


def test_purposes_and_sites_never_share_a_key() -> None:
    parts = [(), (1,), (2,), (1, 2), (12,), ("1",), ("1,2",), ([1, 2],)]
    keys = {derive(BOTH, purpose, PLACE, *part) for purpose in Purpose for part in parts}
    assert len(keys) == len(Purpose) * len(parts)
    assert secrets_of(4).mask_key != SiteSecrets(PLACE, SiteId(5), secrets_of(4).root).mask_key


def test_root_of_another_size_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SiteSecrets(PLACE, SiteId(4), bytes(31))


def test_nothing_secret_is_printed() -> None:
    secrets = secrets_of(4)
    shown = repr(secrets) + repr(Term(secrets.seed, True))
    for secret in (secrets.root, secrets.seed):
        assert secret.hex() not in shown
        assert repr(secret) not in shown


def test_masks_are_the_keystream_of_aes_in_counter_mode() -> None:
    chunk = np.zeros(4, "<u4")
    Masks([Term(ZERO_KEY, adds=True)], Ring.BITS_32).add_to(chunk)
    assert chunk.tobytes().hex() == FIRST
    assert chunk[0] == 0x78C095DC
    wide = np.zeros(2, "<u8")
    Masks([Term(ZERO_KEY, adds=True)], Ring.BITS_64).add_to(wide)
    assert wide.tobytes().hex() == FIRST


@pytest.mark.parametrize("ring", list(Ring))
def test_masks_are_undone_by_their_reverse_and_wrap(ring: Ring) -> None:
    terms = [Term(bytes([number]) * 32, adds=number % 2 == 0) for number in range(5)]
    values = np.arange(1_000, dtype=ring.dtype) - ring.dtype.type(500)
    masked = values.copy()
    Masks(terms, ring).add_to(masked)
    assert np.count_nonzero(masked == values) == 0
    Masks([term.reversed() for term in terms], ring).add_to(masked)
    assert np.array_equal(masked, values)


def test_masks_do_not_depend_on_the_chunks() -> None:
    terms = [Term(bytes([9]) * 32, adds=True), Term(bytes([8]) * 32, adds=False)]
    size = CHUNK_ELEMENTS + 100
    in_one = np.zeros(size, "<u4")
    masks = Masks(terms, Ring.BITS_32)
    for start, end in ((0, CHUNK_ELEMENTS), (CHUNK_ELEMENTS, size)):
        masks.add_to(in_one[start:end])
    ragged, masks, start = np.zeros(size, "<u4"), Masks(terms, Ring.BITS_32), 0
    while start < size:
        step = start // 3 + 1
        masks.add_to(ragged[start : start + step])
        start += step
    assert np.array_equal(in_one, ragged)


def test_masked_values_are_spread_evenly() -> None:
    chunk = np.full(CHUNK_ELEMENTS, 12_345, "<u4")
    Masks([Term(bytes([1]) * 32, adds=True)], Ring.BITS_32).add_to(chunk)
    counts = np.bincount(chunk.view(np.uint8), minlength=256)
    expected = chunk.nbytes / 256
    # Chi-squared of 255 degrees: beyond 400 once in a hundred million.
    assert float(((counts - expected) ** 2 / expected).sum()) < 400

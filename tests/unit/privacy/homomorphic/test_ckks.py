from __future__ import annotations

import builtins
import hashlib
from typing import Any

import numpy as np
import pytest
import tenseal

from fednet.errors import DecryptionError, MalformedBlobError, SettingsError
from fednet.privacy.homomorphic import CKKS, CkksKey, decrypt_mean
from fednet.privacy.homomorphic.ckks import MOST_KEY_BYTES, SPELLING
from fednet.privacy.masking import Ring
from tests.encrypting import added, ckks_key, encrypted, numbers_of
from tests.masking_fixtures import Array, values_of, weight_of

EXTREMES = np.array([0, 1, -1, CKKS.largest, -CKKS.largest], np.int64)


def test_a_block_comes_out_as_the_very_numbers_that_went_in() -> None:
    key = ckks_key()

    found = key.decrypt(key.encrypt(EXTREMES))

    assert found[: EXTREMES.size].tolist() == EXTREMES.tolist()
    assert not found[EXTREMES.size :].any()


def test_the_same_numbers_never_give_the_same_ciphertext() -> None:
    key = ckks_key()

    one, other = key.encrypt(EXTREMES), key.encrypt(EXTREMES)

    assert (one == other).mean() < 0.01


def test_our_sum_of_words_is_the_sum_that_the_library_computes() -> None:
    key, context = ckks_key(), tenseal.context_from(ckks_key().to_bytes())
    context.global_scale = 2.0**27
    one, other = key.encrypt(EXTREMES), key.encrypt(EXTREMES[::-1].copy())
    first, second = (
        tenseal.ckks_vector_from(context, SPELLING.write(words, CKKS.block_values))
        for words in (one, other)
    )

    total = SPELLING.read((first + second).serialize())
    assert np.array_equal(total, added(CKKS, [Array(one), Array(other)]))


@pytest.mark.parametrize("count", [1, 2048, 2049, 5000])
def test_an_encrypted_mean_is_the_masked_one_bit_for_bit(count: int) -> None:
    key, sites = ckks_key(), (1, 2, 3, 4)
    numbers, weights = numbers_of(len(sites)), [weight_of(site) for site in sites]
    ring, total = np.empty(count, Ring.BITS_32.dtype), np.zeros(count, Ring.BITS_32.dtype)
    for site, weight in zip(sites, weights, strict=True):
        numbers.encode_into(values_of(site, count), weight, ring, "update")
        total += ring
    expected = np.empty(count)
    numbers.mean_into(total, sum(weights), expected)
    words = added(CKKS, [encrypted(key, site, count, len(sites)) for site in sites])

    mean = np.empty(count)

    def emit(start: int, values: Any) -> None:
        mean[start : start + values.size] = values

    digest = decrypt_mean(key, numbers, weights, Array(words), count, emit)

    assert mean.tobytes() == expected.tobytes()
    assert digest == hashlib.sha256(total.tobytes()).digest()


def test_a_hundred_sites_of_the_largest_sum_are_far_from_the_next_number() -> None:
    key, each = ckks_key(), CKKS.largest // 100
    numbers = np.full(CKKS.block_values, each)
    words = added(CKKS, [Array(key.encrypt(numbers)) for _ in range(100)])

    assert (key.decrypt(words) == 100 * each).all()


def test_a_key_read_again_is_the_same_key() -> None:
    words = ckks_key().encrypt(EXTREMES)

    again = CkksKey(ckks_key().to_bytes())

    assert again.identity == ckks_key().identity
    assert again.decrypt(words)[:5].tolist() == EXTREMES.tolist()


def test_another_key_decrypts_nothing() -> None:
    words = ckks_key().encrypt(EXTREMES)

    with pytest.raises(DecryptionError) as caught:
        CkksKey.generate().decrypt(words)

    assert "another key" in caught.value.hint


@pytest.mark.parametrize("spoil", [lambda words: words[:-1], lambda words: np.append(words, words)])
def test_ciphertexts_of_another_size_are_refused(spoil: Any) -> None:
    with pytest.raises(MalformedBlobError) as caught:
        ckks_key().decrypt(spoil(ckks_key().encrypt(EXTREMES)))

    assert caught.value.expected == f"{CKKS.block_words} words"


def test_a_word_that_is_not_below_the_modulus_never_reaches_the_library() -> None:
    words = ckks_key().encrypt(EXTREMES).copy()
    words[7] = CKKS.modulus

    with pytest.raises(MalformedBlobError) as caught:
        ckks_key().decrypt(words)

    assert caught.value.actual == CKKS.modulus


def test_numbers_that_could_not_be_decrypted_are_not_encrypted() -> None:
    for numbers in ([CKKS.largest + 1], [-CKKS.largest - 1], [], [0] * (CKKS.block_values + 1)):
        with pytest.raises(ValueError, match="number"):
            ckks_key().encrypt(np.array(numbers, np.int64))


def _other_degree() -> bytes:
    context = tenseal.context(tenseal.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 60])
    return bytes(context.serialize(save_secret_key=True, save_galois_keys=False))


def _public_half() -> bytes:
    context = tenseal.context(tenseal.SCHEME_TYPE.CKKS, 4096, coeff_mod_bit_sizes=[60, 49])
    return bytes(context.serialize(save_secret_key=False, save_relin_keys=False))


@pytest.mark.parametrize(
    "data",
    [
        lambda: b"",
        lambda: b"not a key",
        lambda: ckks_key().to_bytes()[:-1],
        lambda: ckks_key().to_bytes()[: MOST_KEY_BYTES // 8],
        lambda: bytes(MOST_KEY_BYTES + 1),
        _other_degree,
        _public_half,
    ],
    ids=["empty", "rubbish", "cut", "half", "long", "degree", "public"],
)
def test_what_is_no_key_of_these_parameters_is_refused(data: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        CkksKey(data())

    assert caught.value.subject == "homomorphic key"


def test_a_key_does_not_show_itself() -> None:
    key = ckks_key()

    assert repr(key) == f"CkksKey({key.identity})"


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name == "tenseal":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)

    with pytest.raises(SettingsError) as caught:
        CkksKey.generate()

    assert caught.value.hint == 'pip install "fednet[he]"'

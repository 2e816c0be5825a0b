from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.domain.tensors import parse_header
from fednet.domain.update import Manifest
from fednet.errors import DecryptionError, MalformedBlobError, PlanError, TrainingError
from fednet.privacy.homomorphic import (
    CKKS,
    SumHeader,
    Summed,
    decrypt_mean,
    encrypt_update,
    fit_numbers,
    read_encrypted_metadata,
    read_sum_header,
    require_all_words,
    write_encrypted_header,
    write_sum_header,
)
from tests.encrypting import TINY, TinyKey, added, encrypted, numbers_of
from tests.masking_fixtures import PLACE, Array

KEY = TinyKey()
MANIFEST = Manifest(PLACE, SiteId(3), Commitment(bytes([2]) * 32), 40, Digest(bytes([7]) * 32))
SUM = SumHeader(
    PLACE,
    KEY.identity,
    {
        SiteId(3): Summed(Commitment(bytes([1]) * 32), 40),
        SiteId(1): Summed(Commitment(bytes([4]) * 32), 7),
    },
    {SiteId(2): "malformed", SiteId(9): ""},
)
VALUES = 5
WORDS = 8


def _ciphertext(*numbers: int) -> Array:
    return Array(KEY.encrypt(np.array(numbers, np.int64)))


def test_words_are_added_modulo_the_form() -> None:
    # (5, -40, 0) + 31, modulo 97, is (36, 88, 31); and (40, -2, 1) + 31 is (71, 29, 32).
    total = added(TINY, [_ciphertext(5, -40, 0), _ciphertext(40, -2, 1)])

    assert total.tolist() == [10, 20, 63, 2]


def test_the_order_of_ciphertexts_changes_no_byte() -> None:
    sources = [encrypted(KEY, site, VALUES, 3) for site in (1, 2, 3)]

    assert added(TINY, sources).tobytes() == added(TINY, sources[::-1]).tobytes()


def test_a_sum_longer_than_a_chunk_is_added_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from fednet.privacy.homomorphic import adding

    sources = [_ciphertext(1, 2, 3), _ciphertext(4, 5, 6)]
    whole = added(TINY, sources)
    monkeypatch.setattr(adding, "CHUNK_WORDS", 3)

    assert added(TINY, sources).tolist() == whole.tolist()


def test_nothing_too_many_or_too_long_is_added() -> None:
    one = _ciphertext(1)
    for sources in ([], [one] * 4, [one, encrypted(KEY, 1, VALUES, 3)]):
        with pytest.raises(ValueError, match="cannot be added"):
            added(TINY, sources)


def test_a_word_that_is_not_below_the_modulus_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from fednet.privacy.homomorphic import adding

    monkeypatch.setattr(adding, "CHUNK_WORDS", 3)
    words = np.array([96, 0, 0, 0, 97, 0, 0, 0], np.uint64)

    require_all_words(Array(words[:4]), TINY, "update of site 1")
    for look in (lambda: require_all_words(Array(words), TINY, "update of site 1"),
                 lambda: added(TINY, [Array(words)])):  # fmt: skip
        with pytest.raises(MalformedBlobError) as caught:
            look()
        assert caught.value.actual == 97


def test_a_sum_larger_than_honest_sites_can_have_is_refused() -> None:
    numbers = fit_numbers(Decimal(1), 1, 3, clips=True)
    step = numbers.largest(1)

    _decrypt(_wide().encrypt(np.array([step, -step])), numbers)
    with pytest.raises(DecryptionError) as caught:
        _decrypt(_wide().encrypt(np.array([step + 1, 0])), numbers)

    assert caught.value.actual == f"{step + 1} steps"


def test_numbers_beyond_the_model_are_refused() -> None:
    numbers = fit_numbers(Decimal(1), 1, 3, clips=True)

    with pytest.raises(DecryptionError) as caught:
        _decrypt(_wide().encrypt(np.array([1, 1, 5])), numbers)

    assert caught.value.expected == "zeros after 2 numbers"


def _wide() -> TinyKey:
    """Return a key whose form has room for numbers of 31 bits."""
    key = TinyKey()
    key.form = replace(TINY, modulus=(1 << 33) - 9, largest=(1 << 31) - 1)  # type: ignore[misc]
    return key


def _decrypt(words: Any, numbers: Any) -> None:
    decrypt_mean(_wide(), numbers, [1], Array(words), 2, lambda *_: None)


def test_values_that_are_not_finite_are_not_encrypted() -> None:
    values: Any = Array(np.array([0, np.inf], np.float32))

    with pytest.raises(TrainingError):
        encrypt_update(_wide(), numbers_of(3), 1, values, lambda _: None, "update of site 1")


def test_weights_that_leave_too_few_steps_are_refused() -> None:
    with pytest.raises(PlanError):
        fit_numbers(Decimal(1), (1 << 29) - 1, 100, clips=True)


def test_an_encrypted_update_says_whose_it_is() -> None:
    head = write_encrypted_header(TINY, KEY.identity, MANIFEST, VALUES)
    header = parse_header(head, len(head) + 8 * WORDS, "update", frozenset({"U64"}))

    assert header.data_offset == len(head)
    assert read_encrypted_metadata(header, TINY, KEY.identity, VALUES, "update") == MANIFEST


@pytest.mark.parametrize(
    ("form", "identity", "values"),
    [
        (TINY, Digest(bytes(32)), VALUES),
        (replace(TINY, name="other"), KEY.identity, VALUES),
        (TINY, KEY.identity, VALUES + 2),
        (CKKS, KEY.identity, VALUES),
    ],
    ids=["key", "scheme", "model", "words"],
)
def test_an_update_of_another_key_scheme_or_model_is_refused(
    form: Any, identity: Digest, values: int
) -> None:
    head = write_encrypted_header(TINY, KEY.identity, MANIFEST, VALUES)
    header = parse_header(head, len(head) + 8 * WORDS, "update", frozenset({"U64"}))

    with pytest.raises(MalformedBlobError):
        read_encrypted_metadata(header, form, identity, values, "update")


def _sum_header(**changes: object) -> Any:
    head = write_sum_header(TINY, SUM, VALUES)
    header = parse_header(head, len(head) + 8 * WORDS, "sum", frozenset({"U64"}))
    return replace(header, metadata={**header.metadata, **changes})


def test_a_sum_says_of_which_updates_it_is() -> None:
    found = read_sum_header(_sum_header(), TINY, VALUES, "sum")

    assert found == SUM
    assert found.total_weight == 47
    assert list(found.included) == [1, 3]


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "fednet-encrypted-update/1"},
        {"key": "00"},
        {"round": -1},
        {"round": True},
        {"more": 1},
        {"included": []},
        {"included": [[3, "01" * 32, 40], [1, "04" * 32, 7]]},
        {"included": [[1, "04" * 32, 7], [1, "04" * 32, 7]]},
        {"included": [[1, "04" * 32]]},
        {"included": [[1, "04" * 32, 1.5]]},
        {"included": {"1": 2}},
        {"included": [1]},
        {"included": [[1, "04" * 32, 7]] * 3_000},
        {"refused": [[2, "x" * 65]]},
        {"refused": [[2, 5]]},
        {"contract": 5},
    ],
)
def test_other_spellings_of_a_sum_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(MalformedBlobError):
        read_sum_header(_sum_header(**changes), TINY, VALUES, "sum")


def test_a_sum_of_another_model_is_refused() -> None:
    with pytest.raises(MalformedBlobError) as caught:
        read_sum_header(_sum_header(), TINY, VALUES + 2, "sum")

    assert caught.value.expected == "12 words"


def test_the_bytes_of_a_sum_stay_as_they_are() -> None:
    head = write_sum_header(TINY, SUM, VALUES)

    assert (
        Commitment.of(head).hex()
        == "11a84f8e9fd9de23d18935773ba6e355028e2d8c3ccaef50146c54500dcf5d83"
    )

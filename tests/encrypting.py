"""Homomorphic encryption in tests: one key a process, updates in memory, a scheme to count on."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np

from fednet.domain.identity import Digest
from fednet.privacy.homomorphic import (
    CkksKey,
    Encrypting,
    Form,
    WholeArray,
    WordArray,
    add,
    encrypt_update,
    fit_numbers,
)
from fednet.privacy.masking import FixedPoint
from tests.masking_fixtures import WEIGHT_CAP, Array, values_of, weight_of

TINY = Form("tiny", modulus=97, block_values=3, block_words=4, largest=40, most_sites=3)


class TinyKey:
    """A scheme to follow by hand: each number plus the key, modulo 97, and a count of keys.

    It hides nothing. The fourth word tells how often the key was added, as the
    second polynomial of a real ciphertext does.
    """

    form = TINY
    identity = Digest(bytes([9]) * 32)

    def __init__(self, secret: int = 31) -> None:
        self._secret = secret

    def encrypt(self, values: WholeArray) -> WordArray:
        padded = np.zeros(self.form.block_values, np.int64)
        padded[: values.size] = values
        words = np.append(padded + self._secret, 1) % self.form.modulus
        return words.astype(np.uint64)

    def decrypt(self, words: WordArray) -> WholeArray:
        signed = words.astype(np.int64)
        found = (signed[:3] - self._secret * signed[3]) % self.form.modulus
        return np.where(found > self.form.largest, found - self.form.modulus, found)


@cache
def ckks_key() -> CkksKey:
    return CkksKey.generate()


def numbers_of(sites: int) -> FixedPoint:
    return fit_numbers(Decimal(4), WEIGHT_CAP, sites, clips=True)


def encrypted(key: Encrypting, site: int, count: int, sites: int) -> Array:
    blocks: list[WordArray] = []
    values: Any = Array(values_of(site, count))
    encrypt_update(
        key, numbers_of(sites), weight_of(site), values, blocks.append, f"update of site {site}"
    )
    return Array(np.concatenate(blocks))


def added(form: Form, sources: list[Array]) -> WordArray:
    parts: list[WordArray] = []
    add(form, sources, lambda words: parts.append(words.copy()))
    return np.concatenate(parts)

"""CKKS by TenSEAL: one secret key, which every site of a run holds and no aggregator has.

Cheon, Kim, Kim and Song, "Homomorphic Encryption for Arithmetic of Approximate
Numbers", 2017, https://eprint.iacr.org/2016/421. What is encrypted here are whole
numbers, and what is decrypted is rounded to whole numbers, while noise is a
thousandth of one. So the sum is exact and the same for everybody; and what leaves
the decryption is a function of the updates alone, without the noise from which Li
and Micciancio (2021, https://eprint.iacr.org/2020/1533) compute the key.

Degree 4096 with 109 bits in all moduli is what homomorphicencryption.org's standard
of 2018 gives 128 bits of security. Nothing is multiplied, so ciphertexts have the
first modulus only, of 60 bits: a sum of 32 bits beside 27 bits of room for noise.

TenSEAL is an extra and is loaded when a key is used; who adds or audits sums does
without. No ciphertext of a stranger reaches it before its words were looked at.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, Self

import numpy as np

from fednet.domain.identity import Digest
from fednet.errors import DecryptionError, MalformedBlobError, SettingsError
from fednet.privacy.homomorphic.adding import require_words
from fednet.privacy.homomorphic.scheme import Form, WholeArray, WordArray
from fednet.privacy.homomorphic.seal_bytes import SealBytes

_DEGREE = 4096
_MODULUS_BITS = [60, 49]
"""Of the ciphertexts' modulus, and of one that only keys have."""
_MODULUS = (1 << 60) - (1 << 14) + 1
"""The largest prime of 60 bits that is 1 modulo twice the degree, as SEAL chooses it."""
_SCALE = 2.0**27
_MOST_ERROR = 1 / 8
"""How far a decrypted number may be from a whole one; a hundred sites are at 1/2000."""
CKKS: Final = Form(
    name="ckks",
    modulus=_MODULUS,
    block_values=_DEGREE // 2,
    block_words=2 * _DEGREE,
    largest=(1 << 31) - 1,
    most_sites=10_000,
)
MOST_KEY_BYTES = 1 << 18
"""Of a key's file."""

SPELLING: Final = SealBytes(_DEGREE, _MODULUS, _SCALE)
"""How the library spells such a ciphertext."""


class CkksKey:
    """A run's key, in the hands of one of its sites.

    Args:
        data: The key's bytes, as `generate` made them. They are secret.

    Raises:
        SettingsError: TenSEAL is not installed, or these bytes are no such key.
    """

    def __init__(self, data: bytes) -> None:
        self._tenseal = _tenseal()
        self._data = data
        self._context = _load(self._tenseal, data)
        self._identity = Digest(hashlib.sha256(data).digest())

    def __repr__(self) -> str:
        return f"CkksKey({self._identity})"

    @classmethod
    def generate(cls) -> Self:
        """Draw a new key.

        Raises:
            SettingsError: TenSEAL is not installed.
        """
        tenseal = _tenseal()
        context = tenseal.context(
            tenseal.SCHEME_TYPE.CKKS,
            _DEGREE,
            coeff_mod_bit_sizes=_MODULUS_BITS,
            encryption_type=tenseal.ENCRYPTION_TYPE.SYMMETRIC,
        )
        context.global_scale = _SCALE
        return cls(
            context.serialize(
                save_public_key=False,
                save_secret_key=True,
                save_galois_keys=False,
                save_relin_keys=False,
            )
        )

    @property
    def form(self) -> Form:
        """Return the form of the ciphertexts."""
        return CKKS

    @property
    def identity(self) -> Digest:
        """Return the SHA-256 of the key's bytes; it tells nothing about them."""
        return self._identity

    def to_bytes(self) -> bytes:
        """Return the key's bytes. They are secret."""
        return self._data

    def encrypt(self, values: WholeArray) -> WordArray:
        """Encrypt one block; see `Encrypting`."""
        if not 0 < values.size <= CKKS.block_values:
            raise ValueError(f"{values.size} numbers are no block")
        if max(int(values.max()), -int(values.min())) > CKKS.largest:
            raise ValueError("a number is too large to be decrypted")
        padded = np.zeros(CKKS.block_values, np.float64)
        padded[: values.size] = values
        vector = self._tenseal.ckks_vector(self._context, padded.tolist())
        return SPELLING.read(vector.serialize())

    def decrypt(self, words: WordArray) -> WholeArray:
        """Decrypt one block; see `Decrypting`."""
        if words.shape != (CKKS.block_words,):
            raise MalformedBlobError(
                "is no ciphertext", expected=f"{CKKS.block_words} words", actual=words.size
            )
        require_words(words, CKKS, "ciphertext to be decrypted")
        message = SPELLING.write(words, CKKS.block_values)
        vector = self._tenseal.ckks_vector_from(self._context, message)
        found = np.array(vector.decrypt(), np.float64)
        nearest = np.rint(found)
        error = float(np.abs(found - nearest).max())
        largest = float(np.abs(nearest).max())
        if not (error <= _MOST_ERROR and largest <= CKKS.largest):
            raise DecryptionError(
                "does not decrypt to whole numbers",
                subject="sum of ciphertexts",
                expected=f"at most {CKKS.largest}, and within {_MOST_ERROR} of a whole number",
                actual=f"{largest:.6g}, {error:.3g}",
                hint="it was encrypted with another key, or an included site sent no ciphertext of "
                "an update; which one, encryption hides",
            )
        return nearest.astype(np.int64)


def _tenseal() -> Any:  # noqa: ANN401 - an extra, without types
    try:
        # Imported when asked for: who adds or audits sums needs no such library.
        import tenseal
    except ImportError as exc:
        raise SettingsError(
            "homomorphic encryption needs TenSEAL",
            subject="homomorphic.scheme",
            hint='pip install "fednet[he]"',
        ) from exc
    return tenseal


def _load(tenseal: Any, data: bytes) -> Any:  # noqa: ANN401 - an extra, without types
    """Return the library's context of a key, of these parameters and no others."""
    if len(data) > MOST_KEY_BYTES:
        raise _no_key(f"{len(data)} bytes")
    try:
        context = tenseal.context_from(data)
        if not context.is_private():
            raise _no_key("without its secret half")
        context.global_scale = _SCALE
        probe = tenseal.ckks_vector(context, [0.0] * CKKS.block_values)
        SPELLING.read(probe.serialize())
    except (RuntimeError, ValueError, TypeError, MalformedBlobError) as exc:
        raise _no_key(str(exc)) from exc
    return context


def _no_key(actual: str) -> SettingsError:
    return SettingsError(
        "is no key of homomorphic encryption with these parameters",
        subject="homomorphic key",
        expected="what `CkksKey.generate` made",
        actual=actual[:200],
        hint="use the file that was made for the run, whole",
    )

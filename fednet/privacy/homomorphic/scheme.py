"""What a scheme of homomorphic encryption has to give; everything else knows only this.

A ciphertext is a block of words modulo a number, and the ciphertext of a sum is
the sum of the words. That holds for every scheme over rings of polynomials, so
who adds, and who adds again to check, needs `Form` and no library and no key.

A scheme with a threshold drops in as another `Decrypting`: one that was made with
the partial decryptions of enough sites for the very sum that it is to decrypt.
`Form`, the sum and its audit stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fednet.domain.identity import Digest

WordArray = npt.NDArray[np.uint64]
"""Words of ciphertexts: little-endian, each below the form's modulus."""
WholeArray = npt.NDArray[np.int64]
"""Whole numbers, as they are encrypted and as they come out again."""

WORD_SIZE_BYTES = 8


@dataclass(frozen=True, slots=True)
class Form:
    """How ciphertexts of a scheme stand in bytes, and how they are added."""

    name: str
    """Stands in plans."""
    modulus: int
    """Words are below this, and added modulo this; at most 2**63, so that no sum overflows."""
    block_values: int
    """Numbers in one ciphertext."""
    block_words: int
    """Words of one ciphertext."""
    largest: int
    """Largest magnitude that a sum may have and still be decrypted exactly."""
    most_sites: int
    """Ciphertexts that may be added before their noise could reach the numbers."""

    def block_count(self, values: int) -> int:
        """Return how many ciphertexts hold so many numbers."""
        return -(-values // self.block_values)

    def word_count(self, values: int) -> int:
        """Return how many words hold so many numbers."""
        return self.block_count(values) * self.block_words


class Encrypting(Protocol):
    """Encrypt what a site sends."""

    @property
    def form(self) -> Form:
        """Return the form of the ciphertexts."""
        ...

    @property
    def identity(self) -> Digest:
        """Identify the key; a plan names it."""
        ...

    def encrypt(self, values: WholeArray) -> WordArray:
        """Encrypt one block; another ciphertext each time.

        Args:
            values: Shape (n,), n from 1 to ``block_values``; magnitudes within ``largest``.

        Returns:
            Shape (block_words,).

        Raises:
            ValueError: Numbers are too many, none, or too large.
        """
        ...


class Decrypting(Protocol):
    """Decrypt a sum, exactly: everybody with the key gets the same whole numbers."""

    @property
    def form(self) -> Form:
        """Return the form of the ciphertexts."""
        ...

    @property
    def identity(self) -> Digest:
        """Identify the key."""
        ...

    def decrypt(self, words: WordArray) -> WholeArray:
        """Decrypt one block.

        Args:
            words: Shape (block_words,).

        Returns:
            Shape (block_values,).

        Raises:
            MalformedBlobError: Of another size, or a word is not below the modulus.
            DecryptionError: Encrypted with another key, or no sum of whole numbers.
        """
        ...

"""The ciphertext of a sum: words added modulo a number, without a library and without a key.

Additions modulo a number come out the same in any order, so that whoever adds the
same ciphertexts has the same bytes. What strangers sent is looked at here, word by
word, before any library sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from fednet.errors import MalformedBlobError
from fednet.privacy.homomorphic.scheme import Form, WordArray

CHUNK_WORDS = 1 << 16
"""Words added at a time."""

Write = Callable[[WordArray], None]
"""Takes the next words, which change once it comes back."""


class Words(Protocol):
    """The words of one update's ciphertexts, read in chunks."""

    @property
    def element_count(self) -> int:
        """Count the words."""
        ...

    def read_into(self, start: int, out: WordArray) -> None:
        """Fill a contiguous buffer with the words from ``start`` on."""
        ...


def require_words(words: WordArray, form: Form, subject: str) -> None:
    """Raise unless every word is below the modulus: a number has one spelling.

    Raises:
        MalformedBlobError: One is not.
    """
    largest = int(words.max(initial=0))
    if largest >= form.modulus:
        raise MalformedBlobError(
            "holds a word that is not below the modulus",
            subject=subject,
            expected=f"at most {form.modulus - 1}",
            actual=largest,
        )


def require_all_words(source: Words, form: Form, subject: str) -> None:
    """Look at every word of an update's ciphertexts.

    Raises:
        MalformedBlobError: One is not below the modulus, or the file was cut short.
    """
    read = np.empty(min(CHUNK_WORDS, source.element_count), np.uint64)
    for start in range(0, source.element_count, CHUNK_WORDS):
        words = read[: min(CHUNK_WORDS, source.element_count - start)]
        source.read_into(start, words)
        require_words(words, form, subject)


def add(form: Form, sources: Sequence[Words], write: Write) -> None:
    """Write the sum of ciphertexts, chunk by chunk.

    Args:
        form: Of all of them.
        sources: At least one; of equal length, every word below the modulus.
        write: Takes the words of the sum, in order.

    Raises:
        MalformedBlobError: A file was cut short, or changed, since it was looked at.
        ValueError: There is none, or more than the form can add, or they differ in length.
    """
    counts = {source.element_count for source in sources}
    if len(counts) != 1 or len(sources) > form.most_sites:
        raise ValueError("ciphertexts cannot be added: none, too many, or of several lengths")
    (count,) = counts
    modulus = np.uint64(form.modulus)
    total = np.empty(min(CHUNK_WORDS, count), np.uint64)
    read = np.empty_like(total)
    for start in range(0, count, CHUNK_WORDS):
        size = min(CHUNK_WORDS, count - start)
        sums, words = total[:size], read[:size]
        sums.fill(0)
        for source in sources:
            source.read_into(start, words)
            require_words(words, form, "ciphertext that is added")
            np.add(sums, words, out=sums)
            np.subtract(sums, modulus, out=sums, where=sums >= modulus)
        write(sums)

"""Updates into ciphertexts, and a ciphertext of a sum into the weighted mean.

Values stand as whole numbers with their weight inside, exactly as they stand in the
ring of 32 bits of masked updates (see ``fednet.privacy.masking.fixed_point``): the
same updates give the same mean, masked or encrypted, bit for bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fednet.domain.identity import Digest
from fednet.domain.tensors import FloatArray
from fednet.errors import DecryptionError
from fednet.privacy.homomorphic.adding import Words
from fednet.privacy.homomorphic.scheme import Decrypting, Encrypting, WholeArray, WordArray
from fednet.privacy.masking.fixed_point import DoubleArray, FixedPoint
from fednet.privacy.masking.ring import Ring

_RING = Ring.BITS_32

Emit = Callable[[int, DoubleArray], None]
"""Takes a start and the elements of the mean from there on, which change once it comes back."""


class Values(Protocol):
    """A flat float32 vector that is read in chunks."""

    @property
    def element_count(self) -> int:
        """Count the elements."""
        ...

    def read_into(self, start: int, out: FloatArray) -> None:
        """Fill a contiguous buffer with the elements from ``start`` on."""
        ...


def fit_numbers(clip: Decimal, weight_cap: int, most_sites: int, *, clips: bool) -> FixedPoint:
    """Choose how finely values stand, so that no sum of a cohort is too large to decrypt.

    Args:
        clip: Largest magnitude of a value.
        weight_cap: Highest weight of a site, in examples.
        most_sites: Most sites that a sum may have.
        clips: Whether larger magnitudes are clipped; else they are refused.

    Raises:
        PlanError: Numbers are out of range, or too many sites have too much weight.
    """
    return FixedPoint.fit(_RING, clip, weight_cap, most_sites, clips=clips)


def encrypt_update(
    key: Encrypting,
    fixed_point: FixedPoint,
    weight: int,
    values: Values,
    write: Callable[[WordArray], None],
    subject: str,
) -> None:
    """Write an update's ciphertexts, block by block; others each time.

    Args:
        key: Of the run.
        fixed_point: How values stand as whole numbers.
        weight: Examples; from 1 to the plan's cap.
        values: The update.
        write: Takes the words of each block, in order.
        subject: Whose update, for errors.

    Raises:
        TrainingError: A value is not finite, or too large where that is refused.
    """
    count, block = values.element_count, key.form.block_values
    read, ring = np.empty(block, np.float32), np.empty(block, _RING.dtype)
    for start in range(0, count, block):
        size = min(block, count - start)
        values.read_into(start, read[:size])
        fixed_point.encode_into(read[:size], weight, ring[:size], subject)
        write(key.encrypt(_RING.signed(ring[:size]).astype(np.int64)))


def decrypt_mean(
    key: Decrypting,
    fixed_point: FixedPoint,
    weights: Collection[int],
    source: Words,
    count: int,
    emit: Emit,
) -> Digest:
    """Decrypt a sum and emit the weighted mean; return a digest of the sum.

    The digest is over the whole numbers, which are published nowhere: who knows it
    has decrypted.

    Args:
        key: Of the run.
        fixed_point: How values stand as whole numbers.
        weights: Of the updates in the sum.
        source: Ciphertext of the sum; its words are those of so many values.
        count: Values of an update.
        emit: Takes float64 elements, in order.

    Raises:
        DecryptionError: Another key, or the sum is larger than honest sites can have.
        MalformedBlobError: The ciphertext has a word too large, or was cut short.
    """
    form, most = key.form, sum(map(fixed_point.largest, weights))
    words = np.empty(form.block_words, np.uint64)
    mean, hashed = np.empty(form.block_values, np.float64), hashlib.sha256()
    for block in range(form.block_count(count)):
        start = block * form.block_values
        size = min(form.block_values, count - start)
        source.read_into(block * form.block_words, words)
        numbers = key.decrypt(words)
        _require_possible(numbers, size, most)
        total: npt.NDArray[np.unsignedinteger] = (
            numbers[:size].astype(_RING.signed_dtype).view(_RING.dtype)
        )
        hashed.update(total.data.cast("B"))
        fixed_point.mean_into(total, sum(weights), mean[:size])
        emit(start, mean[:size])
    return Digest(hashed.digest())


def _require_possible(numbers: WholeArray, size: int, most: int) -> None:
    found = max(int(numbers.max()), -int(numbers.min()))
    if found > most:
        raise DecryptionError(
            "the sum is larger than these sites can honestly have",
            expected=f"at most {most} steps",
            actual=f"{found} steps",
            hint="at least one included site sent what is no clipped update; which one, "
            "encryption hides",
        )
    if numbers[size:].any():
        raise DecryptionError(
            "the sum has numbers where an update has none",
            expected=f"zeros after {size} numbers",
            actual=f"{np.count_nonzero(numbers[size:])} others",
            hint="at least one included site sent what is no update; which one, encryption hides",
        )

"""Shares of a 32-byte secret, of which a threshold gives it back and fewer tell nothing.

Shamir, "How to share a secret", 1979, over the integers modulo 2**256 - 189, the
largest prime of 256 bits. Numbers are little-endian, as X25519's are. A share is
the value at its holder's number, so that two holders never have the same place.

The polynomial is not drawn but derived from the secret (compare Bellare, Dai and
Rogaway, "Reimagining Secret Sharing", PoPETs 2020 (4)): whoever has the secret
back can make every share again, and see whether the dealer dealt as it should
have. Against a holder of fewer shares this hides as
well as the key derivation does, because the secret has 250 bits that it would
have to guess.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from fednet.errors import MalformedBlobError, QuorumError, VerificationError
from fednet.privacy.masking.streams import keystream

PRIME = (1 << 256) - 189
SHARE_SIZE_BYTES = 32
MOST_HOLDER = (1 << 32) - 1
_COEFFICIENT_SIZE_BYTES = 48
"""Reduced modulo the prime, so many bytes are as good as evenly spread."""


@dataclass(frozen=True, slots=True)
class Share:
    """The value of a polynomial at its holder's number."""

    holder: int
    """From 1."""
    value: bytes = field(repr=False)


def split(secret: bytes, threshold: int, holders: Sequence[int], key: bytes) -> list[Share]:
    """Deal shares of a secret.

    Args:
        secret: 32 bytes; as a number below the prime.
        threshold: Shares that give the secret back; from 2 to the number of holders.
        holders: Their numbers, each once, from 1 on.
        key: 32 bytes that the polynomial grows from; known only to who knows the secret.

    Raises:
        ValueError: An argument is out of range.
    """
    constant = int.from_bytes(secret, "little")
    if len(secret) != SHARE_SIZE_BYTES or constant >= PRIME:
        raise ValueError("a secret has 32 bytes and is below the prime")
    if not 2 <= threshold <= len(holders):
        raise ValueError(f"a threshold of {threshold} does not fit {len(holders)} holders")
    if len(set(holders)) < len(holders) or not all(0 < each <= MOST_HOLDER for each in holders):
        raise ValueError("holders have different numbers from 1 on")
    stream = keystream(key, (threshold - 1) * _COEFFICIENT_SIZE_BYTES)
    # From the highest power down, as Horner's rule takes them.
    coefficients = [
        int.from_bytes(stream[at : at + _COEFFICIENT_SIZE_BYTES], "little") % PRIME
        for at in range(0, len(stream), _COEFFICIENT_SIZE_BYTES)
    ]
    return [Share(at, _bytes_of(_evaluate(coefficients, constant, at))) for at in holders]


def join(shares: Sequence[Share], threshold: int) -> bytes:
    """Give back the secret whose shares these are.

    Only the threshold's number of them is used, those of the lowest holders.

    Raises:
        QuorumError: Too few.
        VerificationError: Two are of one holder, or a holder has no number.
        MalformedBlobError: A value is not a number below the prime.
    """
    if len({share.holder for share in shares}) < len(shares):
        raise VerificationError("a share was given twice", subject="shares")
    if len(shares) < threshold:
        raise QuorumError(
            "too few shares to give back the secret", expected=threshold, actual=len(shares)
        )
    chosen = sorted(shares, key=lambda share: share.holder)[:threshold]
    for share in chosen:
        if not 0 < share.holder <= MOST_HOLDER:
            raise VerificationError("a share is nobody's", actual=share.holder)
    factors = _factors_at_zero(tuple(share.holder for share in chosen))
    values = [number_of(share.value, f"share of holder {share.holder}") for share in chosen]
    total = sum(value * factor for value, factor in zip(values, factors, strict=True))
    return _bytes_of(total % PRIME)


def number_of(value: bytes, subject: str) -> int:
    """Read a share's value.

    Raises:
        MalformedBlobError: It is not 32 bytes of a number below the prime.
    """
    number = int.from_bytes(value, "little")
    if len(value) != SHARE_SIZE_BYTES or number >= PRIME:
        raise MalformedBlobError("not the value of a share", subject=subject)
    return number


def _evaluate(coefficients: Sequence[int], constant: int, at: int) -> int:
    total = 0
    for coefficient in coefficients:
        total = (total * at + coefficient) % PRIME
    return (total * at + constant) % PRIME


@lru_cache(maxsize=1024)
def _factors_at_zero(holders: tuple[int, ...]) -> tuple[int, ...]:
    """Return Lagrange's factors, with which values at the holders give the value at zero."""
    everything = math.prod(holders) % PRIME
    factors = []
    for holder in holders:
        below = holder
        for other in holders:
            if other != holder:
                below = below * (other - holder) % PRIME
        factors.append(everything * pow(below, -1, PRIME) % PRIME)
    return tuple(factors)


def _bytes_of(number: int) -> bytes:
    return number.to_bytes(SHARE_SIZE_BYTES, "little")

"""One uniform number between 0 and 1, of which only so many digits are drawn as are asked for.

Whether it lies below exp(-x), x a fraction, is decided exactly: both are bounded by
fractions, more closely each time, until they are apart. As exp(-x) is irrational for
x above 0, they are some time.
"""

from __future__ import annotations

from decimal import Context, Decimal
from fractions import Fraction

from fednet.privacy.noise.words import WORD_BITS, Words

_DIGITS = 30
_MORE_DIGITS = 20


class Uniform:
    """Hold the digits that are drawn so far.

    Args:
        word: The first 64 binary digits.
        words: Where more come from.
    """

    def __init__(self, word: int, words: Words) -> None:
        self._digits, self._count = word, WORD_BITS
        self._words = words

    def is_below_exp(self, x: Fraction) -> bool:
        """Tell whether the number is below exp(-x), for an x of at least 0."""
        if x == 0:
            return True
        precision = _DIGITS
        while True:
            low, high = _exp_bounds(x, precision)
            unit = Fraction(1, 1 << self._count)
            if (self._digits + 1) * unit <= low:
                return True
            if self._digits * unit >= high:
                return False
            self._digits = (self._digits << WORD_BITS) | int(self._words.take(1)[0])
            self._count += WORD_BITS
            precision += _MORE_DIGITS


def _exp_bounds(x: Fraction, precision: int) -> tuple[Fraction, Fraction]:
    """Return fractions below and above exp(-x)."""
    context = Context(prec=precision)
    wanted = context.divide(Decimal(-x.numerator), Decimal(x.denominator))
    found = Fraction(context.exp(wanted))
    # Rounding x moves exp(-x) by at most x exp(-x) < 1 of its last digit; rounding that, by one.
    room = Fraction(4, 10**precision)
    return found - room, found + room

"""One byte form for structured values: canonical JSON.

Keys are sorted by code point, there is no white space, text is UTF-8 and
unescaped, numbers are integers. A real number travels as a normalised decimal
string, because two machines need not print a float alike (compare RFC 8785,
which solves the same problem for floats we refuse to have).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from fednet.errors import MalformedBlobError

_MAX_DEPTH = 16
_MOST_PLACES = 400
"""Digits before or after the point that a number is written with; every float has fewer."""
_PLAIN = frozenset({str, int, bool, type(None)})
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def encode(value: object) -> bytes:
    """Return the one byte form of a value made of dict, list, str, int, bool and None.

    Raises:
        TypeError: The value holds something else, a float for example.
    """
    _check(value, 0)
    return _ENCODER.encode(value).encode("utf-8")


def decode(data: bytes, subject: str) -> object:
    """Read canonical JSON, refusing every other spelling of the same value.

    Raises:
        MalformedBlobError: Not JSON, or not in canonical form.
    """
    is_flat = data.count(b"[") + data.count(b"{") <= _MAX_DEPTH
    if not is_flat:
        _refuse_deep(data, subject)
    try:
        value: object = json.loads(
            data.decode("utf-8"), parse_float=_refuse, parse_constant=_refuse
        )
        if not is_flat:
            _check(value, 0)
        canonical = _ENCODER.encode(value).encode("utf-8") == data
    except (ValueError, TypeError, RecursionError) as exc:
        raise MalformedBlobError(
            "not canonical JSON", subject=subject, actual=str(exc)[:120]
        ) from exc
    if not canonical:
        raise MalformedBlobError("JSON is not in canonical form", subject=subject)
    return value


def decode_object(data: bytes, subject: str) -> dict[str, object]:
    """Read canonical JSON that must be an object."""
    value = decode(data, subject)
    if not isinstance(value, dict):
        raise MalformedBlobError("not a JSON object", subject=subject)
    return value


def decimal_text(value: Decimal | int | str | float) -> str:
    """Write a real number in its one normalised form, such as ``0.01`` or ``-3``.

    A float is taken as the shortest decimal that reads back as itself.

    Raises:
        ValueError: Not a finite number, or one that is written with very many places:
            a stranger's ``1E+999999999`` would fill the memory.
    """
    try:
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        raise ValueError(f"not a decimal number: {str(value)[:40]!r}") from None
    if not number.is_finite():
        raise ValueError(f"not a finite number: {str(value)[:40]!r}")
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    if number.adjusted() > _MOST_PLACES or exponent < -_MOST_PLACES:
        raise ValueError(f"not a number of at most {_MOST_PLACES} places: {str(value)[:40]!r}")
    text = format(number.normalize(), "f")
    return "0" if text in ("-0", "0") else text


def _check(value: object, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if type(value) in _PLAIN:  # almost everything; asking for a Mapping costs ten times as much
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"key is not text: {key!r}")
            _check(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item, depth + 1)
    elif not (value is None or isinstance(value, bool | int | str)):
        raise TypeError(f"no canonical form for {type(value).__name__}")


def _refuse_deep(data: bytes, subject: str) -> None:
    """Raise if values are nested too deeply, before a parser that recurses sees them."""
    depth = 0
    for found in _STRUCTURE.finditer(data):
        sign = found.group()
        depth += 1 if sign in b"[{" else -1 if sign in b"]}" else 0
        if depth > _MAX_DEPTH + 1:
            raise MalformedBlobError("JSON is nested too deeply", subject=subject)


def _refuse(text: str) -> object:
    raise ValueError(f"real number {text[:40]} must be a decimal string")

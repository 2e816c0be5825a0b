"""Make rows of what SQLite gives, by the rows' own annotations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import partial
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from fednet.domain.disclosures import ReleaseStatus
from fednet.domain.identity import Digest
from fednet.domain.ledger import AccessStatus, Role, Standing
from fednet.provenance.mask_rows import MaskAct

_Row = TypeVar("_Row")
_Maker = Callable[[Any], Any]


def build(kind: type[_Row], found: Iterable[tuple[Any, ...]]) -> list[_Row]:
    """Make rows; the columns stand in the order of the fields, of which the last may lack."""
    makers = _makers(kind)
    return [
        kind(*[value if make is None else make(value)
               for make, value in zip(makers, values, strict=False)])
        for values in found
    ]  # fmt: skip


_known: dict[type[Any], tuple[_Maker | None, ...]] = {}


def _makers(kind: type[Any]) -> tuple[_Maker | None, ...]:
    if kind not in _known:
        hints = get_type_hints(kind)
        _known[kind] = tuple(_maker(hints[field.name]) for field in fields(kind))
    return _known[kind]


def _maker(hint: object) -> _Maker | None:
    if isinstance(hint, UnionType) or NoneType in get_args(hint):
        inner = next(each for each in get_args(hint) if each is not NoneType)
        make = _maker(inner)
        return None if make is None else lambda value: None if value is None else make(value)
    if isinstance(hint, type) and issubclass(hint, Digest):
        # What went in had 32 bytes: no need to count them a million times.
        return partial(bytes.__new__, hint)
    if hint in (Standing, AccessStatus, ReleaseStatus, Role, MaskAct, bool):
        make_value: _Maker = hint
        return make_value
    return None

"""Where a sealed blob belongs; moved anywhere else it does not open."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fednet.domain import canonical
from fednet.domain.identity import SiteId
from fednet.domain.update import Place

FORMAT = "fednet-sealed/1"
"""Not written into any blob: it is bound into every key instead."""

_KIND = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class BlobPlace:
    """Name the one blob of its kind that a site makes in an attempt.

    Raises:
        ValueError: The kind is not a word of at most 32 small letters, digits and hyphens.
    """

    attempt: Place
    site: SiteId
    """Its author; 0 for what all members make alike."""
    kind: str
    """``update`` or ``state``, for example."""

    def __post_init__(self) -> None:
        if not _KIND.fullmatch(self.kind):
            raise ValueError(f"not a kind of blob: {self.kind!r}")

    def __str__(self) -> str:
        at = self.attempt
        author = f" of site {self.site}" if self.site else ""
        return f"{self.kind}{author}, run {at.run}, round {at.round}, attempt {at.attempt}"

    def fields(self) -> list[object]:
        """Return what names the place, in the order in which it is hashed."""
        at = self.attempt
        return [at.chain_id, at.contract, at.run, at.round, at.attempt, self.site, self.kind]

    def bind(self, purpose: str, *more: object) -> bytes:
        """Write a purpose and this place as one canonical text, to derive keys with."""
        return canonical.encode([FORMAT, purpose, *self.fields(), *more])

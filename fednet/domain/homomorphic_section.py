"""The section of a plan that encrypts updates for their sum; see docs/adr/0024."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from fednet.domain.identity import SiteId
from fednet.domain.sections import Real, Section, to_tuple

_EXPANSION = 8
_BLOCK_SIZE_BYTES = 1 << 16


class HomomorphicSection(Section):
    """Who adds encrypted updates, and under which key; with ``scheme = "none"`` nothing counts."""

    scheme: Literal["none", "ckks"] = "none"
    """How updates are encrypted; one secret key, which all sites of the run share."""
    key: str = Field("", pattern=r"^([0-9a-f]{64})?$")
    """Identity of that key, as ``fednet homomorphic new-key`` tells it."""
    aggregators: Annotated[
        tuple[Annotated[int, Field(ge=1, lt=1 << 32)], ...],
        BeforeValidator(to_tuple),
        Field(max_length=64),
    ] = ()
    """Sites that add ciphertexts: admitted, not in the run, and without the key."""
    clip: Real = Field(Decimal(0), ge=0, le=10**12)
    """Largest magnitude of one value of an update; 0 where nothing is encrypted."""
    clips: bool = True
    """Whether a larger value is cut to that; else its update stays at the site."""

    @property
    def aggregator_sites(self) -> frozenset[SiteId]:
        """Return the aggregators by their ids."""
        return frozenset(map(SiteId, self.aggregators))

    @property
    def majority(self) -> int:
        """Return how many aggregators must have the same sum."""
        return len(self.aggregators) // 2 + 1

    def ciphertext_size_bytes(self, values_size_bytes: int) -> int:
        """Bound the ciphertexts of float32 values, the last block's padding included."""
        return values_size_bytes * _EXPANSION + _BLOCK_SIZE_BYTES

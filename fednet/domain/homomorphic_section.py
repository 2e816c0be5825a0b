"""The section of a plan that encrypts updates for their sum; see docs/adr/0024."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from fednet.domain.sections import Real, Section, to_tuple


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
    def majority(self) -> int:
        """Return how many aggregators must have the same sum."""
        return len(self.aggregators) // 2 + 1

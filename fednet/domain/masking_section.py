"""The section of a plan that hides updates in a sum; see docs/adr/0021."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from fednet.domain.masking_stages import MaskingTimes
from fednet.domain.sections import Real, Seconds, Section


class MaskingSection(Section):
    """How updates are masked, with ``module.name = "masked"``; with another none of it counts."""

    clip: Real = Field(Decimal(0), ge=0, le=10**12)
    """Largest magnitude of one value of an update; 0 where nothing is masked."""
    clips: bool = True
    """Whether a larger value is cut to that; else its update stays at the site."""
    ring_bits: Literal[32, 64] = 32
    """Bits of each value in a masked update: with 64, more sites, examples and precision fit."""
    colluding: Real = Field(Decimal("0.1"), ge=0, lt=1)
    """Part of a cohort, rounded up, that may collude with the aggregator and learn nothing."""
    vanishing: Real = Field(Decimal("0.25"), ge=0, lt=1)
    """Part of a cohort, rounded up, that may vanish in an attempt before it has to end."""
    targeted: bool = True
    """Whether somebody who sees the graph may choose who vanishes; else it is chance."""
    key_seconds: Seconds = 300
    """How long keys are waited for, from the attempt's start."""
    share_seconds: Seconds = 300
    """How long shares are waited for, once keys are closed."""
    holding_seconds: Seconds = 300
    """How long it is waited for what each site holds."""
    freeze_seconds: Seconds = 300
    """How long a proposed set is waited for to be affirmed, before another may be proposed."""

    @property
    def times(self) -> MaskingTimes:
        """Return what the contract holds of it."""
        return MaskingTimes(
            self.key_seconds, self.share_seconds, self.holding_seconds, self.freeze_seconds
        )

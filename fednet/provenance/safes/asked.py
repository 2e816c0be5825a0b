"""What every part of the Five Safes view is gathered from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fednet.domain.identity import SiteId
from fednet.domain.ledger import Deployment
from fednet.domain.plan import Plan
from fednet.provenance.rows import RunRow, SiteRow
from fednet.provenance.safes.asking import SafesAsking

EVERY = 1 << 40
"""Rows at most: all of them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One run, and where to look it up."""

    index: SafesAsking
    run: RunRow
    plan: Plan | None
    """None if its bytes cannot be had."""
    deployment: Deployment
    sites: Mapping[SiteId, SiteRow]
    """Those that ever consented, by number."""

    def name(self, site: SiteId | None) -> str:
        """Name an institution as it named itself; empty if it did not consent to the run."""
        known = self.sites.get(site) if site is not None else None
        return known.name if known else ""

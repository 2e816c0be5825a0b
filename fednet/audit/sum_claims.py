"""Which sum the aggregators of a run agree on, as everybody reads it from the ledger.

An aggregator commits to a sum by announcing its commitment, and serves its bytes
only once a majority committed to the same, and for one sum an attempt: from two
sums of the same attempt everybody with the key would learn the updates in which
they differ. Of an attempt the first sum counts on which a majority agreed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from fednet.domain import events as ev
from fednet.domain.identity import Commitment, Locator, SiteId


@dataclass(frozen=True, slots=True)
class AgreedSum:
    """A blob that a majority of aggregators committed to; whether it is a sum its bytes tell."""

    commitment: Commitment
    since: ev.Log
    """Of the announcement that made the majority."""
    said: tuple[SiteId, ...]
    """Who announced it, in the order of the chain."""
    locators: tuple[Locator, ...]
    """Where they say it is."""


@dataclass(slots=True)
class SumClaims:
    """Fold what aggregators announce.

    Args:
        aggregators: Of the plan.
        majority: How many must have committed to the same.
    """

    aggregators: Collection[SiteId]
    majority: int
    _said: dict[Commitment, dict[SiteId, ev.LocatorAnnounced]] = field(default_factory=dict)
    _agreed: dict[Commitment, ev.Log] = field(default_factory=dict)

    def extend(self, events: Iterable[ev.LedgerEvent]) -> None:
        """Take in further events, in the order of the chain."""
        for event in events:
            if not isinstance(event, ev.LocatorAnnounced) or event.site not in self.aggregators:
                continue
            said = self._said.setdefault(event.commitment, {})
            said.setdefault(event.site, event)
            if len(said) == self.majority:
                self._agreed.setdefault(event.commitment, event.log)

    def agreed(self, since: ev.Log) -> list[AgreedSum]:
        """List what a majority agreed on after an event, the first first."""
        found = []
        for commitment, log in self._agreed.items():
            if log > since:
                said = self._said[commitment]
                locators = dict.fromkeys(event.locator for event in said.values())
                found.append(AgreedSum(commitment, log, tuple(said), tuple(locators)))
        return sorted(found, key=lambda each: each.since)

    def has_said(self, site: SiteId, commitment: Commitment) -> bool:
        """Tell whether an aggregator committed to a sum."""
        return site in self._said.get(commitment, {})

"""What each site gave to a run, added up once and kept: only new rounds are counted again."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from fednet.provenance import LedgerIndex, RunRow, UpdateRow

_BATCH = 5_000
_KEPT = 64


@dataclass(slots=True)
class Share:
    """What one site gave to a run."""

    site: int
    updates: int = 0
    included: int = 0
    weight: int = 0
    """Examples behind its included updates, over all rounds."""
    claimed: int = 0


@dataclass(slots=True)
class Tally:
    """What all sites gave to a run."""

    shares: list[Share] = field(default_factory=list)
    by_round: dict[int, int] = field(default_factory=dict)
    """Examples behind the included updates."""

    @property
    def weight(self) -> int:
        """Add up the examples of all sites."""
        return sum(each.weight for each in self.shares)

    def weights(self, most: int) -> list[tuple[int, float]]:
        """List the examples of the latest rounds."""
        return [(number, float(self.by_round[number])) for number in sorted(self.by_round)[-most:]]


class Tallies:
    """Keep the tallies of the runs that are looked at."""

    def __init__(self, index: LedgerIndex) -> None:
        self._index = index
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], Tally] = OrderedDict()

    def of(self, run: RunRow) -> Tally:
        """Return a run's tally, as of its newest record."""
        newest = self._index.events(run=run.run, limit=1, newest_first=True)
        key = (int(run.run), newest[0].block if newest else run.block)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                return kept
            tally = self._count(run)
            self._kept[key] = tally
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return tally

    def _count(self, run: RunRow) -> Tally:
        shares: defaultdict[int, Share] = defaultdict(lambda: Share(0))
        by_round: defaultdict[int, int] = defaultdict(int)
        for offset in range(0, run.updates, _BATCH):
            rows = self._index.updates(run=run.run, limit=_BATCH, offset=offset)
            _add(rows, shares, by_round)
        for claim in self._index.claims(run=run.run, limit=100_000):
            shares[claim.site].claimed = claim.claimed
        for site, share in shares.items():
            share.site = site
        return Tally([shares[site] for site in sorted(shares)], dict(by_round))


def _add(rows: Iterable[UpdateRow], shares: dict[int, Share], by_round: dict[int, int]) -> None:
    for row in rows:
        share = shares[row.site]
        share.updates += 1
        if row.verdict == "included":
            share.included += 1
            share.weight += row.weight
            by_round[row.round] += row.weight

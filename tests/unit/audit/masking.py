"""A world whose sites mask their updates, honestly unless a test makes one lie."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fednet.audit import MaskedInputs
from fednet.domain import events as ev
from fednet.domain.identity import Digest, Locator, SiteId
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Manifest
from fednet.privacy.masking import (
    Frozen,
    HeldShares,
    Recovery,
    agree_on,
    included_in,
    read_dealings,
    recover,
)
from tests.masked_players import Players
from tests.unit.audit.world import World, work_of

Lie = Callable[[Mapping[SiteId, HeldShares]], Mapping[SiteId, HeldShares]]
MASKED: dict[str, Any] = {
    "module": {"name": "masked"},
    "masking": {"clip": 8, "colluding": "0.2", "vanishing": "0.2"},
    "update": {"maximum_examples": 1_000},
}
SITES = 5


class Masking(World):
    """Of five sites one may vanish and one collude: 3 of 4 neighbours give a secret back."""

    away: Mapping[str, Collection[int]] = {}
    """Sites that are away from a stage on."""
    lies: Mapping[int, Lie] = {}
    """What sites make of the shares that they hold before they disclose."""

    def begin(self, number: int, attempt: int = 1) -> None:
        super().begin(number, attempt)
        self.players = Players(
            self.place, agree_on(self.plan, len(self.sites)), self.emit, self.publish, self.seed_of
        )

    def publish(self, data: bytes) -> Locator:
        path = self.folder / "published"
        path.write_bytes(data)
        return self.store.publish(path)

    def seed_of(self, block: int) -> Digest:
        return self.blocks([block])[0].block_hash

    def there(self, stage: str) -> list[SiteId]:
        """List who is there at a stage."""
        stages = ("keys", "shares", "holdings", "masked", "freezing", "unmasking")
        gone = {
            site for past in stages[: stages.index(stage) + 1] for site in self.away.get(past, ())
        }
        return [site for site in self.sites if site not in gone]

    def collect(self) -> None:
        """Play every stage up to the last disclosure."""
        self.mask()
        self.freeze()
        self.unmask()

    def mask(self, liar: int = 0, **said: Any) -> None:
        """Play the stages up to the masked updates; a liar submits something else."""
        players, times = self.players, self.plan.masking
        for stage, act, seconds in (
            ("keys", players.advertise, times.key_seconds),
            ("shares", players.deal, times.share_seconds),
            ("holdings", players.hold, times.holding_seconds),
        ):
            act(*self.there(stage))
            if self.away.get(stage):
                self.now += seconds + 1  # who is away is waited for
            if stage == "keys":
                players.close_keys()
        for site in self.there("masked"):
            if site == liar:
                self.submit(site, **said)
            else:
                self.contribute(site)
        self.close()

    def submit(
        self,
        site: int,
        fill: float | None = None,
        weight: int | None = None,
        data: bytes | None = None,
        arrays: dict[str, FloatArray] | None = None,
        **manifest: Any,
    ) -> ev.UpdateSubmitted:
        """Mask an update and submit it."""
        assert fill is None
        weight = 10 * site if weight is None else weight
        if data is None:
            said = Manifest(self.place, SiteId(site), self.base, weight, Digest(bytes([site]) * 32))
            values = self.values_of(site) if arrays is None else _joined(arrays)
            data = self.players.masked(replace(said, **manifest), values)
        return super().submit(site, weight=weight, data=data)

    def values_of(self, site: int) -> FloatArray:
        """Return a site's update as one vector, in the order of the state."""
        return _joined(work_of(site, self.place.round))

    def freeze(self, inclusion: bytes = b"") -> None:
        self.now = max(self.now, self.anybodys)
        self.players.propose_set(2, inclusion)
        self.players.affirm(*self.there("freezing"))
        self.players.freeze()

    @property
    def anybodys(self) -> int:
        """Return from when on a first set may be anybody's."""
        timing = self.plan.timing
        return self.open_until - timing.propose_seconds + timing.grace_seconds

    def unmask(self) -> None:
        frozen = self.frozen()
        for site in self.there("unmasking"):
            self.players.disclose(frozen, site, lie=self.lies.get(site))

    def frozen(self) -> Frozen:
        named = self.players.record.frozen_inclusion
        assert named is not None
        submissions = {entry.site: entry for entry in self.submissions()}
        included = included_in(named, submissions, {site: site - 1 for site in self.sites})
        assert included is not None
        return self.players.frozen(included)

    def recovery(self, frozen: Frozen) -> Recovery:
        record = self.players.record
        dealings, _ = read_dealings(frozen.dealers, self.players.bytes_of(record.dealings))
        return recover(frozen, dealings, self.players.bytes_of(record.disclosures))

    def hidden(self) -> dict[str, Any]:
        frozen = self.frozen()
        fixed_point = self.players.agreement.fixed_point
        return {"masked": MaskedInputs(frozen.dealers, fixed_point, frozen, self.recovery(frozen))}


def _joined(arrays: Mapping[str, FloatArray]) -> FloatArray:
    return np.concatenate([arrays[name].reshape(-1) for name in sorted(arrays)])

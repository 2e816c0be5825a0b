"""Play attempts at secure aggregation in memory, with sites that vanish at any stage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from fednet.domain.identity import Address, Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Place
from fednet.privacy.masking import (
    Circle,
    Dealers,
    FixedPoint,
    Frozen,
    Masked,
    Parameters,
    Received,
    Recovery,
    Ring,
    RingArray,
    SiteSecrets,
    bind,
    close_dealing,
    combine,
    deal,
    disclose,
    form_circle,
    freeze,
    mask,
    pack_holding,
    read_dealing,
    receive,
    recover,
    unpack_holding,
)
from fednet.privacy.noise import Words

PLACE = Place(1337, Address("0x" + "11" * 20), RunId(1), RoundNumber(2), 1)
SEED = Digest(bytes([5]) * 32)
TEN = frozenset(SiteId(number) for number in range(1, 11))
OF_TEN = Parameters(degree=9, threshold=6, least_sites=7)
STAGES = ("keys", "shares", "holdings", "masked", "unmask")
WEIGHT_CAP = 1_000


def fixed_point_of(ring: Ring = Ring.BITS_32, sites: int = 10) -> FixedPoint:
    return FixedPoint.fit(ring, Decimal(4), WEIGHT_CAP, sites, clips=True)


def secrets_of(site: int, place: Place = PLACE) -> SiteSecrets:
    root = hashlib.sha256(b"root of %d" % site).digest()
    return SiteSecrets(place, SiteId(site), root)


def values_of(site: int, count: int) -> FloatArray:
    """Make an update; a hundredth of its values lies beyond the clip bound."""
    drawn = np.random.default_rng(site).standard_normal(count) * 1.5
    return drawn.astype(np.float32)


def weight_of(site: int) -> int:
    return site * 97 % WEIGHT_CAP + 1


class Array:
    """An array read in chunks, of float32 or of ring elements."""

    def __init__(self, values: Any) -> None:
        self._values = values
        self.element_count = values.size

    def read_into(self, start: int, out: Any) -> None:
        out[:] = self._values[start : start + out.size]


@dataclass
class Attempt:
    """Everything that an attempt published, and what its sites know."""

    circle: Circle
    secrets: Mapping[SiteId, SiteSecrets]
    dealings: dict[SiteId, bytes] = field(default_factory=dict)
    received: dict[SiteId, Received] = field(default_factory=dict)
    holdings: dict[SiteId, frozenset[SiteId]] = field(default_factory=dict)
    masked: dict[SiteId, RingArray] = field(default_factory=dict)
    disclosures: dict[SiteId, bytes] = field(default_factory=dict)

    @classmethod
    def begin(
        cls,
        sites: Iterable[SiteId],
        parameters: Parameters = OF_TEN,
        place: Place = PLACE,
        seed: Digest = SEED,
    ) -> Attempt:
        """Stage 1: those sites advertise."""
        secrets = {site: secrets_of(site, place) for site in sites}
        keys = {site: own.public for site, own in secrets.items()}
        return cls(form_circle(place, keys, seed, parameters), secrets)

    def deal(self, sites: Iterable[SiteId]) -> None:
        """Stage 2: those sites deal."""
        for site in sites:
            self.dealings[site] = deal(self.circle, self.secrets[site])

    def hold(self, sites: Iterable[SiteId]) -> None:
        """Stage 2: those sites say whose shares they hold."""
        for site in sites:
            self.received[site] = receive(self.circle, self.secrets[site], self.dealings)
            said = pack_holding(self.circle, site, self.received[site].held)
            self.holdings[site] = unpack_holding(self.circle, site, said)

    def close(self) -> Dealers:
        commitments = {site: Commitment.of(data) for site, data in self.dealings.items()}
        return close_dealing(self.circle, commitments, self.holdings)

    def mask(
        self,
        dealers: Dealers,
        sites: Iterable[SiteId],
        count: int,
        fixed_point: FixedPoint,
        values_of: Callable[[int, int], FloatArray] = values_of,
        words_of: Callable[[int], Words] | None = None,
    ) -> None:
        """Stage 3: those sites mask their updates, with noise from given words if any."""
        for site in sites:
            out = np.empty(count, fixed_point.ring.dtype)

            def write(start: int, chunk: RingArray, out: RingArray = out) -> None:
                out[start : start + chunk.size] = chunk

            values = Array(values_of(site, count))
            words = words_of(site) if words_of else None
            mask(dealers, self.secrets[site], fixed_point, weight_of(site), values, write, words)
            self.masked[site] = out

    def freeze(self, dealers: Dealers) -> Frozen:
        """Stage 4: what was masked counts."""
        included = {
            site: Masked(Commitment.of(values.data.cast("B")), weight_of(site))
            for site, values in self.masked.items()
        }
        return freeze(dealers, included)

    def disclose(self, frozen: Frozen, sites: Iterable[SiteId]) -> None:
        """Stage 5: those sites disclose."""
        for site in sites:
            unmasking = bind(frozen, site, None)
            self.disclosures[site] = disclose(unmasking, frozen, self.received[site].held)

    def recover(self, frozen: Frozen) -> Recovery:
        dealings = {
            site: read_dealing(self.circle, site, data)
            for site, data in self.dealings.items()
            if site in frozen.dealers.holders
        }
        return recover(frozen, dealings, self.disclosures)

    def combine(self, frozen: Frozen, recovery: Recovery, fixed_point: FixedPoint) -> FloatArray:
        """Stage 6: the mean, rounded to float32."""
        updates = {site: Array(self.masked[site]) for site in frozen.included}
        count = next(iter(updates.values())).element_count
        mean = np.empty(count, np.float32)

        def emit(start: int, chunk: Any) -> None:
            mean[start : start + chunk.size] = chunk

        combine(frozen, recovery, updates, fixed_point, emit)
        return mean


@dataclass
class Played:
    attempt: Attempt
    frozen: Frozen
    recovery: Recovery
    mean: FloatArray


def play(
    gone: Mapping[str, Collection[SiteId]],
    *,
    cohort: Collection[SiteId] = TEN,
    parameters: Parameters = OF_TEN,
    ring: Ring = Ring.BITS_32,
    count: int = 1_000,
) -> Played:
    """Play an attempt from whose named stages on some sites are away."""
    fixed_point = fixed_point_of(ring, len(cohort))
    there: dict[str, list[SiteId]] = {}
    left = set(cohort)
    for stage in STAGES:
        left -= set(gone.get(stage, ()))
        there[stage] = sorted(left)
    attempt = Attempt.begin(there["keys"], parameters)
    attempt.deal(there["shares"])
    attempt.hold(there["holdings"])
    dealers = attempt.close()
    attempt.mask(dealers, there["masked"], count, fixed_point)
    frozen = attempt.freeze(dealers)
    attempt.disclose(frozen, there["unmask"])
    recovery = attempt.recover(frozen)
    return Played(attempt, frozen, recovery, attempt.combine(frozen, recovery, fixed_point))


def clear_sum(sites: Iterable[SiteId], fixed_point: FixedPoint, count: int) -> RingArray:
    """Add the encoded updates without any mask."""
    total = np.zeros(count, fixed_point.ring.dtype)
    encoded = np.empty_like(total)
    for site in sites:
        fixed_point.encode_into(values_of(site, count), weight_of(site), encoded, str(site))
        total += encoded
    return total


def clear_mean(sites: Collection[SiteId], fixed_point: FixedPoint, count: int) -> FloatArray:
    """Return what the mean must be, bit for bit."""
    mean = np.empty(count, np.float64)
    total_weight = sum(weight_of(site) for site in sites)
    fixed_point.mean_into(clear_sum(sites, fixed_point, count), total_weight, mean)
    return mean.astype(np.float32)

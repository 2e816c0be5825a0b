"""Sites of a masked attempt that act on a ledger in memory as nodes do on a chain.

Everything that a site needs of others it takes from the ledger's events and from
published bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fednet.domain import masking_events as me
from fednet.domain.identity import Commitment, Digest, Locator, SiteId
from fednet.domain.masking_stages import MaskingAttempt, MaskingHistory
from fednet.domain.randomness import SecretWords
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Manifest, Place
from fednet.privacy.masking import (
    Agreement,
    Circle,
    Dealers,
    Frozen,
    HeldShares,
    Masked,
    Received,
    RingArray,
    SiteSecrets,
    bind,
    circle_of,
    deal,
    dealers_of,
    disclose,
    frozen_of,
    mask,
    pack_holding,
    receive,
    write_masked_header,
)
from tests.masking_fixtures import Array, secrets_of

Emit = Callable[..., Any]


@dataclass
class Players:
    """Play one attempt; a site that is not named in a step is away."""

    place: Place
    agreement: Agreement
    emit: Emit
    """Puts an event of a kind, with its fields, on the ledger."""
    publish: Callable[[bytes], Locator]
    seed_of: Callable[[int], Digest]
    """Gives the hash of a block."""
    events: list[me.MaskingEvent] = field(default_factory=list)
    blobs: dict[Commitment, bytes] = field(default_factory=dict)

    @property
    def record(self) -> MaskingAttempt:
        """Return what the ledger says."""
        return MaskingHistory.fold(self.events).attempt(self.place.round, self.place.attempt)

    @property
    def circle(self) -> Circle:
        record = self.record
        assert record.seed_block is not None
        return circle_of(self.place, record, self.seed_of(record.seed_block), self.agreement)

    @property
    def dealers(self) -> Dealers:
        return dealers_of(self.circle, self.record)

    def secrets(self, site: int) -> SiteSecrets:
        return secrets_of(site, self.place)

    def say(self, kind: type[me.MaskingEvent], **fields: Any) -> None:
        place = {"run": self.place.run, "round": self.place.round, "attempt": self.place.attempt}
        self.events.append(self.emit(kind, **(place | fields)))

    def keep(self, data: bytes) -> dict[str, Any]:
        """Publish bytes; return what the ledger says of them."""
        commitment = Commitment.of(data)
        self.blobs[commitment] = data
        return {"commitment": commitment, "locator": self.publish(data)}

    def advertise(self, *sites: int) -> None:
        for site in sites:
            public = self.secrets(site).public
            self.say(
                me.KeysAdvertised, site=SiteId(site), mask_key=public.mask,
                channel_key=public.channel,
            )  # fmt: skip

    def close_keys(self) -> None:
        self.say(me.KeysClosed, advertised=len(self.record.keys))

    def deal(self, *sites: int, data: bytes | None = None) -> None:
        """Deal, or publish other bytes as the dealing."""
        for site in sites:
            dealt = deal(self.circle, self.secrets(site)) if data is None else data
            self.say(me.SharesDealt, site=SiteId(site), **self.keep(dealt))

    def received(self, site: int) -> Received:
        said = self.record.dealings.values()
        dealings = {event.site: self.blobs[event.commitment] for event in said}
        return receive(self.circle, self.secrets(site), dealings)

    def hold(self, *sites: int, holding: bytes | None = None) -> None:
        """Say truly what is held, or something else."""
        for site in sites:
            held = self.received(site).held
            said = pack_holding(self.circle, SiteId(site), held) if holding is None else holding
            self.say(me.SharesHeld, site=SiteId(site), holding=said)

    def begin(self, *sites: int) -> None:
        """Play all that comes before the masked updates."""
        self.advertise(*sites)
        self.close_keys()
        self.deal(*sites)
        self.hold(*sites)

    def masked(self, manifest: Manifest, values: FloatArray) -> bytes:
        """Return the complete bytes of a site's masked update."""
        dealers, fixed_point = self.dealers, self.agreement.fixed_point
        out = np.empty(values.size, fixed_point.ring.dtype)

        def write(start: int, chunk: RingArray) -> None:
            out[start : start + chunk.size] = chunk

        secrets = self.secrets(manifest.site)
        mask(dealers, secrets, fixed_point, manifest.examples, Array(values), write, SecretWords())
        head = write_masked_header(dealers, manifest, fixed_point.ring, values.size)
        return head + out.tobytes()

    def propose_set(self, by: int, inclusion: bytes = b"", number: int = 1) -> None:
        self.say(me.SetProposed, site=SiteId(by), number=number, inclusion=inclusion)

    def affirm(self, *sites: int, number: int = 1) -> None:
        for site in sites:
            self.say(me.SetAffirmed, site=SiteId(site), number=number)

    def freeze(self, number: int = 1) -> None:
        self.say(me.SetFrozen, number=number)

    def frozen(self, included: Mapping[SiteId, Masked]) -> Frozen:
        return frozen_of(self.dealers, self.agreement, included)

    def disclose(
        self,
        frozen: Frozen,
        *sites: int,
        lie: Callable[[Mapping[SiteId, HeldShares]], Mapping[SiteId, HeldShares]] | None = None,
    ) -> None:
        """Disclose for a set, honestly or not."""
        for site in sites:
            held = self.received(site).held
            data = disclose(bind(frozen, SiteId(site), None), frozen, lie(held) if lie else held)
            self.say(me.SharesDisclosed, site=SiteId(site), **self.keep(data))

    def bytes_of(
        self, said: Mapping[SiteId, me.SharesDealt] | Mapping[SiteId, me.SharesDisclosed]
    ) -> dict[SiteId, bytes]:
        """Return the published bytes, by site."""
        return {site: self.blobs[event.commitment] for site, event in said.items()}

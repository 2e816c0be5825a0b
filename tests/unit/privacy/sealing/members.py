"""Sites with fixed encryption keys, and places for their blobs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fednet.domain.identity import Address, RoundNumber, RunId, SiteId
from fednet.domain.update import Place
from fednet.privacy.sealing import BlobPlace, ContentKey, Member, Recipients

ATTEMPT = Place(1337, Address("0x" + "Ab" * 20), RunId(4), RoundNumber(2), 1)
PLACE = BlobPlace(ATTEMPT, SiteId(3), "update")
KEY = ContentKey(bytes(range(32)))


def member(site: int, generation: int = 1) -> Member:
    secret = hashlib.sha256(b"member %d, key %d" % (site, generation)).digest()
    return Member(SiteId(site), X25519PrivateKey.from_private_bytes(secret))


def recipients(sites: Iterable[int]) -> Recipients:
    return Recipients.of({SiteId(site): member(site).public_key for site in sites})


def elsewhere(**changes: Any) -> BlobPlace:
    """Change what is named of the place: of the attempt, or site or kind."""
    own = {name: changes.pop(name) for name in ("site", "kind") if name in changes}
    return replace(replace(PLACE, attempt=replace(ATTEMPT, **changes)), **own)


MEMBERS = recipients([1, 3, 7])
OTHER_PLACES = [
    elsewhere(chain_id=1338),
    elsewhere(contract=Address("0x" + "Cd" * 20)),
    elsewhere(run=5),
    elsewhere(round=3),
    elsewhere(attempt=2),
    elsewhere(site=1),
    elsewhere(kind="state"),
]

"""A swarm's new key opens for the members it was written to, after the key that it follows."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fednet.domain import canonical
from fednet.domain.identity import Address, SiteId
from fednet.errors import MalformedBlobError, SettingsError, UnsealingError
from fednet.privacy.sealing.swarm_letters import SwarmLetter

REGISTRY = Address("0x" + "ab" * 20)
KEY, BEFORE, OTHER = (bytes([value]) * 32 for value in (1, 2, 3))
PAIRS = {SiteId(number): X25519PrivateKey.generate() for number in (1, 2)}
MEMBERS = {site: pair.public_key().public_bytes_raw() for site, pair in PAIRS.items()}


def letter(**changes: object) -> SwarmLetter:
    fields: dict[str, object] = {
        "chain_id": 5, "registry": REGISTRY, "key": KEY, "before": BEFORE, "members": MEMBERS,
    }  # fmt: skip
    return SwarmLetter.seal(**(fields | changes))  # type: ignore[arg-type]


def test_every_member_gets_the_key_and_the_bytes_do_not_tell_it() -> None:
    data = letter().to_bytes()
    read = SwarmLetter.from_bytes(data, "letter")
    assert {read.open(site, pair, BEFORE) for site, pair in PAIRS.items()} == {KEY}
    assert KEY.hex().encode() not in data


def test_others_pairs_places_and_orders_open_nothing() -> None:
    made = letter()
    with pytest.raises(UnsealingError, match="no key for this site"):
        made.open(SiteId(3), PAIRS[SiteId(1)], BEFORE)
    with pytest.raises(UnsealingError, match="follows another key"):
        made.open(SiteId(1), PAIRS[SiteId(1)], OTHER)
    with pytest.raises(UnsealingError, match="does not open"):
        made.open(SiteId(1), PAIRS[SiteId(2)], BEFORE)
    moved = SwarmLetter(6, REGISTRY, made.follows, made.sealed)
    with pytest.raises(UnsealingError, match="does not open"):
        moved.open(SiteId(1), PAIRS[SiteId(1)], BEFORE)


@pytest.mark.parametrize("members", [{}, {SiteId(1): bytes(32)}], ids=["none", "unusable"])
def test_nobody_to_write_to_is_refused(members: dict[SiteId, bytes]) -> None:
    with pytest.raises(SettingsError):
        letter(members=members)


@pytest.mark.parametrize("change", [
    {"chain_id": True}, {"registry": 7}, {"follows": "ab"}, {"format": "another"},
    {"sealed": []}, {"sealed": {"1": "ab"}}, {"sealed": {"one": "ab"}}, {"more": 1},
], ids=str)  # fmt: skip
def test_malformed_letters_are_refused(change: dict[str, object]) -> None:
    raw = canonical.decode(letter().to_bytes(), "letter")
    assert isinstance(raw, dict)
    with pytest.raises(MalformedBlobError):
        SwarmLetter.from_bytes(canonical.encode(raw | change), "letter")

"""A masked attempt folded from the ledger and from blobs: the sum in the clear, or none."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from fednet.domain.events import Log, UpdateSubmitted
from fednet.domain.identity import Address, Commitment, Digest, Locator, SiteId
from fednet.domain.ledger import Inclusion, pack_inclusion
from fednet.domain.update import Manifest
from fednet.errors import MalformedBlobError, QuorumError, VerificationError
from fednet.privacy.masking import (
    Masked,
    Ring,
    agree_on,
    circle_of,
    combine,
    deal,
    dealers_of,
    included_in,
    read_dealings,
    read_masked_header,
    recover,
    usable_keys,
)
from tests.masked_players import Players
from tests.masking_fixtures import (
    PLACE,
    SEED,
    Array,
    clear_mean,
    secrets_of,
    values_of,
    weight_of,
)
from tests.unit.privacy.test_agreement import masked_plan

COUNT = 300
TEN = tuple(range(1, 11))
BASE = Commitment(bytes([7]) * 32)
GONE = (2, 5, 9)
PLAN = masked_plan()
AGREEMENT = agree_on(PLAN, len(TEN))
POSITIONS = {SiteId(site): 10 - site for site in TEN}
"""Not in the order of the sites."""


def begin() -> Players:
    count = 0

    def emit(kind: Any, **fields: Any) -> Any:
        nonlocal count
        count += 1
        return kind(Log(count, 0, Digest(bytes(32)), Address("0x")), **fields)

    return Players(PLACE, AGREEMENT, emit, lambda data: Locator(bytes(32)), lambda block: SEED)


@dataclass
class Submitted:
    """The masked updates of an attempt."""

    submissions: dict[SiteId, UpdateSubmitted]
    files: dict[SiteId, bytes]


def submit(players: Players, sites: Collection[int]) -> Submitted:
    found = Submitted({}, {})
    log = Log(99, 0, Digest(bytes(32)), Address("0x"))
    for site in map(SiteId, sites):
        manifest = Manifest(PLACE, site, BASE, weight_of(site), Digest(bytes([site]) * 32))
        data = players.masked(manifest, values_of(site, COUNT))
        found.files[site] = data
        found.submissions[site] = UpdateSubmitted(
            log, PLACE.run, PLACE.round, site, PLACE.attempt, 0, Commitment.of(data),
            weight_of(site), Locator(bytes(32)),
        )  # fmt: skip
    return found


def play(gone: dict[str, Collection[int]]) -> tuple[list[int], Any]:
    """Play an attempt from whose named stages on some sites are away; return who counts, and the
    mean."""
    left = list(TEN)

    def there(stage: str) -> list[int]:
        nonlocal left
        left = [site for site in left if site not in gone.get(stage, ())]
        return left

    players = begin()
    players.advertise(*there("keys"))
    players.close_keys()
    players.deal(*there("shares"))
    players.hold(*there("holdings"))
    submitted = submit(players, there("masked"))
    inclusion = pack_inclusion(
        {POSITIONS[SiteId(site)]: Inclusion.UNAVAILABLE for site in gone.get("unserved", ())}
    )
    players.propose_set(1, inclusion)
    players.affirm(*there("unserved"))
    players.freeze()
    named = players.record.frozen_inclusion
    assert named is not None
    included = included_in(named, submitted.submissions, POSITIONS)
    assert included is not None
    frozen = players.frozen(included)
    players.disclose(frozen, *there("unmask"))
    record = players.record
    dealings, malformed = read_dealings(frozen.dealers, players.bytes_of(record.dealings))
    assert not malformed
    recovery = recover(frozen, dealings, players.bytes_of(record.disclosures))
    assert not recovery.faults
    updates = {}
    for site in included:
        data, ring = submitted.files[site], AGREEMENT.fixed_point.ring
        _, offset = read_masked_header(
            data, len(data), frozen.dealers, site, BASE, weight_of(site), ring, COUNT
        )
        updates[site] = Array(np.frombuffer(data, ring.dtype, offset=offset))
    mean = np.empty(COUNT, np.float32)

    def emit(start: int, chunk: Any) -> None:
        mean[start : start + chunk.size] = chunk

    combine(frozen, recovery, updates, AGREEMENT.fixed_point, emit)
    return sorted(included), mean


@pytest.mark.parametrize("stage", ["keys", "shares", "holdings", "masked", "unserved", "unmask"])
def test_three_of_ten_vanish_at_a_stage_and_the_sum_is_that_in_the_clear(stage: str) -> None:
    counted, mean = play({stage: GONE})
    expected = TEN if stage == "unmask" else sorted(set(TEN) - set(GONE))
    assert counted == list(expected)
    clear = clear_mean([SiteId(site) for site in expected], AGREEMENT.fixed_point, COUNT)
    assert mean.tobytes() == clear.tobytes()


def test_one_vanishes_at_each_of_three_stages() -> None:
    counted, mean = play({"shares": [2], "masked": [5], "unserved": [9]})
    assert counted == [1, 3, 4, 6, 7, 8, 10]
    clear = clear_mean([SiteId(site) for site in counted], AGREEMENT.fixed_point, COUNT)
    assert mean.tobytes() == clear.tobytes()


@pytest.mark.parametrize("stage", ["keys", "shares", "masked", "unserved", "unmask"])
def test_a_fourth_that_vanishes_ends_the_attempt(stage: str) -> None:
    with pytest.raises(QuorumError):
        play({stage: [*GONE, 10]})


def test_a_key_that_keeps_no_secret_leaves_its_site_outside() -> None:
    players = begin()
    players.advertise(*TEN)
    zero = players.events[3].__class__
    keys = {"site": SiteId(4), "mask_key": bytes(32), "channel_key": bytes(32)}
    players.events[3] = players.emit(
        zero, run=PLACE.run, round=PLACE.round, attempt=PLACE.attempt, **keys
    )
    players.close_keys()
    assert usable_keys(players.record.keys[SiteId(4)]) is None
    assert sorted(players.circle.keys) == [1, 2, 3, 5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize("holding", [b"", b"\xff\xff", b"\0\0\0"])
def test_a_holding_that_is_none_counts_as_holding_nothing(holding: bytes) -> None:
    players = begin()
    players.advertise(*TEN)
    players.close_keys()
    players.deal(*TEN)
    players.hold(*TEN[:-1])
    players.hold(10, holding=holding)
    dealers = players.dealers
    assert SiteId(10) in dealers.holders  # its own shares are held by the others
    assert all(SiteId(10) not in holders for holders in dealers.holders.values())


def test_a_dealing_that_nobody_can_open_leaves_its_dealer_outside() -> None:
    players = begin()
    players.advertise(*TEN)
    players.close_keys()
    players.deal(*TEN[:-1])
    players.deal(10, data=deal(players.circle, secrets_of(10))[:-1])
    players.hold(*TEN)
    dealers = players.dealers
    assert dealers.sites == TEN[:-1]
    _, malformed = read_dealings(dealers, players.bytes_of(players.record.dealings))
    assert not malformed


def test_a_malformed_dealing_of_a_dealer_is_told() -> None:
    players = begin()
    players.begin(*TEN)
    blobs = players.bytes_of(players.record.dealings) | {SiteId(3): b"rubbish"}
    read, malformed = read_dealings(players.dealers, blobs)
    assert set(read) == set(TEN) - {3}
    assert isinstance(malformed[SiteId(3)], MalformedBlobError)


def test_two_readers_of_one_ledger_are_in_one_company() -> None:
    players = begin()
    players.begin(*TEN)
    record = players.record
    again = dealers_of(circle_of(PLACE, record, SEED, AGREEMENT), record)
    assert again.view == players.dealers.view
    other = circle_of(PLACE, record, Digest(bytes([6]) * 32), AGREEMENT)
    assert dealers_of(other, record).view != again.view


def test_set_that_counts_a_site_outside_is_refused() -> None:
    players = begin()
    players.begin(*TEN[:-1])
    included = {SiteId(site): Masked(BASE, 1) for site in TEN}
    with pytest.raises(VerificationError, match="nobody could give back") as caught:
        players.frozen(included)
    assert caught.value.subject == "site 10"


def test_set_of_fewer_than_the_plan_asks_for_is_refused() -> None:
    players = begin()
    players.begin(*TEN)
    included = {SiteId(site): Masked(BASE, 1) for site in TEN[:6]}
    with pytest.raises(QuorumError) as caught:
        players.frozen(included)
    assert caught.value.expected == "at least 7"


def test_inclusion_that_fits_no_set_is_none() -> None:
    players = begin()
    players.begin(*TEN)
    submitted = submit(players, TEN[:3])
    assert included_in(b"\x01", submitted.submissions, POSITIONS) is None
    assert set(included_in(b"", submitted.submissions, POSITIONS) or {}) == {1, 2, 3}


def test_rings_of_both_sizes_are_the_plans() -> None:
    assert AGREEMENT.fixed_point.ring is Ring.BITS_32
    assert agree_on(masked_plan(ring_bits=64), 10).fixed_point.ring is Ring.BITS_64

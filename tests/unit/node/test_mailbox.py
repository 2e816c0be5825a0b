"""A mailbox keeps what a site signed for the attempt at hand, once; all else costs little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from fednet.domain.batch_signing import Attestation, Module, Update
from fednet.domain.identity import (
    Address,
    Commitment,
    Digest,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.messages import LocalBus, pack
from fednet.errors import StoreUnavailableError
from fednet.ledger.batches import sign, signer_of
from fednet.node.mailbox import Mailbox, Now
from fednet.node.places import ProposalKey

KEYS: dict[int, LocalAccount] = {site: Account.from_key(bytes([site] * 32)) for site in (1, 2)}
ACCOUNTS = {SiteId(site): Address(key.address) for site, key in KEYS.items()}
MODULE = Module(31_337, Address("0x" + "22" * 20))
MADE = Commitment.of(b"made")
UPDATE = Update(RunId(7), RoundNumber(3), 1, SiteId(1), MADE, 10, Locator(MADE))
SETTLED = Digest(Commitment.of(b"settlement"))
VOTE = Attestation(RunId(7), RoundNumber(3), 1, 1, SiteId(1), SETTLED, Digest(MADE))
NOW = Now(ProposalKey(RoundNumber(3), 1, 1), SETTLED, ACCOUNTS)


class Post:
    """A mailbox, and somebody else who can write to it whatever they like."""

    def __init__(self) -> None:
        self.other = LocalBus()
        self.recovered = 0
        self.box = Mailbox(LocalBus(self.other), RunId(7), MODULE, self._signer_of)
        self.box.look(NOW)

    def _signer_of(self, digest: Digest, signature: bytes) -> Address | None:
        self.recovered += 1
        return signer_of(digest, signature)

    def bring(self, *messages: bytes, now: Now = NOW) -> Mailbox:
        for message in messages:
            self.other.post(self.box.topic, message)
        self.box.look(now)
        return self.box


def signed(value: Update | Attestation, signer: int | None = None) -> bytes:
    key = KEYS[signer or value.site]
    return pack(value, sign(MODULE.digest(value), key))


def test_what_a_site_signed_is_kept_and_carries_its_signature() -> None:
    box = Post().bring(signed(UPDATE), signed(VOTE))
    assert box.updates == {1: (UPDATE, sign(MODULE.digest(UPDATE), KEYS[1]))}
    assert box.votes == {1: (VOTE, sign(MODULE.digest(VOTE), KEYS[1]))}


@pytest.mark.parametrize(
    "message",
    [
        signed(UPDATE, signer=2),
        signed(VOTE, signer=2),
        signed(UPDATE)[:-1],
        signed(replace(UPDATE, run=RunId(8))),
        signed(replace(UPDATE, round=RoundNumber(2))),
        signed(replace(VOTE, settlement=Digest(MADE))),
        signed(replace(UPDATE, weight=1 << 40)),
        signed(replace(UPDATE, weight=0)),
        signed(replace(VOTE, witness=Digest(bytes(32)))),
        pack(replace(UPDATE, weight=11), sign(MODULE.digest(UPDATE), KEYS[1])),
        pack(replace(UPDATE, site=SiteId(9)), bytes(65)),
        pack(UPDATE, sign(Module(1, MODULE.address).digest(UPDATE), KEYS[1])),
    ],
)
def test_what_does_not_fit_is_not_kept(message: bytes) -> None:
    box = Post().bring(message)
    assert not box.updates
    assert not box.votes


def test_a_replay_costs_nothing_and_the_first_word_stands() -> None:
    post = Post()
    post.bring(*[signed(UPDATE)] * 50, signed(replace(UPDATE, weight=11)))
    assert post.box.updates[SiteId(1)][0] == UPDATE
    assert post.recovered == 1


def test_forgeries_in_a_sites_name_are_looked_at_so_often_and_harm_no_other() -> None:
    post = Post()
    lies = [signed(replace(UPDATE, weight=at + 1), signer=2) for at in range(100)]
    box = post.bring(*lies, signed(replace(UPDATE, site=SiteId(2))))
    assert list(box.updates) == [2]
    assert post.recovered < 20


def test_what_comes_early_waits_for_its_attempt() -> None:
    post = Post()
    early = replace(UPDATE, attempt=2)
    assert not post.bring(signed(early), signed(replace(VOTE, attempt=2))).updates
    later = replace(NOW, key=ProposalKey(RoundNumber(3), 2, 0), settlement=None)
    assert list(post.bring(now=later).updates) == [1]
    assert not post.box.votes
    voting = replace(NOW, key=ProposalKey(RoundNumber(3), 2, 1))
    assert list(post.bring(now=voting).votes) == [1]
    assert list(post.box.updates) == [1]


def test_a_flood_pushes_out_what_waits_and_takes_no_more_room() -> None:
    post = Post()
    early = signed(replace(UPDATE, attempt=2))
    box = post.bring(*[early] * 20_000)
    assert len(box._waiting) <= 8192


class BrokenBus(LocalBus):
    """Messages of a machine whose store does not answer for a while."""

    is_broken = True

    def take(self, topic: str) -> Sequence[bytes]:
        if self.is_broken:
            raise StoreUnavailableError("no answer in time")
        return super().take(topic)


def test_a_box_that_cannot_be_emptied_is_closed_until_it_can() -> None:
    other = LocalBus()
    bus = BrokenBus(other)
    box = Mailbox(bus, RunId(7), MODULE, signer_of)
    box.look(NOW)
    assert not box.is_open
    bus.is_broken = False
    box.look(NOW)
    other.post(box.topic, signed(UPDATE))
    box.look(NOW)
    assert box.is_open
    assert list(box.updates) == [1]


def test_a_box_that_is_left_hears_nothing() -> None:
    post = Post()
    post.box.leave()
    assert not post.bring(signed(UPDATE)).updates

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from eth_account import Account

from fednet.domain.checkpoint import Checkpoint, SignedCheckpoint
from fednet.domain.history import RunHistory
from fednet.domain.identity import Address, Digest, SiteId
from fednet.domain.ledger import Deployment, Head, Modules
from fednet.errors import LedgerUnavailableError
from fednet.ledger.checkpoints import sign_checkpoint
from fednet.node import CheckpointBook, CheckpointKeeper
from tests.unit.node.views import RUN, Chain, closed_round

SITE = SiteId(1)
AT = Address("0x" + "11" * 20)
PATIENCE_SECONDS = 10.0
NEVER_SECONDS = 3_600.0
NO_MODULES = Modules(AT, AT, AT, AT)


class World:
    """Give headers and sign with a real key; the chain can be away, or hold its answer back."""

    deployment = Deployment(1, Digest(b"\x07" * 32), 0, *(AT,) * 6, NO_MODULES, ())

    def __init__(self) -> None:
        self.is_away = False
        self.asked = 0
        self.answers = threading.Event()
        self.answers.set()
        self._account = Account.from_key(b"\x01" * 32)

    def blocks(self, numbers: Sequence[int]) -> Sequence[Head]:
        self.asked += 1
        assert self.answers.wait(PATIENCE_SECONDS)
        if self.is_away:
            raise LedgerUnavailableError("away")
        return [Head(number, Digest(bytes([number]) * 32), 0) for number in numbers]

    def sign_checkpoint(self, statement: Checkpoint) -> SignedCheckpoint:
        return sign_checkpoint(statement, self._account)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def book(tmp_path: Path) -> CheckpointBook:
    return CheckpointBook(tmp_path / "home" / "checkpoints.jsonl")


def keeper(world: World, book: CheckpointBook, rest_seconds: float = 0.01) -> CheckpointKeeper:
    both = cast(Any, world)
    return CheckpointKeeper(book, both, both, SITE, rest_seconds)


def rounds(count: int) -> RunHistory:
    """Play so many rounds to their end."""
    chain = closed_round().propose(1).attest(1, 2).finalize()
    for number in range(2, count + 1):
        chain.start(number).submit(1, 2, 3).close().propose(1).attest(1, 2).finalize()
    return history_of(chain)


def history_of(chain: Chain) -> RunHistory:
    return RunHistory.of(RUN, chain.log)


def signed_rounds(book: CheckpointBook) -> list[int]:
    return [each.statement.round for each in book.read()]


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.005)


def test_noted_round_is_signed_in_the_background(world: World, book: CheckpointBook) -> None:
    world.answers.clear()
    noting = keeper(world, book)
    noting.note(rounds(1))  # would not return if the round waited for the chain's answer
    wait_until(lambda: world.asked == 1)
    assert signed_rounds(book) == []
    world.answers.set()
    wait_until(lambda: signed_rounds(book) == [1])
    [signed] = book.read()
    finalized = rounds(1).rounds[1].finalized  # type: ignore[index]
    assert finalized is not None
    assert signed.statement.block == finalized.log.block
    assert noting.finish(PATIENCE_SECONDS)


def test_newest_round_alone_is_signed_when_rounds_are_in_a_hurry(
    world: World, book: CheckpointBook
) -> None:
    noting = keeper(world, book, NEVER_SECONDS)
    for number in (1, 2, 3):
        noting.note(rounds(number))
    assert world.asked == 0
    assert noting.finish(PATIENCE_SECONDS)
    assert signed_rounds(book) == [3]


def test_last_round_is_signed_when_the_node_stops(world: World, book: CheckpointBook) -> None:
    noting = keeper(world, book, NEVER_SECONDS)
    noting.note(rounds(1))
    assert noting.finish(PATIENCE_SECONDS)
    assert signed_rounds(book) == [1]


def test_signing_is_tried_again_until_the_chain_answers(world: World, book: CheckpointBook) -> None:
    world.is_away = True
    noting = keeper(world, book)
    noting.note(rounds(1))
    wait_until(lambda: world.asked >= 2)
    world.is_away = False
    wait_until(lambda: signed_rounds(book) == [1])
    assert noting.finish(PATIENCE_SECONDS)


def test_node_that_stops_does_not_wait_for_a_chain_that_is_away(
    world: World, book: CheckpointBook
) -> None:
    world.is_away = True
    noting = keeper(world, book, NEVER_SECONDS)
    noting.note(rounds(1))
    assert not noting.finish(PATIENCE_SECONDS)
    assert world.asked == 1
    world.is_away = False
    again = keeper(world, book)
    again.note(rounds(1))
    assert again.finish(PATIENCE_SECONDS)
    assert signed_rounds(book) == [1]


def test_round_that_is_kept_is_not_signed_again(world: World, book: CheckpointBook) -> None:
    noting = keeper(world, book)
    noting.note(rounds(1))
    assert noting.finish(PATIENCE_SECONDS)
    again = keeper(world, book)
    again.note(rounds(1))
    assert again.keep(rounds(1)) is None
    assert again.finish(PATIENCE_SECONDS)
    assert signed_rounds(book) == [1]


def test_round_that_the_chain_took_back_is_not_signed(world: World, book: CheckpointBook) -> None:
    noting = keeper(world, book, NEVER_SECONDS)
    noting.note(rounds(1))
    noting.note(history_of(closed_round().propose(1)))
    assert noting.finish(PATIENCE_SECONDS)
    assert signed_rounds(book) == []
    assert world.asked == 0

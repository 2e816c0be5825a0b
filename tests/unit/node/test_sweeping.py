"""What one member erased on the record is let go of by another, and nothing else is."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fednet.blobs.memory import MemoryStore
from fednet.domain import events as ev
from fednet.domain.batches import BatchedUpdate, SheetEntry, pack_sheet
from fednet.domain.identity import ZERO_DIGEST, Commitment, DatasetId, Locator, SiteId
from fednet.domain.ledger import Standing
from fednet.errors import ErasedError, StoreUnavailableError
from fednet.node import Node, NodeSettings
from fednet.node.removing import Remover
from fednet.node.sweeping import Sweeper
from fednet.privacy.sealing import ContentKey, KeyStore
from tests.unit.audit.sealed_world import SealedWorld
from tests.unit.audit.test_erasures import erase

PATIENCE_SECONDS = 10.0
ERASING, OWN = SiteId(3), SiteId(1)


class Member:
    """The home and the store of site 1, which fetched and kept every update."""

    def __init__(self, folder: Path, rounds: int) -> None:
        (folder / "world").mkdir()
        self.world: Any = SealedWorld(folder / "world", rounds=rounds)
        self.home = folder / "home"
        self.home.mkdir(mode=0o700)
        self.store = MemoryStore(self.world.swarm, self.home / "cache")
        self.store.connect([self.world.store.address()])
        self.keys = KeyStore(self.home / "content-keys", OWN)
        self.marks = self.home / "cache" / "swept"
        self.sweeper = self.restarted()

    def restarted(self) -> Sweeper:
        remover = Remover(self.home / "runs", self.world, self.store, self.keys)
        return Sweeper(self.world, remover, self.marks)

    def play(self, rounds: int) -> None:
        self.world.play(rounds)
        for update in self.updates():
            self.store.fetch(update.commitment, [update.locator], 1 << 20, 1)
            self.store.pin(update.locator)

    def updates(self, site: SiteId | None = None) -> list[ev.UpdateSubmitted]:
        given = [each for each in self.world.logged if isinstance(each, ev.UpdateSubmitted)]
        return [each for each in given if site in (None, each.site)]

    def holds(self, update: ev.UpdateSubmitted) -> bool:
        """Tell whether the bytes are in the store or in its cache."""
        cached = self.home / "cache" / update.commitment.hex()
        return update.locator in self.store._objects or cached.exists()

    def held(self) -> list[tuple[int, int]]:
        return [(each.round, each.site) for each in self.updates() if self.holds(each)]

    def sweep(self) -> list[int]:
        return [self.sweeper.let_go(due) for due in self.sweeper.find()]

    def open(self, update: ev.UpdateSubmitted) -> Path:
        """Keep an update's key and a copy in the clear, as whoever recomputes does."""
        self.keys.keep(self.place(update), update.commitment, ContentKey(bytes(32)))
        path = self.home / f"runs/run-{update.run}/opened/{update.round}-{update.attempt}/copy"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"an update in the clear")
        return path

    def place(self, update: ev.UpdateSubmitted) -> Any:
        return self.world.seals().update_place(update.site)


@pytest.fixture
def member(tmp_path: Path) -> Member:
    return Member(tmp_path, rounds=2)


def test_a_member_lets_go_of_what_another_erased_and_of_nothing_else(member: Member) -> None:
    member.play(2)
    assert member.sweep() == []
    erase(member.world, ERASING)
    (due,) = member.sweeper.find()
    assert [(each.round, each.site) for each in due.updates] == [(1, 3), (2, 3)]
    assert member.sweeper.let_go(due) == 2
    assert member.held() == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_keys_and_copies_in_the_clear_of_an_erased_update_are_destroyed(member: Member) -> None:
    member.play(2)
    update = member.updates(ERASING)[-1]
    copy = member.open(update)
    assert member.keys.find(member.place(update), update.commitment) is not None
    erase(member.world, ERASING)
    member.sweep()
    assert not copy.exists()
    (record,) = member.sweeper.find(again=True)
    with pytest.raises(ErasedError) as caught:
        member.keys.find(member.place(update), update.commitment)
    assert caught.value.grounds == record.record.grounds


def test_an_erasure_is_dealt_with_once_even_over_a_restart(member: Member) -> None:
    member.play(2)
    erase(member.world, ERASING)
    assert member.sweeper.is_due(1)
    assert member.sweep() == [2]
    assert not member.sweeper.is_due(1)
    member.sweeper = member.restarted()
    assert member.sweeper.is_due(1)
    assert member.sweep() == []
    (due,) = member.sweeper.find(again=True)
    assert member.sweeper.let_go(due) == 0
    assert member.marks.read_text().split() == [str(due.record.list)]


def test_rounds_in_use_wait_until_the_run_has_gone_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = Member(tmp_path, rounds=4)
    member.play(3)
    erase(member.world, ERASING)
    (due,) = member.sweeper.find()
    assert ([each.round for each in due.updates], due.in_use) == ([1, 2], 1)
    member.sweeper.let_go(due)
    assert (3, 3) in member.held()
    now = time.monotonic()
    assert not member.sweeper.is_due(1)
    monkeypatch.setattr(time, "monotonic", lambda: now + 100)
    assert member.sweeper.is_due(1)
    member.play(1)
    member.sweep()
    # What was submitted after the erasure is no part of it.
    assert [each for each in member.held() if each[1] == ERASING] == [(4, 3)]
    assert member.sweep() == []


def test_who_copies_a_commitment_and_erases_takes_the_bytes_from_nobody(member: Member) -> None:
    world = member.world
    world.submit(1)
    world.submit(3)
    world.copy(2, 3)
    world.close()
    world.propose()
    world.attest(*world.sites)
    world.finalize()
    member.play(1)
    erase(world, 2)
    (due,) = member.sweeper.find()
    assert (due.shared, [each.round for each in due.updates]) == (1, [2])
    member.sweeper.let_go(due)
    assert (1, 3) in member.held()


@pytest.mark.parametrize(
    "changes",
    [
        {"closed": False},
        {"list": Commitment.of(b"another list")},
        {"blobs": 1},
        {"dataset": DatasetId(2)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_record_that_does_not_count_for_the_audit_moves_nobody(
    member: Member, changes: dict[str, Any]
) -> None:
    member.play(2)
    before = member.held()
    erase(member.world, ERASING, **changes)
    assert member.sweep() == []
    assert member.held() == before


def test_a_store_that_fails_is_asked_again_later(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    member.play(2)
    erase(member.world, ERASING)
    right = member.store.erase

    def fail(*arguments: Any) -> bool:
        raise StoreUnavailableError("the store does not answer")

    monkeypatch.setattr(member.store, "erase", fail)
    with pytest.raises(StoreUnavailableError):
        member.sweep()
    monkeypatch.setattr(member.store, "erase", right)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 100)
    assert member.sweeper.is_due(1)
    assert member.sweep() == [2]


def test_a_row_of_a_batch_is_found_by_its_sheet(member: Member, tmp_path: Path) -> None:
    member.play(2)
    update = member.updates(ERASING)[0]
    path = tmp_path / "sheet"
    path.write_bytes(pack_sheet([SheetEntry(update.locator, bytes(65))]))
    sheet = Commitment.of(path.read_bytes()), member.world.store.publish(path)
    row = BatchedUpdate(
        update.log, update.run, update.round, update.site, update.attempt, 0, update.commitment,
        update.weight, Locator(ZERO_DIGEST), SiteId(2), *sheet, 0, 1,
        next(each for each in member.world.logged if isinstance(each, ev.ConsentGiven)),
    )  # fmt: skip
    remover = Remover(member.home / "runs", member.world, member.store, None)
    assert remover.remove(row, Commitment.of(b"grounds"))
    assert not member.holds(update)


def test_a_running_node_lets_go_by_itself(member: Member) -> None:
    member.play(2)
    world = member.world
    reader = SimpleNamespace(
        head=world.head, events=world.events, deployment=world.deployment, state=world.state,
        site=lambda site: SimpleNamespace(standing=Standing.ACTIVE, roles=0),
        member=lambda run, site: SimpleNamespace(consenting=False),
    )  # fmt: skip
    tools: Any = SimpleNamespace(
        site=OWN, reader=reader, blobs=member.store, settings=NodeSettings(),
        sweeper=member.sweeper, report=pytest.fail,
        journal=SimpleNamespace(notes=lambda run: SimpleNamespace(pledges={})),
    )  # fmt: skip
    node = Node(tools)
    node.scan()
    assert len(member.held()) == 6
    erase(world, ERASING)
    until = time.monotonic() + PATIENCE_SECONDS
    while len(member.held()) > 4:
        node.scan()
        assert time.monotonic() < until
        time.sleep(0.01)
    assert member.held() == [(1, 1), (1, 2), (2, 1), (2, 2)]

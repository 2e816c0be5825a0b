"""A mirror keeps all that the ledger names, and what batches' sheets name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fednet.blobs import MemoryStore, MemorySwarm
from fednet.cli.mirroring import mirror
from fednet.cli.named_blobs import NamedBlobs
from fednet.domain import events as ev
from fednet.domain.batch_events import UpdatesBatched
from fednet.domain.batches import SheetEntry, pack_positions, pack_rows, pack_sheet
from fednet.domain.disclosure_events import ReaderAdmitted
from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    Locator,
    ReaderId,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Head
from fednet.domain.masking_events import SharesDealt, SharesDisclosed
from fednet.errors import BlobMissingError
from tests.unit.node.views import PLAN

CAP, PATIENCE_SECONDS = 1 << 20, 10.0
RUN, ROUND = RunId(1), RoundNumber(1)
NOBODY = Address("0x" + "0" * 40)
Blob = tuple[Commitment, Locator]


class Consortium:
    """A ledger that says what is given, and the store of a site that all of it is in."""

    def __init__(self, folder: Path) -> None:
        swarm = MemorySwarm()
        self.site, self.hub, self.other = (
            MemoryStore(swarm, folder / name) for name in ("site", "hub", "other")
        )
        self.hub.connect([self.site.address()])
        self.other.connect([self.hub.address()])
        self.folder = folder
        self.deployment = SimpleNamespace(block=0)
        self.logged: list[ev.LedgerEvent] = []
        self.branch = 0
        """Of the chain; another one is another history."""

    def publish(self, data: bytes) -> Blob:
        path = self.folder / "blob"
        path.write_bytes(data)
        return Commitment.of(data), self.site.publish(path)

    def log(self) -> ev.Log:
        return ev.Log(len(self.logged) + 1, 0, Digest(bytes(32)), NOBODY)

    def head(self) -> Head:
        return self.blocks([len(self.logged)])[0]

    def blocks(self, numbers: list[int]) -> list[Head]:
        return [Head(number, Digest(bytes([self.branch]) * 32), number) for number in numbers]

    def events(self, kinds: tuple[type[Any], ...], first: int) -> list[ev.LedgerEvent]:
        return [each for each in self.logged[max(first, 1) - 1 :] if isinstance(each, kinds)]

    def module_events(self, modules: list[Address], first: int) -> list[ev.LedgerEvent]:
        return self.events((ev.RunEvent,), first) if modules else []

    def open_run(self, plan: bytes = PLAN.to_bytes()) -> None:
        """Tell of a run."""
        places = self.publish(plan), self.publish(b"model")
        opened = ev.RunOpened(self.log(), RUN, NOBODY, NOBODY, *places[0], *places[1], True, b"")
        self.logged.append(opened)

    def batch(self, updates: list[Blob], sheet: bytes) -> Blob:
        """Tell of a run with a batch of these updates; give where its sheet is."""
        self.open_run()
        rows = {position: (made, 10) for position, (made, _) in enumerate(updates)}
        for position in rows:
            site = SiteId(position + 1)
            self.logged.append(
                ev.ConsentGiven(self.log(), RUN, site, GrantId(site), position, 100, 1 << 33)
            )
        self.logged.append(ev.AttemptStarted(self.log(), RUN, ROUND, 1, 2, 2, 2, 1 << 33))
        served = self.publish(sheet)
        self.logged.append(
            UpdatesBatched(
                self.log(), RUN, ROUND, SiteId(1), 1, *served, pack_positions(rows),
                pack_rows(rows),
            )
        )  # fmt: skip
        return served

    def keeps(self, blob: Blob) -> bool:
        """Tell whether who dials the hub alone finds a blob."""
        try:
            self.other.fetch(blob[0], [blob[1]], CAP, 0.1)
        except BlobMissingError:
            return False
        return True


@pytest.fixture
def consortium(tmp_path: Path) -> Consortium:
    return Consortium(tmp_path)


def mirrored(consortium: Consortium, condition: Callable[[], bool]) -> None:
    """Mirror until something holds."""
    stop, reader = threading.Event(), consortium
    app: Any = SimpleNamespace(settings=lambda: SimpleNamespace(node=node))
    node = SimpleNamespace(poll_seconds=0.01)
    thread = threading.Thread(target=mirror, args=(app, reader, consortium.hub, stop))
    thread.start()
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        stop.set()
        thread.join()


def test_mirror_keeps_a_batchs_sheet_and_the_updates_it_names(consortium: Consortium) -> None:
    updates = [consortium.publish(b"first"), consortium.publish(b"second")]
    entries = [SheetEntry(at, bytes(65)) for _, at in updates]
    sheet = consortium.batch(updates, pack_sheet(entries))
    mirrored(consortium, lambda: all(map(consortium.keeps, [sheet, *updates])))


def test_mirror_goes_on_where_a_sheet_is_none(consortium: Consortium) -> None:
    updates = [consortium.publish(b"first"), consortium.publish(b"second")]
    sheet = consortium.batch(updates, b"no sheet")
    mirrored(consortium, lambda: consortium.keeps(sheet))
    assert not any(map(consortium.keeps, updates))


def test_mirror_keeps_what_masked_rounds_and_readers_are_sent(consortium: Consortium) -> None:
    dealt, disclosed, letter = map(consortium.publish, (b"dealt", b"disclosed", b"letter"))
    for kind, blob in ((SharesDealt, dealt), (SharesDisclosed, disclosed)):
        consortium.logged.append(kind(consortium.log(), RUN, ROUND, SiteId(1), 1, *blob))
    consortium.logged.append(
        ReaderAdmitted(
            consortium.log(), RUN, SiteId(1), NOBODY, ReaderId(1), Digest(bytes(32)), *letter
        )
    )
    mirrored(consortium, lambda: consortium.keeps(letter))
    # Without the plan nobody can say how large shares may be.
    assert not consortium.keeps(dealt)
    consortium.open_run()
    mirrored(consortium, lambda: all(map(consortium.keeps, [dealt, disclosed])))


def test_mirror_goes_on_where_a_plan_is_none(consortium: Consortium) -> None:
    consortium.open_run(b"no plan")
    other = consortium.publish(b"letter")
    consortium.logged.append(
        ReaderAdmitted(
            consortium.log(), RUN, SiteId(1), NOBODY, ReaderId(1), Digest(bytes(32)), *other
        )
    )
    mirrored(consortium, lambda: consortium.keeps(other))


def test_mirror_reads_anew_what_another_branch_says(consortium: Consortium) -> None:
    first, second = consortium.publish(b"first"), consortium.publish(b"second")
    access = ev.AccessRequested(consortium.log(), GrantId(1), DatasetId(1), NOBODY, *first)
    consortium.logged.append(access)
    named = NamedBlobs(consortium)
    named.look()
    assert set(named.caps) == {first}
    consortium.logged = [replace(access, purpose=second[0], purpose_locator=second[1])] * 2
    consortium.branch = 1
    named.look()
    assert set(named.caps) == {first, second}

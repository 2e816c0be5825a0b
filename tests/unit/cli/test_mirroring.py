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
from fednet.domain.disclosure_events import BlobsErased, ReaderAdmitted
from fednet.domain.erasing import erased_list
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
from fednet.domain.ledger import Head, Phase
from fednet.domain.masking_events import SharesDealt, SharesDisclosed
from fednet.errors import BlobMissingError
from fednet.node.removing import Remover
from fednet.node.sweeping import Sweeper
from tests.unit.node.test_decide_encrypted import ENCRYPTED
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

    def tell(self, kind: type[Any], *fields: object) -> None:
        self.logged.append(kind(self.log(), *fields))

    def head(self) -> Head:
        return self.blocks([len(self.logged)])[0]

    def blocks(self, numbers: list[int]) -> list[Head]:
        return [Head(number, Digest(bytes([self.branch]) * 32), number) for number in numbers]

    def events(self, kinds: tuple[type[Any], ...], first: int) -> list[ev.LedgerEvent]:
        return [each for each in self.logged[max(first, 1) - 1 :] if isinstance(each, kinds)]

    def module_events(self, modules: list[Address], first: int) -> list[ev.LedgerEvent]:
        return self.events((ev.RunEvent,), first) if modules else []

    def state(self, run: RunId) -> Any:
        return SimpleNamespace(phase=Phase.COMPLETED, round=ROUND)

    def announced(self, commitment: Commitment) -> list[Locator]:
        return []

    def sweeper(self) -> Sweeper:
        """Start a hub anew: it remembers what it has dealt with."""
        reader: Any = self
        remover = Remover(self.folder / "runs", reader, self.hub, None)
        return Sweeper(reader, remover, self.folder / "swept")

    def submit(self, site: int, update: Blob) -> None:
        """Tell of an update that a site made from its dataset."""
        who, dataset, grant = SiteId(site), DatasetId(site), GrantId(site)
        self.tell(ev.DatasetRegistered, dataset, who, *(Commitment(bytes(32)),) * 2, 10)
        self.tell(ev.AccessRequested, grant, dataset, NOBODY, *self.publish(b"a purpose"))
        self.tell(ev.ConsentGiven, RUN, who, grant, site - 1, 10, 1 << 33)
        self.tell(ev.UpdateSubmitted, RUN, ROUND, who, 1, 0, update[0], 1, update[1])

    def erase(self, site: int, update: Blob) -> None:
        """Let a site erase what it made, here and on the record."""
        self.site.erase(update[0], [update[1]])
        who, dataset = SiteId(site), DatasetId(site)
        listed = Commitment.of(erased_list(RUN, who, dataset, [update[0]]))
        self.tell(ev.DatasetClosed, dataset, who)
        self.tell(BlobsErased, RUN, who, dataset, 1, listed, Commitment.of(b"grounds"))

    def holds(self, blob: Blob) -> bool:
        """Tell whether the hub itself has a blob."""
        return blob[1] in self.hub._objects or (self.folder / "hub" / blob[0].hex()).exists()

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
    sweeper = consortium.sweeper()
    thread = threading.Thread(target=mirror, args=(reader, consortium.hub, sweeper, 0.01, stop))
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


def test_mirror_keeps_the_sums_that_a_plans_aggregators_announce(consortium: Consortium) -> None:
    early, late, other = map(consortium.publish, (b"early sum", b"late sum", b"of a site"))
    consortium.tell(ev.LocatorAnnounced, early[0], SiteId(6), early[1])
    consortium.open_run(ENCRYPTED.to_bytes())
    consortium.tell(ev.LocatorAnnounced, other[0], SiteId(1), other[1])
    mirrored(consortium, lambda: consortium.keeps(early))
    consortium.tell(ev.LocatorAnnounced, late[0], SiteId(7), late[1])
    mirrored(consortium, lambda: consortium.keeps(late))
    assert not consortium.keeps(other)


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


def test_mirror_lets_go_of_what_was_erased_and_fetches_it_no_more(consortium: Consortium) -> None:
    first, second = consortium.publish(b"first"), consortium.publish(b"second")
    consortium.open_run()
    consortium.submit(1, first)
    consortium.submit(2, second)
    mirrored(consortium, lambda: consortium.holds(first) and consortium.holds(second))
    consortium.erase(1, first)
    mirrored(consortium, lambda: not consortium.holds(first))
    assert consortium.holds(second)
    # A hub that starts anew finds it served by somebody who kept it, and leaves it alone.
    assert consortium.publish(b"first") == first
    later = consortium.publish(b"letter")
    consortium.tell(ReaderAdmitted, RUN, SiteId(1), NOBODY, ReaderId(1), Digest(bytes(32)), *later)
    mirrored(consortium, lambda: consortium.holds(later))
    assert not consortium.holds(first)

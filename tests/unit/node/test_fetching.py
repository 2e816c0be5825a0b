from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

import pytest

from fednet.blobs.memory import MemoryStore, MemorySwarm
from fednet.domain.blobs import Wanted
from fednet.domain.identity import Commitment, Locator
from fednet.node.fetching import Fetcher

PATIENCE_SECONDS = 20.0
CAP = 1_000
NOWHERE = Locator(b"\x01" * 32)


class Bench:
    """Two connected stores, a fetcher on one of them, and a bell that it rings."""

    def __init__(self, folder: Path) -> None:
        swarm = MemorySwarm()
        self.theirs = MemoryStore(swarm, folder / "theirs")
        self.ours = MemoryStore(swarm, folder / "ours")
        self.ours.connect([self.theirs.address()])
        self.folder = folder
        self.rung = Event()
        self.announced: dict[Commitment, list[Locator]] = {}
        self.fetcher = Fetcher(
            self.ours, lambda blob: self.announced.get(blob, []), self.rung.set, 2
        )

    def blob(self, content: bytes) -> tuple[Path, Commitment]:
        path = self.folder / content.decode()
        path.write_bytes(content)
        return path, Commitment.of(content)

    def await_blob(self, commitment: Commitment, size_cap_bytes: int = CAP) -> Path:
        while (path := self.fetcher.path(commitment, size_cap_bytes)) is None:
            assert self.rung.wait(PATIENCE_SECONDS), "the fetcher never rang"
            self.rung.clear()
        return path

    def poll_blob(self, commitment: Commitment) -> Path:
        """Wait for a blob while another is still wanted, for which no bell rings."""
        until = time.monotonic() + PATIENCE_SECONDS
        while (path := self.fetcher.path(commitment, CAP)) is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        return path


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.fetcher.close()


def test_fetcher_brings_what_is_wanted_and_rings(bench: Bench) -> None:
    path, commitment = bench.blob(b"update")
    locator = bench.theirs.publish(path)
    assert commitment not in bench.fetcher.held(CAP)
    bench.fetcher.want(Wanted(commitment, locator, CAP))
    assert bench.await_blob(commitment).read_bytes() == b"update"
    assert commitment in bench.fetcher.held(CAP)
    assert not bench.fetcher.fetching


def test_fetcher_tries_again_until_a_late_peer_publishes(bench: Bench) -> None:
    path, commitment = bench.blob(b"late")
    locator = bench.theirs.locate(path)
    bench.fetcher.want(Wanted(commitment, locator, CAP))
    assert Wanted(commitment, locator, CAP) in bench.fetcher.fetching
    bench.theirs.publish(path)
    assert bench.await_blob(commitment).read_bytes() == b"late"


def test_fetcher_asks_the_ledger_for_another_locator(bench: Bench) -> None:
    path, commitment = bench.blob(b"moved")
    bench.announced[commitment] = [bench.theirs.publish(path)]
    bench.fetcher.want(Wanted(commitment, NOWHERE, CAP))
    assert bench.await_blob(commitment).read_bytes() == b"moved"


def test_fetcher_keeps_other_bytes_out(bench: Bench) -> None:
    path, _ = bench.blob(b"forged")
    good, commitment = bench.blob(b"genuine")
    bench.fetcher.want(Wanted(commitment, bench.theirs.publish(path), CAP))
    bench.announced[commitment] = [bench.theirs.publish(good)]
    assert bench.await_blob(commitment).read_bytes() == b"genuine"


def test_fetcher_stops_wanting(bench: Bench) -> None:
    wanted = Commitment.of(b"wanted")
    other = Commitment.of(b"not any more")
    bench.fetcher.want(Wanted(wanted, NOWHERE, CAP))
    bench.fetcher.want(Wanted(other, Locator(b"\x02" * 32), CAP))
    bench.fetcher.stop_wanting({wanted})
    assert {each.commitment for each in bench.fetcher.fetching} == {wanted}


def test_fetcher_fetches_again_what_was_dropped(bench: Bench) -> None:
    path, commitment = bench.blob(b"again")
    locator = bench.theirs.publish(path)
    bench.fetcher.want(Wanted(commitment, locator, CAP))
    bench.await_blob(commitment).unlink()
    bench.fetcher.drop(commitment)
    bench.fetcher.want(Wanted(commitment, locator, CAP))
    assert bench.await_blob(commitment).read_bytes() == b"again"


def test_fetcher_finds_what_somebody_else_named_with_another_place(bench: Bench) -> None:
    path, commitment = bench.blob(b"copied")
    bench.fetcher.want(Wanted(commitment, NOWHERE, CAP))
    bench.fetcher.want(Wanted(commitment, bench.theirs.publish(path), CAP))
    assert bench.await_blob(commitment).read_bytes() == b"copied"
    assert not bench.fetcher.fetching


def test_fetcher_finds_what_somebody_else_named_with_a_lower_bound(bench: Bench) -> None:
    path, commitment = bench.blob(b"copied")
    locator = bench.theirs.publish(path)
    bench.fetcher.want(Wanted(commitment, locator, 1))
    bench.fetcher.want(Wanted(commitment, locator, CAP))
    assert bench.poll_blob(commitment).read_bytes() == b"copied"
    assert bench.fetcher.path(commitment, 1) is None
    assert set(bench.fetcher.fetching) == {Wanted(commitment, locator, 1)}


def test_fetcher_keeps_time_for_the_first_place_however_many_are_announced(bench: Bench) -> None:
    path, commitment = bench.blob(b"flooded")
    locator = bench.theirs.locate(path)
    bench.announced[commitment] = [Locator(bytes([each]) * 32) for each in range(2, 200)]
    asked: list[list[Locator]] = []
    fetch = bench.ours.fetch

    def watch(blob: Commitment, places: Sequence[Locator], cap: int, seconds: float) -> Path:
        asked.append(list(places))
        return fetch(blob, places, cap, seconds)

    bench.ours.fetch = watch  # type: ignore[method-assign]
    bench.fetcher.want(Wanted(commitment, locator, CAP))
    while len(asked) < 2:
        time.sleep(0.01)
    bench.theirs.publish(path)
    assert bench.await_blob(commitment).read_bytes() == b"flooded"
    assert asked[:3] == [[locator], bench.announced[commitment], [locator]]


def test_fetcher_tells_whether_a_place_names_the_bytes_that_are_here(bench: Bench) -> None:
    path, commitment = bench.blob(b"here")
    locator = bench.theirs.publish(path)
    wanted = Wanted(commitment, locator, CAP)
    assert not bench.fetcher.is_at(wanted)
    bench.fetcher.want(wanted)
    here = bench.await_blob(commitment)
    assert bench.fetcher.is_at(wanted)
    assert not bench.fetcher.is_at(Wanted(commitment, NOWHERE, CAP))
    here.unlink()
    assert not bench.fetcher.is_at(wanted)

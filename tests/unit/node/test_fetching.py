from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from fednet.blobs.memory import MemoryStore, MemorySwarm
from fednet.domain.identity import Commitment, Locator
from fednet.node.fetching import Fetcher

PATIENCE_SECONDS = 20.0


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

    def await_blob(self, commitment: Commitment) -> Path:
        while (path := self.fetcher.path(commitment)) is None:
            assert self.rung.wait(PATIENCE_SECONDS), "the fetcher never rang"
            self.rung.clear()
        return path


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.fetcher.close()


def test_fetcher_brings_what_is_wanted_and_rings(bench: Bench) -> None:
    path, commitment = bench.blob(b"update")
    locator = bench.theirs.publish(path)
    assert commitment not in bench.fetcher.held
    bench.fetcher.want(commitment, locator, 1_000)
    assert bench.await_blob(commitment).read_bytes() == b"update"
    assert commitment in bench.fetcher.held
    assert commitment not in bench.fetcher.fetching


def test_fetcher_tries_again_until_a_late_peer_publishes(bench: Bench) -> None:
    path, commitment = bench.blob(b"late")
    locator = bench.theirs.locate(path)
    bench.fetcher.want(commitment, locator, 1_000)
    assert commitment in bench.fetcher.fetching
    bench.theirs.publish(path)
    assert bench.await_blob(commitment).read_bytes() == b"late"


def test_fetcher_asks_the_ledger_for_another_locator(bench: Bench) -> None:
    path, commitment = bench.blob(b"moved")
    bench.announced[commitment] = [bench.theirs.publish(path)]
    bench.fetcher.want(commitment, Locator(b"\x01" * 32), 1_000)
    assert bench.await_blob(commitment).read_bytes() == b"moved"


def test_fetcher_keeps_other_bytes_out(bench: Bench) -> None:
    path, _ = bench.blob(b"forged")
    good, commitment = bench.blob(b"genuine")
    bench.fetcher.want(commitment, bench.theirs.publish(path), 1_000)
    bench.announced[commitment] = [bench.theirs.publish(good)]
    assert bench.await_blob(commitment).read_bytes() == b"genuine"


def test_fetcher_stops_wanting(bench: Bench) -> None:
    wanted = Commitment.of(b"wanted")
    other = Commitment.of(b"not any more")
    bench.fetcher.want(wanted, Locator(b"\x01" * 32), 1_000)
    bench.fetcher.want(other, Locator(b"\x02" * 32), 1_000)
    bench.fetcher.stop_wanting({wanted})
    assert set(bench.fetcher.fetching) == {wanted}


def test_fetcher_fetches_again_what_was_dropped(bench: Bench) -> None:
    path, commitment = bench.blob(b"again")
    locator = bench.theirs.publish(path)
    bench.fetcher.want(commitment, locator, 1_000)
    bench.await_blob(commitment).unlink()
    bench.fetcher.drop(commitment)
    bench.fetcher.want(commitment, locator, 1_000)
    assert bench.await_blob(commitment).read_bytes() == b"again"

"""Whole nodes on a masked run's ledger in memory.

Time stands still until everybody waits; then it leaps to when somebody would act.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fednet.airlock import Airlock
from fednet.domain.identity import (
    Commitment,
    SiteId,
)
from fednet.domain.ledger import Role, Standing
from fednet.domain.tensors import FloatArray
from fednet.errors import FednetError
from fednet.node import acts
from fednet.node.desk import at_once
from fednet.node.following import RunFollower
from fednet.node.journal import Journal
from fednet.node.ports import TrainingResult
from fednet.node.site import SiteTools
from tests.masked_chain import DATA, MaskedChain
from tests.unit.audit.books import DEPLOYMENT
from tests.unit.audit.world import work_of

_IDLE_LOOKS = 1
_PATIENCE_SECONDS = 60.0
_MOST_STEPS = 300


class Account:
    """One site's way to write."""

    def __init__(self, chain: MaskedChain, site: SiteId) -> None:
        self._chain = chain
        self.submit, self.propose = chain.take, chain.put
        for name in (
            "advertise_keys", "close_keys", "deal_shares", "hold_shares", "propose_set",
            "affirm_set", "disclose_shares", "advance",
        ):  # fmt: skip
            setattr(self, name, getattr(chain, name))

    def attest(
        self, run: Any, site: SiteId, number: int, at: int, said: int, witness: bytes
    ) -> None:
        self._chain.vote(site, said, True, witness)

    def object_to(
        self, run: Any, site: SiteId, number: int, at: int, said: int, other: bytes
    ) -> None:
        self._chain.vote(site, said, False, other)

    def announce(self, *told: Any) -> None:
        """Nobody looks elsewhere."""


class Trainer:
    """Train as the world's sites do."""

    def digest(self, plan: Any) -> Commitment:
        return Commitment("0" * 64)

    def train(self, plan: Any, base: Path, place: Any, site: int, *_: object) -> TrainingResult:
        return TrainingResult(values_of(site, place.round, place.attempt), 10 * site)


def values_of(site: int, round_number: int, attempt: int) -> dict[str, FloatArray]:
    return {
        name: values * np.float32(1 + attempt / 8)
        for name, values in work_of(site, round_number).items()
    }


class Here:
    """What a follower asks of the register."""

    standing, roles = Standing.ACTIVE, Role.SITE | Role.AGGREGATOR
    lost: frozenset[SiteId] = frozenset()

    def ask_again(self) -> None:
        """Nothing changes."""


Vanish = Callable[[MaskedChain], Collection[int]]


class Network:
    """Nodes of all sites, stepped in turn; those that vanished do nothing more."""

    def __init__(self, chain: MaskedChain, folder: Path) -> None:
        self.chain = chain
        self.acted: dict[int, list[acts.Act]] = {site: [] for site in chain.sites}
        self.errors: list[FednetError] = []
        self.paused: set[int] = set()
        """Sites that do nothing for the time being."""
        self.folder = folder
        self.journals = {site: self._journal(site) for site in chain.sites}
        self.nodes = {site: self._node(site) for site in chain.sites}

    def _journal(self, site: SiteId) -> Journal:
        return Journal(self.folder / "journals", DEPLOYMENT, site)

    def _node(self, site: SiteId) -> RunFollower:
        return RunFollower(self.tools(site), Here(), self.chain.opened, Event())

    def tools(self, site: SiteId) -> Any:
        """Gather what a site acts with."""
        return SiteTools(
            site=site,
            reader=self.chain,  # type: ignore[arg-type]
            writer=Account(self.chain, site),  # type: ignore[arg-type]
            blobs=self.chain.store,
            trainer=Trainer(),
            data=SimpleNamespace(commitment=lambda: DATA),
            airlock=Airlock(),
            journal=self.journals[site],
            folder=self.folder / f"site-{site}",
            spawn=at_once,
        )

    def restart(self, site: int) -> None:
        """Kill a node and start it again from its disk."""
        self.close_node(site)
        self.journals[SiteId(site)] = self._journal(SiteId(site))
        self.nodes[SiteId(site)] = self._node(SiteId(site))

    def close_node(self, site: int) -> None:
        self.nodes[SiteId(site)]._fetcher.close()
        self.journals[SiteId(site)].close()

    def close(self) -> None:
        for site in self.nodes:
            self.close_node(site)

    def play(self, until: Callable[[MaskedChain], bool], vanish: Vanish = lambda chain: ()) -> None:
        """Let nodes act until something holds; before each act some may vanish for good."""
        gone: set[int] = set()
        idle = 0

        def look() -> Collection[int]:
            gone.update(vanish(self.chain))
            return gone | self.paused

        for _ in range(_MOST_STEPS):
            away = look()
            if until(self.chain):
                return
            waits = list(self._turn(look))
            if len(waits) < len(self.nodes) - len(away):
                idle = 0
                continue
            self._await_fetches()
            idle += 1
            if idle > _IDLE_LOOKS:
                self.chain.now = max(self.chain.now + 1, min(waits))
                idle = 0
        last = {site: done[-1:] for site, done in self.acted.items()}
        raise AssertionError(
            f"nothing comes of it: {self.chain.phase}, {self.chain.stage()}, {last}, "
            f"{[str(each) for each in self.errors[-3:]]}"
        )

    def _await_fetches(self) -> None:
        """Wait until everything has come that anybody serves."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while any(
            wanted.locator in self.chain.store._objects
            for node in self.nodes.values()
            for wanted in list(node._fetcher.fetching)
        ):
            assert time.monotonic() < until, "the fetchers are stuck"
            time.sleep(0.001)

    def _turn(self, away: Callable[[], Collection[int]]) -> Iterator[int]:
        """Let every node act once; give when each that waits would act again."""
        for site in self.nodes:
            if site in away():
                continue
            node = self.nodes[site]
            try:
                act = node.step()
            except FednetError as exc:
                self.errors.append(exc)
                node._fail(exc)
                continue
            self.acted[site].append(act)
            if isinstance(act, acts.Wait | acts.Done):
                yield getattr(act, "until", None) or self.chain.deadline + 1


def stop_time(monkeypatch: pytest.MonkeyPatch, chain: MaskedChain) -> None:
    """Have nodes read the chain's clock."""
    clock: Any = SimpleNamespace(time=lambda: chain.now, monotonic=lambda: 0.0)
    monkeypatch.setattr("fednet.node.reading.time", clock)

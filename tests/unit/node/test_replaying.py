"""Rounds that were missed, recomputed from another's store: the states come out alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from fednet.blobs.memory import MemoryStore
from fednet.codec import update_size_limit_bytes
from fednet.domain import events as ev
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Locator, RoundNumber, SiteId
from fednet.domain.record import StateRef
from fednet.errors import BlobMissingError
from fednet.node import acts
from fednet.node.desk import Desk, at_once
from fednet.node.fetching import Fetcher
from fednet.node.journal import Journal
from fednet.node.performing import Performer
from fednet.node.places import ProposalKey, final_key, find_attempt
from fednet.node.terms import RunTerms
from fednet.node.workshop import Workshop
from tests.unit.audit.books import CHAIN_ID, CREDITS, DEPLOYMENT, MODULE, RUN
from tests.unit.audit.world import World

PATIENCE_SECONDS = 20.0
LAST = RoundNumber(3)


class Away:
    """A site that missed every round of a run: an empty disk and a store of its own."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.elsewhere: Locator | None = None
        self.store = MemoryStore(world.swarm, folder / "cache")
        self.store.connect([world.store.address()])
        self.rung = Event()
        self.announced: dict[Commitment, list[Locator]] = {}
        ledger: Any = SimpleNamespace(
            announced=lambda blob: self.announced.get(blob, []),
            announce=lambda site, *told: self.announced.setdefault(told[0], []).append(told[1]),
        )
        self.fetcher = Fetcher(self.store, ledger.announced, self.rung.set, 2)
        self.journal = Journal(folder / "journal", DEPLOYMENT, SiteId(1))
        opened, plan = world.opened, world.plan
        size = plan.model.size_bytes
        initial = StateRef(opened.initial_model, opened.initial_model_locator, size)
        terms = RunTerms(RUN, plan, plan.commitment, initial, CHAIN_ID, MODULE, CREDITS)
        self.workshop = Workshop(terms, self.store, self.fetcher, folder / "run", 1)
        tools: Any = SimpleNamespace(
            journal=self.journal, site=SiteId(1), blobs=self.store, reader=ledger, writer=ledger
        )
        desk = Desk(at_once, self.rung.set)
        self.performer = Performer(tools, terms, self.workshop, self.fetcher, desk)

    @property
    def history(self) -> RunHistory:
        return RunHistory.of(RUN, [self.lure(event) for event in self.world.logged])

    def lure(self, event: ev.RunEvent) -> ev.RunEvent:
        """Say of a submission of site 3 that it is where a test wants it to be."""
        if self.elsewhere and isinstance(event, ev.UpdateSubmitted) and event.site == 3:
            return replace(event, locator=self.elsewhere)
        return event

    @property
    def verified(self) -> dict[ProposalKey, Commitment]:
        return self.journal.notes(RUN).verified

    def key(self, number: int) -> ProposalKey:
        key = final_key(self.history, RoundNumber(number))
        assert key is not None
        return key

    def fetch(self, number: int, without: frozenset[SiteId] = frozenset()) -> None:
        key = self.key(number).attempt_key
        attempt = find_attempt(self.history, key)
        assert attempt is not None
        sites = tuple(site for site in attempt.submissions if site not in without)
        wanted = {attempt.submissions[site].commitment for site in sites}
        self.performer.perform(acts.Fetch(key, sites), self.history, 0)
        while not wanted <= self.fetcher.held(self.workshop.update_size_limit_bytes):
            assert self.rung.wait(PATIENCE_SECONDS), "the fetcher never rang"
            self.rung.clear()

    def replay(self, number: int, without: frozenset[SiteId] = frozenset()) -> None:
        self.performer.perform(acts.Replay(self.key(number), without), self.history, 0)

    def close(self) -> None:
        self.fetcher.close()
        self.journal.close()


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Away]:
    played, own = tmp_path / "world", tmp_path / "away"
    played.mkdir()
    away = Away(World(played, rounds=LAST), own)
    yield away
    away.close()


def states_of(world: World) -> list[Commitment]:
    rounds = RunHistory.of(RUN, world.logged).rounds.values()
    return [entry.final_proposal.proposed.state for entry in rounds if entry.final_proposal]


def test_replay_gives_the_states_that_the_chain_names_and_fetches_none(away: Away) -> None:
    away.world.play(LAST)
    for number in range(1, LAST + 1):
        away.fetch(number)
        away.replay(number)
    assert list(away.verified.values()) == states_of(away.world)
    assert not away.performer.disputed
    assert not away.journal.notes(RUN).votes
    cached = {path.name for path in (away.folder / "cache").iterdir()}
    assert not cached & {str(state) for state in states_of(away.world)}


def test_replay_leaves_out_what_the_final_record_calls_unavailable(away: Away) -> None:
    away.world.collect()
    away.world.propose(without=[3])
    away.world.attest(1, 2)
    away.world.finalize()
    gone = frozenset({SiteId(3)})
    away.fetch(1, gone)
    away.replay(1, gone)
    assert list(away.verified.values()) == states_of(away.world)


def test_replayed_state_is_where_the_next_round_starts_although_it_was_tidied(away: Away) -> None:
    away.world.play(LAST)
    for number in (1, 2):
        away.fetch(number)
        away.replay(number)
    first, second, _ = states_of(away.world)
    away.workshop.tidy(RoundNumber(9), frozenset({second}))
    away.world.store.close()
    assert not away.workshop.holds_state(first)
    previous = away.workshop.previous(away.history, LAST)
    assert (previous.state, previous.state_path) == (second, away.workshop.state_path(second))


def test_replay_that_gives_another_record_is_disputed(away: Away) -> None:
    away.world.play(1)
    away.world.collect()
    away.world.propose(credits_total=7)
    away.world.attest(2, 3)
    away.world.finalize()
    for number in (1, 2):
        away.fetch(number)
        away.replay(number)
    assert away.performer.disputed == {away.key(2)}
    assert set(away.verified) == {away.key(1)}


def test_replay_of_a_round_that_no_updates_could_give_is_disputed(away: Away) -> None:
    away.world.collect()
    away.world.propose()
    away.world.attest(2, 3)
    away.world.finalize()
    away.replay(1, frozenset({SiteId(1), SiteId(2), SiteId(3)}))
    assert away.performer.disputed == {away.key(1)}


def test_replay_without_its_updates_does_nothing(away: Away) -> None:
    away.world.play(1)
    with pytest.raises(BlobMissingError):
        away.replay(1)
    assert not away.verified
    assert not away.performer.disputed


def test_size_of_an_update_is_that_of_the_largest_seen_else_the_limit(away: Away) -> None:
    limit = update_size_limit_bytes(away.world.plan)
    assert away.workshop.likely_update_size_bytes == limit
    away.world.play(1)
    away.fetch(1)
    seen = [path.stat().st_size for path in away.world.updates.values()]
    assert away.workshop.likely_update_size_bytes == max(seen) < limit


def test_a_place_that_names_other_bytes_is_never_pinned(
    away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    garbage = away.folder / "garbage"
    garbage.write_bytes(b"as much as a disk can hold")
    elsewhere = away.world.store.publish(garbage)
    away.world.play(1)
    away.fetch(1)
    away.replay(1)
    honest = [each.locator for each in away.world.logged if isinstance(each, ev.UpdateSubmitted)]
    away.elsewhere = elsewhere
    pinned: list[Locator] = []
    monkeypatch.setattr(away.store, "pin", pinned.append)
    away.performer.perform(acts.Preserve(RoundNumber(1)), away.history, 0)
    assert pinned == honest[:2]


def test_record_that_its_proposer_hides_is_announced_and_found(away: Away) -> None:
    world = away.world
    world.collect()
    proposal = world.propose(record_locator=Locator(b"\x01" * 32))
    world.attest(*world.sites)
    world.finalize()
    with pytest.raises(BlobMissingError):
        away.workshop.previous(away.history, RoundNumber(2))
    away.fetch(1)
    away.replay(1)
    for _ in range(2):
        away.performer.perform(acts.Preserve(RoundNumber(1)), away.history, 0)
    located = away.store.locate(world.folder / "record-1-1-1")
    assert away.announced == {proposal.record: [located]}
    newcomer = Away(world, away.folder / "newcomer")
    newcomer.announced = away.announced
    assert newcomer.workshop.previous(newcomer.history, RoundNumber(2)).record == proposal.record
    newcomer.close()


def test_record_that_is_where_its_proposer_says_is_not_announced(away: Away) -> None:
    away.world.play(1)
    away.fetch(1)
    away.replay(1)
    away.performer.perform(acts.Preserve(RoundNumber(1)), away.history, 0)
    assert away.announced == {}

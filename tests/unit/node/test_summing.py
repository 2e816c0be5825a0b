"""Aggregators of an encrypted run: they agree before anything is served, and serve one sum."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fednet.audit.recipients import REGISTER
from fednet.audit.sealed import RunSeals
from fednet.blobs.memory import MemoryStore
from fednet.codec import sum_size_limit_bytes
from fednet.domain import events as ev
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Locator, SiteId
from fednet.domain.ledger import Phase
from fednet.domain.record import StateRef
from fednet.errors import BlobMissingError, PhaseError, QuorumError, SealedError
from fednet.node import NodeSettings
from fednet.node.fetching import Fetcher
from fednet.node.journal import Journal
from fednet.node.places import AttemptKey
from fednet.node.summing import Summing
from fednet.node.sums import Sums
from fednet.node.terms import RunTerms
from fednet.node.workshop import Workshop
from tests.encrypting import ckks_key
from tests.unit.audit.books import CHAIN_ID, CREDITS, DEPLOYMENT, MODULE, RUN
from tests.unit.audit.encrypted_world import AGGREGATORS, EncryptedWorld
from tests.unit.node.views import attempt_key

FIRST: AttemptKey = attempt_key()
PATIENCE_SECONDS = 20.0


class Reading:
    """Where the run stands, as a node reads it."""

    generation = 1

    def __init__(self, world: EncryptedWorld) -> None:
        self._world = world
        self.late = 0

    @property
    def history(self) -> RunHistory:
        return RunHistory.of(RUN, self._world.logged)

    @property
    def state(self) -> Any:
        deadline = self._world.open_until
        submitted = len(self._world.submissions())
        place = self._world.place
        return SimpleNamespace(
            phase=Phase.PROPOSING, round=place.round, attempt=place.attempt, submitted=submitted,
            deadline=deadline,
        )  # fmt: skip

    @property
    def now(self) -> int:
        return self._world.now + self.late

    @property
    def block(self) -> int:
        return self._world.block


class Party:
    """The hands of one aggregator, or of a site that waits for the sum."""

    def __init__(self, world: EncryptedWorld, site: int, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.world, self.site = world, SiteId(site)
        self.store = MemoryStore(world.swarm, folder / "cache")
        self.store.connect([each.address() for each in world.swarm.stores])
        self.fetcher = Fetcher(self.store, lambda blob: (), lambda: None, 2)
        self.journal = Journal(folder / "journal", DEPLOYMENT, self.site)
        self.reading = Reading(world)
        opened, plan, reading = world.opened, world.plan, self.reading
        initial = StateRef(
            opened.initial_model, opened.initial_model_locator, plan.model.size_bytes
        )
        terms = RunTerms(RUN, plan, plan.commitment, initial, CHAIN_ID, MODULE, CREDITS)
        ledger: Any = world
        at: Any = reading
        shared = ckks_key if site not in AGGREGATORS else None
        self.sums = Sums(ledger, terms, at, self.fetcher, 0, shared)
        tools: Any = SimpleNamespace(
            site=self.site, blobs=self.store, journal=self.journal, settings=NodeSettings(),
            writer=SimpleNamespace(announce=self._announce),
        )  # fmt: skip
        self.workshop = Workshop(terms, self.store, self.fetcher, folder / "run", 1)
        seals = RunSeals(
            lambda: world.events(REGISTER),
            world.member(site),
            folder / "opened",
            plan.homomorphic.aggregator_sites,
        )
        self.summing = Summing(tools, terms, at, self.fetcher, self.sums, seals, self.workshop)

    def _announce(self, site: SiteId, commitment: Commitment, locator: Locator) -> None:
        self.world.emit(ev.LocatorAnnounced, commitment=commitment, site=site, locator=locator)

    def step(self, until: str = "") -> str:
        """Act until something is said, or once."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            self.sums.look()
            said = self.summing.step()
            if until in said:
                return said
            assert time.monotonic() < deadline, said
            time.sleep(0.01)

    def close(self) -> None:
        self.fetcher.close()
        self.journal.close()


@pytest.fixture
def world(tmp_path: Path) -> EncryptedWorld:
    folder = tmp_path / "world"
    folder.mkdir()
    return EncryptedWorld(folder)


@pytest.fixture
def join(world: EncryptedWorld, tmp_path: Path) -> Iterator[Callable[[int], Party]]:
    parties: list[Party] = []

    def joined(site: int) -> Party:
        parties.append(Party(world, site, tmp_path / f"site-{site}-{len(parties)}"))
        return parties[-1]

    yield joined
    for party in parties:
        party.close()


def said_sums(world: EncryptedWorld) -> list[Commitment]:
    return [each.commitment for each in world.events_seen if isinstance(each, ev.LocatorAnnounced)]


def is_served(world: EncryptedWorld, commitment: Commitment) -> bool:
    """Tell whether somebody serves a sum that was announced."""
    reader = MemoryStore(world.swarm, world.folder / "reader")
    reader.connect([each.address() for each in world.swarm.stores])
    said = [each for each in world.events_seen if isinstance(each, ev.LocatorAnnounced)]
    locators = [each.locator for each in said if each.commitment == commitment]
    try:
        reader.fetch(commitment, locators, sum_size_limit_bytes(world.plan), 1)
    except BlobMissingError:
        return False
    return True


def test_a_sum_is_served_once_a_majority_committed_to_it(
    world: EncryptedWorld, join: Callable[[int], Party]
) -> None:
    for site in world.sites:
        world.submit(site)
    world.shut()
    one, other = join(7), join(8)

    assert one.step("committed") == "the sum is committed to"
    assert one.step() == "other aggregators add"
    (commitment,) = said_sums(world)
    assert not is_served(world, commitment)

    other.step("committed")
    assert said_sums(world) == [commitment, commitment]
    assert other.step() == "the sum is served"
    assert is_served(world, commitment)
    assert one.step() == "the sum is served"
    assert bytes(one.journal.notes(RUN).bindings[FIRST]) == commitment


def test_a_site_finds_the_sum_and_decrypts_it(
    world: EncryptedWorld, join: Callable[[int], Party]
) -> None:
    for site in world.sites:
        world.submit(site)
    world.shut()
    site = join(1)
    assert site.sums.inputs(FIRST) is None
    for number in AGGREGATORS[:2]:
        join(number).step("served" if number == 8 else "committed")
    site.sums.look()

    deadline = time.monotonic() + PATIENCE_SECONDS
    while FIRST not in site.sums.ready(world.place.round):
        assert time.monotonic() < deadline
        time.sleep(0.01)

    found = site.sums.inputs(FIRST)
    assert found is not None
    assert sorted(found.header.included) == world.sites
    assert found.key is not None
    assert found.key.identity == ckks_key().identity
    assert site.sums.agreed_attempts == {FIRST}


def test_what_does_not_come_is_waited_for_and_then_left_out(
    world: EncryptedWorld, join: Callable[[int], Party]
) -> None:
    for site in world.sites:
        submitted = world.submit(site)
    world.store.erase(submitted.commitment, [submitted.locator])
    world.shut()
    one = join(7)
    _until(lambda: len(one.fetcher.held(one.summing._limit)) == 3, one)
    assert one.step() == "updates are under way"

    one.reading.late = world.plan.timing.reveal_seconds + world.plan.timing.grace_seconds
    assert one.step() == "the sum is committed to"
    (own,) = one.summing._made.values()
    header = one.workshop.folder / own.path.name
    assert b'[4,"' not in header.read_bytes()[:2_000].split(b"refused")[0]


def _until(holds: Callable[[], bool], party: Party) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        party.step()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_aggregator_never_serves_a_second_sum_of_an_attempt(
    world: EncryptedWorld, join: Callable[[int], Party]
) -> None:
    for site in world.sites:
        world.submit(site)
    world.shut()
    one = join(7)
    one.step("committed")
    one.journal.bind(RUN, FIRST, Commitment.of(b"the sum that was served before a restart"))
    join(8).step("committed")

    with pytest.raises(PhaseError) as caught:
        one.step()

    assert "two sums" in caught.value.hint
    assert not is_served(world, said_sums(world)[0])


def test_a_sum_of_too_few_is_not_made(world: EncryptedWorld, join: Callable[[int], Party]) -> None:
    for site in (1, 2):
        world.submit(site)
    world.shut()

    with pytest.raises(QuorumError) as caught:
        join(7).step("committed")

    assert caught.value.expected == "at least 3"
    assert not said_sums(world)


def test_who_is_no_aggregator_opens_nothing(
    world: EncryptedWorld, join: Callable[[int], Party]
) -> None:
    for site in world.sites:
        world.submit(site)
    world.shut()

    with pytest.raises(SealedError):
        join(1).step("committed")

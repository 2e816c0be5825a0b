"""A node in a run that seals: ciphertext leaves it, and what members sealed it opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Lock
from types import SimpleNamespace
from typing import Any

import pytest

from fednet.airlock import Airlock
from fednet.blobs.memory import MemoryStore
from fednet.codec import TensorFile
from fednet.domain import events as ev
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, GrantId, RoundNumber, SiteId
from fednet.domain.ledger import Standing
from fednet.domain.record import StateRef
from fednet.domain.update import Manifest
from fednet.errors import MalformedBlobError, SealedError, SettingsError, UnsealingError
from fednet.node import SiteKeys, acts
from fednet.node.desk import Desk, at_once
from fednet.node.fetching import Fetcher
from fednet.node.journal import Journal
from fednet.node.performing import Performer
from fednet.node.places import AttemptKey, final_key
from fednet.node.ports import TrainingResult
from fednet.node.progress import ignore
from fednet.node.terms import RunTerms
from fednet.node.vault import open_vault
from fednet.node.view import Vote
from fednet.node.workshop import Workshop
from fednet.privacy.sealing import KeyStore
from tests.unit.audit.books import CHAIN_ID, CREDITS, DEPLOYMENT, EXPIRY, MODULE, RUN
from tests.unit.audit.sealed_world import SealedWorld, private_of, public_of
from tests.unit.audit.world import World, work_of
from tests.unit.node.views import attempt_key

PATIENCE_SECONDS = 20.0
DATA = Commitment.of(b"the data")
FIRST = attempt_key()


class Trainer:
    """Train as the world does, and note the states that were started from."""

    def __init__(self) -> None:
        self.bases: list[bytes] = []

    def train(self, plan: Any, base: Path, place: Any, site: int, *_: object) -> TrainingResult:
        self.bases.append(base.read_bytes())
        return TrainingResult(work_of(site, place.round), 10)


class Site:
    """The hands of one site's node, with a disk and a store of its own."""

    def __init__(self, world: SealedWorld, site: int, folder: Path) -> None:
        self.world, self.site, self.folder = world, SiteId(site), folder
        folder.mkdir()
        self.store = MemoryStore(world.swarm, folder / "cache")
        self.store.connect([world.store.address()])
        self.rung = Event()
        self.fetcher = Fetcher(self.store, lambda blob: (), self.rung.set, 2)
        self.journal = Journal(folder / "journal", DEPLOYMENT, self.site)
        self.trainer = Trainer()
        opened, plan = world.opened, world.plan
        size = plan.model.size_bytes
        initial = StateRef(opened.initial_model, opened.initial_model_locator, size)
        terms = RunTerms(RUN, plan, plan.commitment, initial, CHAIN_ID, MODULE, CREDITS)
        keys = SiteKeys(KeyStore(folder / "keys", self.site), self._private_of)
        reader: Any = world
        vault = open_vault(keys, self.site, terms, reader, folder / "run")
        self.workshop = Workshop(terms, self.store, self.fetcher, folder / "run", 1, vault)
        tools: Any = SimpleNamespace(
            site=self.site, journal=self.journal, blobs=self.store, airlock=Airlock(),
            trainer=self.trainer, data=SimpleNamespace(commitment=lambda: DATA), report=ignore,
            training=Lock(), gate=None, probe=None, treasurer=None,
            registered=lambda grant: SimpleNamespace(dataset=1, closed=False, data=DATA),
        )  # fmt: skip
        self.desk = Desk(at_once, self.rung.set)
        self.performer = Performer(tools, terms, self.workshop, self.fetcher, self.desk)

    def _private_of(self, public: bytes) -> Any:
        for generation in (1, 2):
            if public_of(self.site, generation) == public:
                return private_of(self.site, generation)
        raise SettingsError("the private half is not here")

    @property
    def history(self) -> RunHistory:
        return RunHistory.of(RUN, self.world.logged)

    def do(self, act: acts.Act) -> None:
        self.performer.perform(act, self.history, 0)

    def pledged(self, key: AttemptKey = FIRST) -> Path:
        return self.workshop.folder / self.journal.notes(RUN).pledges[key].file

    def fetch(self, number: int) -> None:
        attempt = self.history.rounds[RoundNumber(number)].attempts[1]
        wanted = {each.commitment for each in attempt.submissions.values()}
        self.do(acts.Fetch(AttemptKey(RoundNumber(number), 1), tuple(attempt.submissions)))
        while not wanted <= self.fetcher.held(self.workshop.update_size_limit_bytes):
            assert self.rung.wait(PATIENCE_SECONDS), "the fetcher never rang"
            self.rung.clear()

    def judge(self, number: int) -> None:
        key = AttemptKey(RoundNumber(number), 1).proposal(1)
        self.do(acts.Recompute(key, frozenset()))

    def close(self) -> None:
        self.fetcher.close()
        self.journal.close()
        self.desk.clear()


@pytest.fixture
def world(tmp_path: Path) -> SealedWorld:
    folder = tmp_path / "world"
    folder.mkdir()
    return SealedWorld(folder, rounds=3)


@pytest.fixture
def site(world: SealedWorld, tmp_path: Path) -> Iterator[Site]:
    site = Site(world, 3, tmp_path / "site 3")
    yield site
    site.close()


def test_only_the_sealed_update_is_pledged_and_its_content_stays_nowhere(site: Site) -> None:
    site.do(acts.Train(FIRST))
    blob = site.pledged()
    pledge = site.journal.notes(RUN).pledges[FIRST]
    assert Commitment.of(blob.read_bytes()) == pledge.commitment
    with pytest.raises(MalformedBlobError), TensorFile(blob, "update"):
        pass
    assert b"fednet" not in blob.read_bytes()
    assert {path.name for path in site.workshop.folder.iterdir() if path.is_file()} == {blob.name}


def test_every_member_opens_what_a_node_sealed_and_finds_its_update(
    site: Site, world: SealedWorld, tmp_path: Path
) -> None:
    site.do(acts.Train(FIRST))
    blob = site.pledged()
    submitted = _submit(world, site)
    for member in (1, 2, 3):
        keys = world.member(member, tmp_path / f"keys of {member}")
        seals = type(world.seals())(
            world.place, world.seals().recipients, keys, tmp_path / f"opened {member}"
        )
        path = seals.open_updates([submitted], {site.site: blob}).paths[site.site]
        assert path is not None
        with TensorFile(path, "update") as file:
            assert Manifest.from_metadata(file.metadata, "update").site == site.site


def test_a_node_recomputes_attests_and_starts_from_what_it_opened(
    site: Site, world: SealedWorld
) -> None:
    plain = World(_folder(site.folder / "plain"), rounds=3)
    plain.play(2)
    for number in (1, 2):
        world.collect()
        world.propose()
        site.fetch(number)
        site.judge(number)
        key = AttemptKey(RoundNumber(number), 1).proposal(1)
        assert world.proposed is not None
        vote = Vote(True, world.proposed.witness(site.site))
        assert site.journal.notes(RUN).votes[key] == vote
        world.attest(*world.sites)
        world.finalize()
    base = site.workshop.previous(site.history, RoundNumber(3))
    assert base.state == world.base
    assert base.state_path.read_bytes() == plain.base_path.read_bytes()


def test_a_node_that_lost_its_disk_opens_the_last_state_by_its_letter(
    site: Site, world: SealedWorld
) -> None:
    world.play(2)
    site.do(acts.Train(AttemptKey(RoundNumber(3), 1)))
    assert site.trainer.bases == [world.base_path.read_bytes()]


def test_what_was_opened_of_rounds_gone_by_is_removed(site: Site, world: SealedWorld) -> None:
    for number in (1, 2):
        world.collect()
        world.propose()
        site.fetch(number)
        site.judge(number)
        world.attest(*world.sites)
        world.finalize()
        site.workshop.tidy(RoundNumber(number + 1), frozenset({world.base}))
    site.workshop.tidy(RoundNumber(4), frozenset({world.base}))
    opened = {path.name for path in (site.workshop.folder / "opened").iterdir()}
    assert opened <= {"3-1"}
    assert site.workshop.holds_state(world.base)


def test_an_update_in_the_clear_is_invalid_for_every_node(site: Site, world: SealedWorld) -> None:
    world.in_the_clear = {1}
    world.collect()
    world.propose()
    site.fetch(1)
    site.judge(1)
    (vote,) = site.journal.notes(RUN).votes.values()
    assert vote.agrees


def test_a_site_that_was_no_member_at_the_start_hands_in_nothing(
    site: Site, world: SealedWorld
) -> None:
    world.emit(ev.SiteStandingChanged, site=SiteId(3), operator="", standing=Standing.SUSPENDED)
    world.begin(1, attempt=2)
    again = AttemptKey(RoundNumber(1), 2)
    with pytest.raises(UnsealingError, match="not sealed for this site"):
        site.do(acts.Train(again))
    assert again not in site.journal.notes(RUN).pledges
    assert "not sealed for this site" in site.performer.sat_out[again]
    assert not [path for path in site.workshop.folder.iterdir() if path.is_file()]


def test_a_site_that_joins_late_sits_out_until_it_has_the_key_to_the_state(
    world: SealedWorld, tmp_path: Path
) -> None:
    world.play(1)
    world.admit(SiteId(4))
    world.emit(
        ev.ConsentGiven, site=SiteId(4), grant=GrantId(4), position=3, maximum_examples=1000,
        expiry=EXPIRY,
    )  # fmt: skip
    world.begin(2, attempt=2)
    key = AttemptKey(RoundNumber(2), 2)
    with closing(Site(world, 4, tmp_path / "site 4")) as newcomer:
        with pytest.raises(SealedError, match="not sealed for this site"):
            newcomer.do(acts.Train(key))
        assert "not sealed for this site" in newcomer.performer.sat_out[key]


def test_a_node_without_keys_has_no_part_in_a_run_that_seals(world: SealedWorld) -> None:
    plan, opened = world.plan, world.opened
    initial = StateRef(opened.initial_model, opened.initial_model_locator, 1)
    terms = RunTerms(RUN, plan, plan.commitment, initial, CHAIN_ID, MODULE, CREDITS)
    reader: Any = world
    with pytest.raises(SettingsError, match="has no keys"):
        open_vault(None, SiteId(3), terms, reader, world.folder)


def test_a_rotated_key_seals_from_the_next_attempt_on(site: Site, world: SealedWorld) -> None:
    world.emit(ev.SiteKeyRotated, site=SiteId(3), encryption_key=public_of(3, 2), key_version=2)
    world.collect()
    world.propose()
    site.fetch(1)
    site.judge(1)  # still with the key that was registered when the attempt began
    world.attest(*world.sites)
    world.finalize()
    assert dict(world.seals().recipients.keys)[SiteId(3)] == public_of(3, 2)
    site.do(acts.Train(AttemptKey(RoundNumber(2), 1)))
    assert final_key(site.history, RoundNumber(1)) is not None


def _submit(world: SealedWorld, site: Site) -> ev.UpdateSubmitted:
    pledge = site.journal.notes(RUN).pledges[FIRST]
    submitted: ev.UpdateSubmitted = world.emit(
        ev.UpdateSubmitted, round=1, site=site.site, attempt=1, stage=0,
        commitment=pledge.commitment, weight=pledge.weight, locator=pledge.locator,
    )  # fmt: skip
    return submitted


def _folder(path: Path) -> Path:
    path.mkdir()
    return path

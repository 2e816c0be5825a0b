"""The index against a real chain: what it tells, reorganisations, deletion, many readers."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fednet.domain.identity import Commitment, Digest, RunId
from fednet.domain.ledger import AccessStatus, Inclusion, Standing, pack_inclusion
from fednet.errors import LedgerError
from fednet.provenance import DamagedIndexError, LedgerIndex
from tests import ledger_acts as acts
from tests.chain_fixtures import ChainWorld
from tests.unit.provenance.contents import content_of


@dataclass
class Story:
    """A run of two rounds of three sites, played on a real chain."""

    world: ChainWorld
    run: RunId
    hospitals: list[acts.Hospital]
    path: Path
    index: LedgerIndex


@pytest.fixture
def story(anvil_world: ChainWorld, tmp_path: Path) -> Iterator[Story]:
    run, hospitals, _ = acts.started_run(anvil_world)
    for _ in range(2):
        acts.play_round(anvil_world, run, hospitals)
        if anvil_world.reader.state(run).phase.name == "FINAL":
            anvil_world.operator.advance(run)
    path = tmp_path / "index.sqlite"
    with closing(LedgerIndex.open(path, anvil_world.deployment)) as index:
        index.refresh(anvil_world.reader)
        yield Story(anvil_world, run, hospitals, path, index)


def fresh(story: Story, folder: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(LedgerIndex.open(folder / "fresh.sqlite", story.world.deployment)) as index:
        index.refresh(story.world.reader)
    return content_of(folder / "fresh.sqlite")


def test_run_is_told_as_it_was_played(story: Story) -> None:
    index, run = story.index, story.run
    row = index.run(run)
    assert row is not None
    assert (row.started_rounds, row.final_rounds, row.sites, row.updates) == (2, 2, 3, 6)
    assert row.plan == acts.commitment("plan")
    assert [(each.round, each.status, each.submitted) for each in index.rounds(run)] == [
        (1, "final", 3),
        (2, "final", 3),
    ]
    assert {each.verdict for each in index.updates(run=run)} == {"included"}
    assert index.count_updates(run=run, site=story.hospitals[0].site) == 2
    assert [each.standing for each in index.sites()] == [Standing.ACTIVE] * 3
    assert [each.status for each in index.accesses()] == [AccessStatus.GRANTED] * 3
    assert [each.run for each in index.accesses()] == [run] * 3
    events = index.events(limit=1_000)
    assert len(events) == index.count_events()
    assert [(each.block, each.index) for each in events] == sorted(
        (each.block, each.index) for each in events
    )
    assert all(each.time for each in events)
    assert index.events(limit=1, newest_first=True) == events[-1:]
    assert index.events(limit=2, offset=3) == events[3:5]
    assert len(index.events(kind="RoundFinalized")) == 2


def test_lineage_leads_to_the_initial_model(story: Story) -> None:
    found = story.index.lineage(acts.commitment("state", story.run, 2))
    assert (found.run, found.initial_model) == (story.run, acts.commitment("model"))
    assert [step.round for step in found.steps] == [2, 1]
    assert found.steps[0].previous_state == found.steps[1].state
    assert found.steps[1].previous_state == found.initial_model
    for step in found.steps:
        assert [update.site for update in step.updates] == [h.site for h in story.hospitals]
        assert [update.dataset for update in step.updates] == [h.dataset for h in story.hospitals]
        assert [update.grant for update in step.updates] == [
            h.grants[story.run] for h in story.hospitals
        ]
    assert story.index.lineage(acts.commitment("model")).steps == ()
    with pytest.raises(LedgerError) as caught:
        story.index.lineage(acts.commitment("never seen"))
    assert caught.value.hint


def test_excluded_update_has_its_verdict(story: Story) -> None:
    world = story.world
    run, hospitals = story.run, story.hospitals
    other = acts.open_run(world, world.writer("researcher"))
    for hospital in hospitals:
        acts.consent(world, world.writer("researcher"), other, hospital)
    for hospital in hospitals:
        acts.submit(world, other, hospital)
    proposal = acts.proposal_of(world, other, hospitals)
    last = world.reader.member(other, hospitals[2].site).position
    packed = pack_inclusion({last: Inclusion.INVALID})
    proposal = replace(proposal, included=2, invalid=1, inclusion=packed)
    next(each for each in hospitals if each.site == proposal.site).writer.propose(proposal)
    story.index.refresh(world.reader)
    told = {each.site: each.verdict for each in story.index.updates(run=other)}
    assert told == {hospitals[0].site: "included", hospitals[1].site: "included",
                    hospitals[2].site: "invalid"}  # fmt: skip
    for hospital in hospitals:
        acts.attest(proposal, hospital)
    story.index.refresh(world.reader)
    given = {row.run: row for row in story.index.contributions(hospitals[2].site)}
    assert (given[run].included, given[run].invalid) == (2, 0)
    assert (given[other].included, given[other].invalid, given[other].examples) == (0, 1, 0)
    assert [step.updates[2].verdict for step in story.index.lineage(proposal.state).steps] == [
        "invalid"
    ]


def test_lookup_tells_what_a_thing_is(story: Story) -> None:
    index, hospital = story.index, story.hospitals[0]
    update = acts.commitment("update", story.run, 1, hospital.site)
    assert [each.kind for each in index.lookup(str(update))] == ["update"]
    assert [each.kind for each in index.lookup(str(update)[:12])] == ["update"]
    (match,) = index.lookup("0x" + str(acts.commitment("state", story.run, 2)).upper())
    assert (match.kind, match.run, match.round) == ("state", story.run, 2)
    assert index.lookup(str(hospital.writer.address).lower())[0].site == hospital.site
    event = index.events(limit=1)[0]
    assert {each.kind for each in index.lookup(str(event.transaction))} == {"transaction"}
    assert index.lookup(f"run {story.run}")[0].run == story.run
    assert index.lookup(f"run {story.run} round 2")[0].round == 2
    nothings = ("", "no such thing", "f" * 64, "%", "'; DROP TABLE events; --", "\x00", "9" * 30)
    for nothing in nothings:
        assert index.lookup(nothing) == []


def test_dataset_and_members_have_a_history(story: Story) -> None:
    hospital, world = story.hospitals[0], story.world
    kinds = [each.kind for each in story.index.history(hospital.dataset)]
    assert kinds == ["DatasetRegistered", "AccessRequested", "AccessGranted", "ConsentGiven",
                     "UpdateSubmitted", "UpdateSubmitted"]  # fmt: skip
    before = world.reader.head()
    world.pass_time(10)
    world.operator.revoke(hospital.site)
    story.index.refresh(world.reader)
    sites = [each.site for each in story.hospitals]
    assert [each.site for each in story.index.members_at()] == sites[1:]
    assert [each.site for each in story.index.members_at(block=before.number)] == sites
    assert [each.site for each in story.index.members_at(time=before.timestamp)] == sites
    assert story.index.members_at(time=1) == []


def test_filters_by_time_leave_what_is_between(story: Story) -> None:
    events = story.index.events(limit=1_000)
    middle = events[len(events) // 2].time
    assert story.index.count_events(since=middle) == sum(each.time >= middle for each in events)
    assert story.index.count_events(until=middle) == sum(each.time <= middle for each in events)
    assert story.index.count_events(until=0) == 0
    assert story.index.count_events(since=1 << 70) == 0
    with pytest.raises(TypeError):
        story.index.claims(dataset=1)


def test_reorganisation_leaves_no_orphan(story: Story, tmp_path: Path) -> None:
    world, rpc = story.world, story.world.reader.rpc
    taken = rpc.call("evm_snapshot")
    kept = content_of(story.path)
    lost = acts.join(world, "lost")
    world.operator.suspend(story.hospitals[0].site)
    story.index.refresh(world.reader)
    assert story.index.site(lost.site) is not None
    (gone,) = {each.transaction for each in story.index.events(limit=1_000)[-1:]}
    assert story.index.lookup(str(gone))

    assert rpc.call("evm_revert", taken)
    done = story.index.refresh(world.reader)
    assert done.removed == 4
    assert content_of(story.path) == kept

    acts.join(world, "found instead")
    for _ in range(12):  # longer than the branch that was lost
        rpc.call("evm_mine")
    story.index.refresh(world.reader)
    assert content_of(story.path) == fresh(story, tmp_path)
    assert story.index.lookup(str(gone)) == story.index.lookup("lost") == []
    assert [each.name for each in story.index.sites()][-1] == "found instead"


def test_index_is_equal_after_the_chain_grew(story: Story, tmp_path: Path) -> None:
    acts.join(story.world, "later")
    done = story.index.refresh(story.world.reader)
    assert (done.added, done.removed, done.rebuilt) == (3, 0, "")
    assert story.index.refresh(story.world.reader).added == 0
    assert content_of(story.path) == fresh(story, tmp_path)


def test_index_deleted_in_mid_use_is_rebuilt(story: Story, tmp_path: Path) -> None:
    before, said = content_of(story.path), []
    with closing(LedgerIndex.open(story.path, story.world.deployment, say=said.append)) as index:
        index.refresh(story.world.reader)
        answer = index.runs()
        for path in tmp_path.glob("index.sqlite*"):
            path.unlink()
        assert index.runs() == answer
        assert index.refresh(story.world.reader).rebuilt
        assert index.runs() == answer
    assert content_of(story.path) == before
    assert len(said) == 1


@pytest.mark.parametrize("how", ["overwritten", "cut short", "spoiled within"])
def test_index_damaged_in_mid_use_is_rebuilt(story: Story, how: str) -> None:
    before, said = content_of(story.path), []
    with closing(sqlite3.connect(story.path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs'").fetchone()[0]
        size = db.execute("PRAGMA page_size").fetchone()[0]
    whole = story.path.read_bytes()
    with closing(LedgerIndex.open(story.path, story.world.deployment, say=said.append)) as index:
        if how == "overwritten":
            story.path.write_bytes(b"\xff" * len(whole))
        elif how == "cut short":
            story.path.write_bytes(whole[:5_000])
        else:  # only a question comes upon it
            index.refresh(story.world.reader)
            spoilt = whole[: (page - 1) * size] + b"\xff" * size + whole[page * size :]
            story.path.write_bytes(spoilt)
            with closing(LedgerIndex.open(story.path, story.world.deployment)) as other:
                with pytest.raises(DamagedIndexError) as caught:
                    other.runs()
                assert "--rebuild" in caught.value.hint
                assert other.refresh(story.world.reader).rebuilt
                assert other.run(story.run) is not None
        index.refresh(story.world.reader)
        assert index.run(story.run) is not None
    assert content_of(story.path) == before
    assert len(said) == (0 if how == "spoiled within" else 1)


def test_index_of_another_deployment_is_thrown_away(story: Story) -> None:
    other = replace(story.world.deployment, genesis_hash=Digest(b"\1" * 32))
    with closing(LedgerIndex.open(story.path, other)) as index:
        assert index.count_events() == 0


def test_readers_go_on_while_one_writes(story: Story) -> None:
    """Two readers see one moment each: a site never without its application's event."""
    stop, problems = threading.Event(), []

    def read() -> None:
        with closing(LedgerIndex.open(story.path, story.world.deployment)) as index:
            while not stop.is_set():
                try:
                    index.lineage(acts.commitment("state", story.run, 2))
                    assert index.count_events(kind="SiteApplied") >= 3
                except Exception as exc:
                    problems.append(exc)
                    return

    readers = [threading.Thread(target=read) for _ in range(2)]
    for each in readers:
        each.start()
    for number in range(6):
        acts.join(story.world, f"joins {number}")
        story.index.refresh(story.world.reader)
    stop.set()
    for each in readers:
        each.join()
    assert problems == []
    assert story.index.count_sites() == 9


def test_hostile_name_is_only_a_name(story: Story) -> None:
    name = "‮<script>'; DROP TABLE updates;--&"
    hospital = acts.join(story.world, name)
    story.index.refresh(story.world.reader)
    row = story.index.site(hospital.site)
    assert row is not None
    assert row.name == name
    assert story.index.lookup("DROP TABLE")[0].site == hospital.site
    assert story.index.count_updates() == 6
    assert Commitment(row.metadata) == acts.commitment("metadata", name)

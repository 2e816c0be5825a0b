"""Updates that were erased with their dataset: called erased with the grounds, never verified."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fednet.audit import AuditReport, RoundVerdict, Severity
from fednet.domain import disclosure_events as de
from fednet.domain import events as ev
from fednet.domain.erasing import datasets_of, erased_list, updates_from
from fednet.domain.identity import Commitment, DatasetId, RoundNumber, SiteId
from fednet.exports.reporting import make_statement
from tests.unit.audit.books import RUN
from tests.unit.audit.world import World
from tests.unit.exports.made_up import make_dossier

GROUNDS = Commitment.of(b"a salted document that stays at the site")


def named(world: World, site: int) -> list[Commitment]:
    """List what a site has made so far from its dataset."""
    asked = datasets_of(world.events_seen)
    return [e.commitment for e in updates_from(world.logged, asked, SiteId(site), DatasetId(site))]


def erase(world: World, site: int = 3, *, closed: bool = True, **changes: Any) -> None:
    """Record that a site erased all its updates so far, or something else."""
    updates = named(world, site)
    if closed:
        world.emit(ev.DatasetClosed, dataset=DatasetId(site), site=SiteId(site))
    said = {
        "run": RUN, "site": SiteId(site), "dataset": DatasetId(site), "blobs": len(updates),
        "list": Commitment.of(erased_list(RUN, SiteId(site), DatasetId(site), updates)),
        "grounds": GROUNDS,
    }  # fmt: skip
    world.emit(de.BlobsErased, **said | changes)


def lose(world: World, number: int, site: int = 3) -> None:
    """Let nobody serve an update any more."""
    path = world.updates[RoundNumber(number), 1, SiteId(site)]
    world.store._objects.pop(world.store.locate(path))


def told(report: AuditReport) -> list[tuple[str, Severity, str]]:
    return [(each.code, each.severity, each.subject) for each in report.findings]


def verdicts(report: AuditReport) -> list[RoundVerdict]:
    return [each.verdict for each in report.rounds]


def test_erased_update_is_called_erased_with_its_grounds(world: World) -> None:
    world.play(2)
    erase(world)
    lose(world, 1)
    report = world.audit()
    assert told(report) == [
        ("blob-erased", Severity.MISSING, "update of site 3 in round 1"),
        ("round-erased", Severity.MISSING, "round 1"),
    ]
    assert str(GROUNDS) in report.findings[0].actual
    assert report.findings[0].duty == ""
    assert verdicts(report) == [RoundVerdict.ERASED, RoundVerdict.VERIFIED]
    assert (report.erased, report.verified, report.accused, report.exit_code) == (
        True, False, (), 1,
    )  # fmt: skip


def test_what_somebody_still_serves_is_checked(world: World) -> None:
    world.play(2)
    erase(world)
    report = world.audit()
    assert report.findings == ()
    assert report.verified
    assert not report.erased


def test_without_a_record_it_is_missing(world: World) -> None:
    world.play(2)
    lose(world, 1)
    report = world.audit()
    assert [code for code, *_ in told(report)] == ["blob-missing", "round-unverifiable"]
    assert not report.erased


def test_an_erasure_excuses_nobody_elses_absence(world: World) -> None:
    world.play(2)
    erase(world)
    lose(world, 1)
    lose(world, 1, site=2)
    report = world.audit()
    codes = [code for code, *_ in told(report)]
    assert codes == ["blob-missing", "blob-erased", "round-unverifiable"]
    assert verdicts(report)[0] is RoundVerdict.UNVERIFIABLE
    assert not report.erased


def test_an_erasure_excuses_nothing_that_came_after_it(world: World) -> None:
    world.play(1)
    erase(world)
    world.play(1)
    lose(world, 2)
    report = world.audit()
    assert [code for code, *_ in told(report)] == ["blob-missing", "round-unverifiable"]


@pytest.mark.parametrize(
    "changes", [{"blobs": 1}, {"blobs": 3}, {"list": GROUNDS}], ids=["fewer", "more", "others"]
)
def test_a_list_of_other_blobs_excuses_nothing(world: World, changes: dict[str, Any]) -> None:
    world.play(2)
    erase(world, **changes)
    lose(world, 1)
    report = world.audit()
    assert told(report) == [
        ("erasure-unknown", Severity.NOTICE, report.findings[0].subject),
        ("blob-missing", Severity.MISSING, "update of site 3 in round 1"),
        ("round-unverifiable", Severity.MISSING, "round 1"),
    ]


def test_blobs_of_an_open_dataset_are_missing(world: World) -> None:
    world.play(2)
    erase(world, closed=False)
    lose(world, 1)
    codes = [code for code, *_ in told(world.audit())]
    assert codes == ["erased-while-open", "blob-missing", "round-unverifiable"]


def test_nobody_erases_anothers_updates(world: World) -> None:
    world.play(2)
    updates = named(world, 3)
    listed = erased_list(RUN, SiteId(2), DatasetId(3), updates)
    erase(world, site=SiteId(2), dataset=DatasetId(3), list=Commitment.of(listed))
    lose(world, 1)
    codes = {code for code, *_ in told(world.audit())}
    assert {"record-of-another", "blob-missing"} <= codes
    assert "blob-erased" not in codes


def test_a_lie_beside_an_erasure_is_still_told(world: World) -> None:
    world.play(1)
    world.collect()
    world.propose(lie=lambda record: record.model_copy(update={"state": "ee" * 32}))
    world.attest(*world.sites)
    world.finalize()
    erase(world)
    lose(world, 1)
    report = world.audit()
    assert not report.erased
    assert RoundVerdict.WRONG in verdicts(report)
    assert report.accused


def test_a_list_is_the_same_in_any_order() -> None:
    one, two = Commitment.of(b"1"), Commitment.of(b"2")
    site, dataset = SiteId(1), DatasetId(4)
    assert erased_list(RUN, site, dataset, [one, two]) == erased_list(
        RUN, site, dataset, [two, one, two]
    )
    assert erased_list(RUN, site, dataset, [one]) == (
        b'{"dataset":4,"format":"fednet-erased-updates/1","run":1,"site":1,"updates":["'
        + str(one).encode()
        + b'"]}'
    )


def test_the_report_says_that_it_holds_in_part(world: World) -> None:
    world.play(2)
    erase(world)
    lose(world, 1)
    statement = make_statement(replace(make_dossier(), report=world.audit()), 1)
    assert statement.verdict == "holds in part"
    assert "What was not erased holds." in statement.headline

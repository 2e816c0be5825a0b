"""Batches that a liar makes: whom it can keep out of a round, and what the audit says of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fednet.audit import AuditReport, RoundVerdict
from fednet.domain.identity import SiteId
from fednet.errors import QuorumError
from tests.unit.audit.modules import Batching

BATCHER, PROPOSER = SiteId(1), SiteId(2)
SITES = 6


class Carried(Batching):
    """Six sites, of which the first hands all in."""

    sections: ClassVar[Mapping[str, Any]] = {"module": {"name": "batched"}}


@pytest.fixture
def world(tmp_path: Path) -> Carried:
    return Carried(tmp_path, sites=SITES, rounds=1)


def submit(world: Carried, *sites: int) -> None:
    for site in sites:
        world.submit(site)


def finish(world: Carried, **proposal: Any) -> AuditReport:
    world.propose(by=PROPOSER, **proposal)
    world.attest(*world.sites)
    world.finalize()
    return world.audit()


def said(report: AuditReport) -> list[tuple[str, int | None]]:
    return [(each.code, each.accused) for each in report.findings]


def test_forged_row_accuses_the_batcher_and_keeps_out_nobody_else(world: Carried) -> None:
    world.forged = {4}
    world.collect()
    report = finish(world)
    assert said(report) == [("row-forged", BATCHER)]
    assert [result.verdict for result in report.rounds] == [RoundVerdict.VERIFIED]
    verdicts = {site.site: (site.verdict, site.reason) for site in report.rounds[0].sites}
    assert verdicts.pop(SiteId(4)) == ("invalid", "unsigned")
    assert set(verdicts.values()) == {("included", "")}


def test_own_submission_takes_the_place_of_a_forged_row(world: Carried) -> None:
    world.forged = {4, 5, 6}
    submit(world, *world.sites)
    world.batch()
    submit(world, 4, 5, 6)
    world.close()
    world.forged = ()
    report = finish(world)
    assert set(said(report)) == {("row-forged", BATCHER)}
    assert {site.verdict for site in report.rounds[0].sites} == {"included"}


@pytest.mark.parametrize("kept_out", [{3, 4, 5}, {3, 4, 5, 6}])
def test_no_round_is_made_of_what_a_batcher_left_by_forging(
    world: Carried, kept_out: set[int]
) -> None:
    world.forged = kept_out
    world.collect()
    with pytest.raises(QuorumError):
        world.recomputed(PROPOSER)


def test_no_round_is_made_of_what_a_batcher_left_by_withholding_a_sheet(world: Carried) -> None:
    world.serves_sheet = False
    submit(world, 3, 4, 5, 6)
    world.batch()
    submit(world, 1, 2)
    world.close()
    with pytest.raises(QuorumError):
        world.recomputed(PROPOSER, without=(3, 4, 5, 6))


def test_proposer_of_a_round_that_a_batcher_left_is_named(
    world: Carried, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.forged = {3, 4, 5}
    world.collect()
    with monkeypatch.context() as blind:
        blind.setattr("fednet.audit.recomputation.require_enough", lambda *_: None)
        world.propose(by=PROPOSER)
    world.attest(*world.sites)
    world.finalize()
    report = world.audit()
    assert ("proposal-impossible", PROPOSER) in said(report)
    assert ("row-forged", BATCHER) in said(report)
    assert not report.verified
    assert set(report.accused) == {BATCHER, PROPOSER}

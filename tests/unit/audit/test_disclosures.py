"""Disclosures, budgets and airlock: each rule broken on a chain that let it pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fednet.audit import AuditReport, Severity
from fednet.domain import disclosure_events as de
from fednet.domain import events as ev
from fednet.domain.disclosures import PrivacyLoss, ReleaseStatus
from fednet.domain.erasing import erased_list, updates_from
from fednet.domain.identity import (
    ZERO_DIGEST,
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    Locator,
    SiteId,
)
from fednet.domain.ledger import Standing
from tests.unit.audit.books import RESEARCHER, RUN
from tests.unit.audit.world import World

SAID = Commitment(b"\7" * 32)
_, _, APPROVED, REJECTED, EXPIRED, RETURNED = ReleaseStatus


def held(report: AuditReport) -> list[tuple[str, int, int | None]]:
    return [
        (each.code, each.check, each.accused)
        for each in report.findings
        if each.severity is not Severity.NOTICE
    ]


def request(world: World, site: int = 2, **changes: Any) -> None:
    said = {"run": RUN, "round": world.place.round, "site": site, "dataset": site,
            "attempt": world.place.attempt, "request": SAID}  # fmt: skip
    world.emit(de.ReleaseRequested, **said | changes)


def decide(world: World, decision: ReleaseStatus, site: int = 2, **changes: Any) -> None:
    said = {"run": RUN, "round": world.place.round, "site": site, "dataset": site,
            "attempt": world.place.attempt, "decision": decision, "reason": SAID}  # fmt: skip
    world.emit(de.ReleaseDecided, **said | changes)


def ceiling(world: World, epsilon: int, delta: int = 9, **changes: Any) -> None:
    said = {"dataset": 2, "site": 2, "epsilon_micro": epsilon, "delta_pico": delta,
            "grounds": SAID}  # fmt: skip
    world.emit(de.CeilingSet, **said | changes)


def spend(world: World, epsilon: int, delta: int = 0, **changes: Any) -> None:
    said = {"run": RUN, "round": world.place.round, "site": 2, "dataset": 2,
            "epsilon_micro": epsilon, "delta_pico": delta}  # fmt: skip
    world.emit(de.BudgetSpent, **said | changes)


def disclose(world: World) -> None:
    """Keep the ledger of disclosures as an honest site does, and play a round."""
    ceiling(world, 5)
    request(world)
    decide(world, APPROVED)
    spend(world, 3)
    world.play()


def test_honest_disclosures_are_no_finding(world: World) -> None:
    disclose(world)
    request(world)
    decide(world, APPROVED)
    spend(world, 5, 9)
    world.emit(de.RetentionSet, dataset=2, site=2, retention_seconds=60)
    reader = {"run": RUN, "site": 2, "reader": 1}
    world.emit(
        de.ReaderAdmitted, account=RESEARCHER, key=SAID, letter=SAID,
        letter_locator=Locator(SAID), **reader,
    )  # fmt: skip
    world.emit(de.ReaderDismissed, **reader)
    ceiling(world, 1, 1, grounds=ZERO_DIGEST)
    world.emit(ev.DatasetClosed, dataset=2, site=2)
    made = updates_from(world.logged, {GrantId(2): DatasetId(2)}, SiteId(2), DatasetId(2))
    listed = erased_list(RUN, SiteId(2), DatasetId(2), [each.commitment for each in made])
    erased = {"run": RUN, "site": 2, "dataset": 2, "blobs": len(made),
              "list": Commitment.of(listed), "grounds": SAID}  # fmt: skip
    world.emit(de.BlobsErased, **erased)
    world.play()
    assert world.audit().findings == ()


@pytest.mark.parametrize("at", range(4))
def test_missing_record_is_found_and_frames_nobody(world: World, at: int) -> None:
    disclose(world)
    world.events_seen.remove(world.recorded[at])
    report = world.audit()
    codes = {code for code, *_ in held(report)}
    assert {"disclosures-hash-differs", "disclosures-count-differs"} <= codes
    assert report.accused == ()
    assert all(each.duty for each in report.findings if each.check in (28, 29, 30))


def test_edited_record_is_found(world: World) -> None:
    disclose(world)
    record = world.recorded[-1]
    place = world.events_seen.index(record)
    log = replace(record.log, data=record.log.data + b"\0")
    world.events_seen[place] = replace(record, log=log)
    assert held(world.audit()) == [("disclosures-hash-differs", 28, None)]


@pytest.mark.parametrize(
    ("standing", "code"),
    [
        (None, "submitted-undecided"),
        (REJECTED, "submitted-although-rejected"),
        (EXPIRED, "submitted-although-expired"),
        (RETURNED, "submitted-although-returned"),
    ],
)
def test_update_that_was_held_back_accuses_its_site(
    world: World, standing: ReleaseStatus | None, code: str
) -> None:
    request(world)
    if standing is not None:
        decide(world, standing)
    world.play()
    assert held(world.audit()) == [(code, 30, 2)]


def test_what_was_returned_may_be_asked_for_again_and_then_leave(world: World) -> None:
    request(world)
    decide(world, RETURNED)
    request(world)
    decide(world, APPROVED)
    world.play()
    assert world.audit().findings == ()


def test_decision_after_the_submission_does_not_undo_it(world: World) -> None:
    request(world)
    decide(world, APPROVED)
    world.collect()
    request(world, attempt=2)
    decide(world, REJECTED, attempt=2)
    world.propose()
    world.attest(*world.sites)
    world.finalize()
    assert world.audit().findings == ()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda world: decide(world, APPROVED), ("decision-without-request", 28)),
        (lambda world: (request(world), decide(world, APPROVED),
                        decide(world, REJECTED, round=2)),
         ("decision-without-request", 28)),
        (lambda world: (request(world), decide(world, APPROVED), decide(world, APPROVED)),
         ("decision-without-request", 28)),
        (lambda world: (request(world), request(world), decide(world, APPROVED)),
         ("request-out-of-order", 28)),
        (lambda world: (request(world, dataset=1), decide(world, APPROVED, dataset=1)),
         ("record-of-another", 28)),
        (lambda world: ceiling(world, 5, dataset=1), ("record-of-another", 28)),
        (lambda world: (ceiling(world, 5), spend(world, 6)), ("budget-exceeded", 29)),
        (lambda world: (ceiling(world, 5), spend(world, 5, 10)), ("budget-exceeded", 29)),
        (lambda world: spend(world, 1), ("budget-exceeded", 29)),
        (lambda world: (ceiling(world, 5), spend(world, 3), spend(world, 3, run=RUN + 1)),
         ("budget-exceeded", 29)),
        (lambda world: (ceiling(world, 5), spend(world, 3), spend(world, 2)),
         ("spending-fell", 29)),
        (lambda world: (ceiling(world, 5), spend(world, 3, round=2), spend(world, 3)),
         ("spending-fell", 29)),
        (lambda world: ceiling(world, 5, grounds=ZERO_DIGEST),
         ("ceiling-raised-without-grounds", 29)),
        (lambda world: world.emit(de.ReaderDismissed, run=RUN, site=2, reader=7),
         ("dismissal-without-admission", 28)),
        (lambda world: world.emit(de.BlobsErased, run=RUN, site=2, dataset=2, blobs=1, list=SAID,
                                  grounds=SAID), ("erased-while-open", 28)),
    ],
)  # fmt: skip
def test_what_the_contract_must_refuse_is_found(
    world: World, make: Callable[[World], object], expected: tuple[str, int]
) -> None:
    make(world)
    world.play()
    report = world.audit()
    assert {each[:2] for each in held(report)} == {expected}
    assert report.accused == ()
    assert all("operator" in each.duty for each in report.findings if each.check in (28, 29))


def test_other_runs_and_datasets_are_not_this_audit_s_business(world: World) -> None:
    decide(world, APPROVED, run=RUN + 1)
    spend(world, 9, site=9, dataset=9, run=RUN + 1)
    world.emit(de.ReaderDismissed, run=RUN + 1, site=2, reader=7)
    world.play()
    assert world.audit().findings == ()


def test_budget_that_no_record_says_is_found(world: World) -> None:
    disclose(world)
    told = world.budget
    world.budget = lambda dataset: (  # type: ignore[method-assign]
        replace(told(dataset), epsilon_spent=1) if dataset == 2 else told(dataset)
    )
    report = world.audit()
    assert held(report) == [("budget-differs", 29, None)]
    assert report.findings[0].subject == "budget of dataset 2"


def test_record_of_a_suspended_site_is_found(world: World) -> None:
    for standing in (Standing.SUSPENDED, Standing.ACTIVE):
        world.emit(ev.SiteStandingChanged, site=2, operator=RESEARCHER, standing=standing)
        if standing is Standing.SUSPENDED:
            ceiling(world, 5)
    world.play()
    report = world.audit()
    assert held(report) == [("unauthorised", 19, None)]
    assert report.findings[0].subject == "record of a ceiling of site 2"


def test_operator_s_readers_are_nobody_s_membership(world: World) -> None:
    said = {"run": RUN, "site": 0, "reader": 1}
    world.emit(
        de.ReaderAdmitted, account=RESEARCHER, key=Digest(SAID), letter=SAID,
        letter_locator=Locator(SAID), **said,
    )  # fmt: skip
    world.emit(de.ReaderDismissed, **said)
    world.play()
    assert world.audit().findings == ()


def test_lowered_ceiling_judges_later_spending_alone(world: World) -> None:
    ceiling(world, 5)
    spend(world, 5)
    ceiling(world, 1)
    world.play()
    assert world.audit().findings == ()
    assert PrivacyLoss(5, 0) == world.budget(2).spent  # type: ignore[arg-type]

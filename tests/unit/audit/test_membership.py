"""Members, deadlines, turns and bounds: each broken on a chain that let it pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fednet.audit import AuditReport, Severity
from fednet.domain import events as ev
from fednet.domain.ledger import Role, Standing
from tests.unit.audit.books import RESEARCHER
from tests.unit.audit.world import World


def held(report: AuditReport) -> list[tuple[str, int, int | None]]:
    return [
        (each.code, each.check, each.accused)
        for each in report.findings
        if each.severity is not Severity.NOTICE
    ]


def change(world: World, kind: type[ev.RunEvent], **fields: Any) -> None:
    at = next(i for i, event in enumerate(world.logged) if isinstance(event, kind))
    world.logged[at] = replace(world.logged[at], **fields)


@pytest.mark.parametrize("standing", [Standing.SUSPENDED, Standing.REVOKED])
def test_act_of_a_site_that_was_no_member_is_found(world: World, standing: Standing) -> None:
    world.emit(ev.SiteStandingChanged, site=2, operator=RESEARCHER, standing=standing)
    world.submit(2)
    world.emit(ev.SiteStandingChanged, site=2, operator=RESEARCHER, standing=Standing.ACTIVE)
    world.submit(1)
    world.submit(3)
    world.close()
    world.propose()
    world.attest(1, 2, 3)
    world.finalize()
    report = world.audit()
    assert held(report) == [("unauthorised", 19, None)]
    assert report.findings[0].subject == "submission to round 1 of site 2"
    assert standing.name.lower() in report.findings[0].actual


def test_proposal_without_the_role_is_found(world: World) -> None:
    world.collect()
    account = world.site(2).account  # type: ignore[arg-type]
    world.emit(ev.AccountRolesChanged, account=account, site=2, roles=Role.SITE)
    world.propose(by=2)
    world.emit(ev.AccountRolesChanged, account=account, site=2, roles=Role.SITE | Role.AGGREGATOR)
    world.attest(1, 2, 3)
    world.finalize()
    assert held(world.audit()) == [("unauthorised", 19, None)]


def test_revocation_after_an_act_does_not_touch_it(world: World) -> None:
    world.collect()
    world.propose(by=1)
    world.attest(1, 2, 3)
    world.finalize()
    suspended = Standing.SUSPENDED
    world.emit(ev.SiteStandingChanged, site=2, operator=RESEARCHER, standing=suspended)
    site = world.site
    world.site = lambda number: (  # type: ignore[method-assign]
        replace(site(number), standing=suspended) if number == 2 else site(number)
    )
    assert world.audit().findings == ()


def test_register_that_holds_what_no_event_says_is_found(world: World) -> None:
    world.play(2)
    site = world.site
    world.site = lambda number: (  # type: ignore[method-assign]
        replace(site(number), account=RESEARCHER) if number == 3 else site(number)
    )
    report = world.audit()
    assert held(report) == [("register-differs", 19, None)]
    assert report.findings[0].subject == "site 3"


def late(world: World) -> None:
    for site in (1, 2, 3):
        world.submit(site)
    submitted = [event for event in world.logged if isinstance(event, ev.UpdateSubmitted)]
    world.times[submitted[0].log.block] += 10**6
    world.close()


def test_late_submission_accuses_no_site(world: World) -> None:
    late(world)
    world.propose()
    world.attest(1, 2, 3)
    world.finalize()
    report = world.audit()
    assert held(report) == [("late", 20, None)]
    assert report.findings[0].subject == "submission of site 1 in round 1, attempt 1"
    assert "operator" in report.findings[0].duty


def test_late_vote_is_found_unless_the_round_was_final(world: World) -> None:
    world.collect()
    world.propose()
    world.attest(1)
    world.now += 10**5
    world.attest(2)
    world.attest(3)
    world.now += 10**5
    world.finalize()
    report = world.audit()
    assert held(report) == [("late", 20, None)]
    assert report.findings[0].subject == "vote of site 2 in round 1, attempt 1"


@pytest.mark.parametrize(
    "make",
    [
        lambda world: change(world, ev.AttemptStarted, deadline=world.now + 10**6),
        lambda world: change(world, ev.RoundProposed, deadline=world.now + 10**6),
        lambda world: change(world, ev.SubmissionsClosed, deadline=world.now + 10**6),
    ],
    ids=["collecting", "attesting", "proposing"],
)
def test_deadline_that_is_not_the_plans_is_found(
    world: World, make: Callable[[World], None]
) -> None:
    world.collect()
    world.propose()
    make(world)
    world.attest(1, 2, 3)
    world.finalize()
    assert held(world.audit())[0] == ("deadline-differs", 20, None)


def test_proposal_out_of_turn_is_found(world: World) -> None:
    world.collect()
    world.open_until -= 10**4  # the world then proposes at once
    world.propose(by=2)
    world.attest(1, 2, 3)
    world.finalize()
    report = world.audit()
    assert held(report) == [("turn-of-another", 21, None)]


def test_proposal_in_turn_may_come_at_once(world: World) -> None:
    world.collect()
    world.open_until -= 10**4
    world.propose(by=1)
    world.attest(1, 2, 3)
    world.finalize()
    assert world.audit().findings == ()


def test_more_rounds_than_the_plan_says_are_found(world: World) -> None:
    world.play(2)
    world.begin(3)
    codes = held(world.audit())
    assert ("plan-deviation", 22, None) in codes

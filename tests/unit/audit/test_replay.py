"""The audit of a run in which everybody is honest, and of one whose evidence is gone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fednet.audit import CHECKS, Severity
from fednet.blobs.pieces import scan
from fednet.domain import events as ev
from tests.unit.audit.world import FORGED, World


def codes(world: World) -> list[str]:
    return [finding.code for finding in world.audit().findings]


def test_audit_of_an_honest_run_finds_nothing(world: World) -> None:
    world.play(2)
    world.claim(1, 334, 334, 2)
    report = world.audit()
    assert report.findings == ()
    assert report.exit_code == 0
    assert [(entry.round, entry.verdict) for entry in report.rounds] == [
        (1, "verified"),
        (2, "verified"),
    ]
    assert [(site.site, site.verdict, site.earned) for site in report.rounds[0].sites] == [
        (1, "included", 167),
        (2, "included", 333),
        (3, "included", 500),
    ]


def test_audit_leaves_nothing_behind_and_the_store_alone(world: World) -> None:
    world.play(2)
    world.audit()
    before = sorted(world.folder.rglob("*"))
    assert world.audit().verified
    assert sorted(world.folder.rglob("*")) == before


def test_audit_reports_its_progress(world: World) -> None:
    world.play(1)
    report = world.audit().to_json()
    assert json.loads(json.dumps(report)) == report
    assert report["format"] == "fednet-audit/3"


def test_audit_of_a_running_run_checks_the_final_rounds(world: World) -> None:
    world.play(1)
    world.submit(1)
    report = world.audit()
    assert report.verified
    assert [entry.verdict for entry in report.rounds] == ["verified", "open"]


def test_audit_that_saw_no_final_round_does_not_pass(world: World) -> None:
    report = world.audit()
    assert [finding.code for finding in report.findings] == ["nothing-to-verify"]
    assert report.exit_code == 1


def test_audit_recomputes_failed_attempts_and_later_ones(world: World) -> None:
    world.collect()
    world.begin(1, attempt=2)
    world.play(2)
    report = world.audit()
    assert report.verified
    assert report.rounds[0].attempt == 2


def test_missing_update_is_called_missing_and_later_rounds_go_on(world: World) -> None:
    world.play(2)
    lost = world.updates[(1, 1, 3)]  # type: ignore[index]
    world.store._objects.pop(world.store.locate(lost))
    report = world.audit()
    found = [(f.code, f.severity, f.subject, f.accused) for f in report.findings]
    assert found == [
        ("blob-missing", Severity.MISSING, "update of site 3 in round 1", None),
        ("round-unverifiable", Severity.MISSING, "round 1", None),
    ]
    assert report.findings[0].duty.startswith("site 3")
    assert [entry.verdict for entry in report.rounds] == ["unverifiable", "verified"]
    assert report.exit_code == 1


def test_altered_update_is_called_altered_and_convicts_nobody(world: World) -> None:
    world.play(2)
    path = world.updates[(2, 1, 1)]  # type: ignore[index]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    world.store.put_object(scan(path)[0].pieces[0].locator, bytes(data))
    report = world.audit()
    assert report.findings[0].code == "blob-altered"
    assert report.findings[0].subject == "update of site 1 in round 2"
    assert report.accused == ()
    assert report.exit_code == 1


@pytest.mark.parametrize(("name", "subject"), [("plan", "plan of run 1"), ("initial", "initial")])
def test_audit_without_plan_or_initial_model_says_so(world: World, name: str, subject: str) -> None:
    world.play(2)
    world.store._objects.pop(world.store.locate(world.folder / name))
    report = world.audit()
    assert report.findings[0].code == "blob-missing"
    assert report.findings[0].subject.startswith(subject)
    assert report.exit_code == 1


def test_missing_record_is_reported_though_the_round_verifies(world: World) -> None:
    world.play(2)
    world.store._objects.pop(world.store.locate(world.folder / "record-1-1-1"))
    report = world.audit()
    assert [(f.code, f.round) for f in report.findings] == [("blob-missing", 1)]
    assert [entry.verdict for entry in report.rounds] == ["verified", "verified"]


def test_announced_locators_are_tried(world: World) -> None:
    world.play(2)
    submitted = next(e for e in world.logged if isinstance(e, ev.UpdateSubmitted))
    at = world.logged.index(submitted)
    world.logged[at] = replace(submitted, locator=FORGED)  # type: ignore[arg-type]
    assert "blob-missing" in codes(world)
    world.emit(
        ev.LocatorAnnounced,
        commitment=submitted.commitment,
        site=2,
        locator=submitted.locator,
    )
    assert codes(world) == []


def test_event_that_is_hidden_breaks_the_running_hash(world: World) -> None:
    world.play(2)
    whole = world.running_hash(1)  # type: ignore[arg-type]
    world.logged = [e for e in world.logged if not isinstance(e, ev.RoundAttested) or e.site != 3]
    world.running_hash = lambda run: whole  # type: ignore[method-assign]
    report = world.audit()
    assert [(f.code, f.check) for f in report.findings] == [("log-incomplete", 2)]


def test_settlement_that_was_swapped_is_found(world: World) -> None:
    world.play(2)
    world.settlements[1] = FORGED  # type: ignore[index]
    assert [(f.code, f.round) for f in world.audit().findings] == [("settlement-differs", 1)]


def test_parameters_other_than_the_plans_are_found(world: World) -> None:
    world.play(2)
    other = replace(world.plan.parameters(), attest_seconds=1)
    world.parameters = lambda run: other  # type: ignore[method-assign]
    assert codes(world) == ["plan-differs"]


def test_module_other_than_the_plans_is_found(world: World) -> None:
    world.play(2)
    held = world.deployment.modules
    swapped = replace(held, plain=held.batched, batched=held.plain)
    world.deployment = replace(world.deployment, modules=swapped)
    assert codes(world) == ["plan-differs"]


def test_module_that_draws_other_than_the_plan_says_is_found(world: World) -> None:
    world.play(2)
    world.drawn_sites = lambda run: 5  # type: ignore[method-assign]
    assert codes(world) == ["plan-differs"]


def test_module_that_nobody_approved_is_found(world: World) -> None:
    world.play(2)
    world.events_seen = [e for e in world.events_seen if not isinstance(e, ev.ModuleApproved)]
    assert codes(world) == ["module-not-approved"]


@pytest.mark.parametrize(
    ("kind", "change", "code"),
    [
        (ev.AccessRequested, {"researcher": "0x" + "77" * 20}, "consent-differs"),
        (ev.AccessRequested, {"dataset": 2}, "consent-differs"),
        (ev.AccessGranted, {"expiry": 5}, "consent-differs"),
        (ev.DatasetRegistered, {"examples": 7}, "consent-differs"),
        (ev.AccessGranted, {"grant": 99}, "consent-without-grant"),
    ],
)
def test_consent_that_its_grant_does_not_carry_is_found(
    world: World, kind: type[ev.LedgerEvent], change: dict[str, object], code: str
) -> None:
    world.play(2)
    at = next(i for i, e in enumerate(world.events_seen) if isinstance(e, kind))
    world.events_seen[at] = replace(world.events_seen[at], **change)  # type: ignore[arg-type]
    assert codes(world) == [code]


@pytest.mark.parametrize(
    ("amount", "claimed", "expected", "accused"),
    [
        (168, 168, ["claim-exceeds-earned"], (1,)),
        (100, 167, ["claim-differs", "claims-differ", "balance-differs"], ()),
    ],
)
def test_claim_beyond_what_was_earned_is_found(
    world: World, amount: int, claimed: int, expected: list[str], accused: tuple[int, ...]
) -> None:
    world.play(2)
    world.claim(1, amount, claimed, 1)
    report = world.audit()
    assert [finding.code for finding in report.findings] == expected
    assert report.accused == accused


def test_transfer_is_found_where_the_plan_forbids_it(world: World) -> None:
    world.play(2)
    world.claim(1, 167, 167, 1)
    transfer = {"run": 1, "from_site": 1, "to_site": 2, "amount": 5}
    world.emit(ev.CreditsTransferred, **transfer)
    assert "transfer-unlawful" in codes(world)


def test_checks_are_numbered_from_one_without_a_gap() -> None:
    assert [check.number for check in CHECKS] == list(range(1, len(CHECKS) + 1))
    assert all(check.title and check.proves.endswith(".") for check in CHECKS)

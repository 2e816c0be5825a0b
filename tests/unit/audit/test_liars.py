"""One lie each; the audit names who told it, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fednet.audit import AuditReport, Severity
from fednet.domain import events as ev
from fednet.domain.identity import Commitment, Locator, RoundNumber, SiteId
from fednet.domain.record import CreditEntry, RoundRecord
from tests.unit.audit.world import FORGED, World

PROPOSER = SiteId(2)


def said(report: AuditReport) -> list[tuple[str, int | None]]:
    """List what is held against whom, notices aside."""
    return [(f.code, f.accused) for f in report.findings if f.severity is not Severity.NOTICE]


def settle_lie(world: World, lie: Callable[[RoundRecord], RoundRecord]) -> AuditReport:
    """Make a lie final with the help of site 2 alone, then play an honest round."""
    world.collect()
    world.propose(by=2, lie=lie)
    world.attest(2, 1)
    world.finalize()
    return world.audit()


def one_bit_more(record: RoundRecord) -> RoundRecord:
    first, *rest = record.updates
    changed = first.model_copy(update={"weight": first.weight ^ 1})
    return record.model_copy(update={"updates": (changed, *rest)})


def without_ground(record: RoundRecord) -> RoundRecord:
    *rest, last = record.updates
    changed = last.model_copy(update={"verdict": "invalid", "reason": "norm-exceeded"})
    return record.model_copy(update={"updates": (*rest, changed)})


def left_out(record: RoundRecord) -> RoundRecord:
    return record.model_copy(update={"updates": record.updates[:2]})


def other_bytes(record: RoundRecord) -> RoundRecord:
    first, *rest = record.updates
    changed = first.model_copy(update={"commitment": str(FORGED)})
    return record.model_copy(update={"updates": (changed, *rest)})


def more_for_me(record: RoundRecord) -> RoundRecord:
    entries = tuple(
        CreditEntry(site=entry.site, earned=entry.earned + {1: -1, 2: 1}.get(entry.site, 0))
        for entry in record.credits
    )
    return record.model_copy(update={"credits": entries})


def other_history(record: RoundRecord) -> RoundRecord:
    return record.model_copy(update={"previous_record": str(FORGED)})


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (one_bit_more, "weight-changed"),
        (without_ground, "excluded-without-ground"),
        (left_out, "submission-left-out"),
        (other_bytes, "commitment-changed"),
        (more_for_me, "credits-differ"),
        (other_history, "record-differs"),
    ],
)
def test_proposer_of_a_wrong_record_and_its_attestors_are_named(
    world: World, lie: Callable[[RoundRecord], RoundRecord], code: str
) -> None:
    report = settle_lie(world, lie)
    assert said(report) == [(code, 2), ("attestation-false", 2), ("attestation-false", 1)]
    assert report.accused == (1, 2)
    assert report.rounds[0].verdict == "wrong"


def test_round_after_a_wrong_one_is_still_verified(world: World) -> None:
    settle_lie(world, one_bit_more)
    world.play(1)
    report = world.audit()
    assert [entry.verdict for entry in report.rounds] == ["wrong", "verified"]


def test_proposer_of_another_aggregate_is_named(world: World) -> None:
    report = settle_lie(world, lambda record: record.model_copy(update={"state": str(FORGED)}))
    assert ("aggregate-differs", 2) in said(report)
    assert ("blob-altered", None) in said(report)


def test_proposer_of_a_record_that_nobody_can_read_is_named(world: World) -> None:
    world.collect()
    world.propose(by=2, record=FORGED)
    world.attest(1, 2)
    report = world.audit()
    assert ("record-differs", 2) in said(report)


@pytest.mark.parametrize(
    "told",
    [
        {"state": FORGED},
        {"credits_root": FORGED},
        {"credits_total": 999},
        {"inclusion": bytes([0b1000])},
    ],
)
def test_proposer_who_tells_the_contract_otherwise_is_named(
    world: World, told: dict[str, object]
) -> None:
    world.collect()
    world.propose(by=2, **told)
    world.attest(1)
    report = world.audit()
    assert report.accused == (1, 2)
    assert ("attestation-false", 1) in said(report)


@pytest.mark.parametrize(
    "inclusion",
    [bytes([0b01]), bytes([0b10000000]), bytes([0, 2]), bytes([2, 0])],
    ids=["unused code", "no such position", "beyond the roster", "trailing zero"],
)
def test_proposer_whose_bitmap_does_not_fit_is_named(world: World, inclusion: bytes) -> None:
    world.collect()
    world.propose(by=2, inclusion=inclusion)
    assert ("inclusion-malformed", 2) in said(world.audit())


def test_proposer_who_judges_what_was_never_submitted_is_named(world: World) -> None:
    world.submit(1)
    world.submit(2)
    world.close()
    world.propose(by=2, inclusion=bytes([0b100000]))
    assert ("inclusion-malformed", 2) in said(world.audit())


def test_proposer_who_combines_too_few_is_named(world: World) -> None:
    world.collect()
    world.propose(by=2, inclusion=bytes([0b111100]))
    assert ("proposal-impossible", 2) in said(world.audit())


def test_attestor_who_echoes_another_is_named(world: World) -> None:
    world.collect()
    world.propose()
    world.attest(1, 2)
    assert world.proposed is not None
    world.attest(3, witness=world.proposed.witness(SiteId(1)))
    world.finalize()
    assert said(world.audit()) == [("attestation-echoed", 3)]


def test_attestor_who_makes_up_a_witness_is_named(world: World) -> None:
    world.collect()
    world.propose()
    world.attest(1, 2)
    world.attest(3, witness=FORGED)
    world.finalize()
    assert said(world.audit()) == [("attestation-unfounded", 3)]


def test_objector_who_only_disturbs_is_named(world: World) -> None:
    world.collect()
    world.propose()
    world.object_to(3, Commitment(FORGED))
    world.attest(1, 2)
    world.finalize()
    assert said(world.audit()) == [("objection-unfounded", 3)]


def test_objector_to_a_wrong_record_is_not_named(world: World) -> None:
    world.collect()
    right = world.recomputed(2).commitment
    world.propose(lie=one_bit_more)
    world.object_to(1, right)
    world.object_to(3, right)
    world.end_proposal()
    world.propose(by=3, number=2)
    world.attest(1, 3)
    world.finalize()
    report = world.audit()
    assert said(report) == [("weight-changed", 2)]
    assert report.rounds[0].verdict == "verified"


def test_objector_who_held_what_was_called_unavailable_is_not_named(world: World) -> None:
    world.collect()
    whole = world.recomputed(2).commitment
    world.propose(by=2, without=[1])
    world.object_to(1, whole)
    world.attest(2, 3)
    world.finalize()
    report = world.audit()
    assert said(report) == []
    assert [f.code for f in report.findings] == [
        "update-unavailable",
        "objection-over-availability",
    ]
    assert report.verified
    assert next(site.verdict for site in report.rounds[0].sites) == "unavailable"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"fill": 1e6}, "norm-exceeded"),
        ({"fill": float("nan")}, "not-finite"),
        ({"round": RoundNumber(2)}, "wrong-place"),
        ({"data": b"\x80\x04pickled"}, "malformed"),
    ],
)
def test_update_that_fails_the_intake_costs_only_its_site(
    world: World, fields: dict[str, object], reason: str
) -> None:
    if "round" in fields:
        fields = {"place": replace(world.place, round=RoundNumber(2))}
    world.submit(1, **fields)  # type: ignore[arg-type]
    world.submit(2)
    world.submit(3)
    world.close()
    world.propose()
    world.attest(1, 2, 3)
    world.finalize()
    report = world.audit()
    assert report.verified
    named = [("update-replayed", SiteId(1))] if reason == "wrong-place" else []
    assert [(each.code, each.accused) for each in report.findings] == named
    first, *others = report.rounds[0].sites
    assert (first.verdict, first.reason, first.earned) == ("invalid", reason, 0)
    assert [site.verdict for site in others] == ["included", "included"]


@pytest.mark.parametrize("copier", [1, 3])
def test_copied_update_earns_nothing_whoever_was_first(world: World, copier: int) -> None:
    order = [copier, 2] if copier == 1 else [2, copier]
    world.submit(2)
    data = world.updates[(RoundNumber(1), 1, SiteId(2))].read_bytes()
    world.logged.pop()
    for site in order:
        if site == 2:
            world.submit(2)
        else:
            world.submit(site, data=data, weight=20)
    world.submit(4 - copier)
    world.close()
    world.propose()
    world.attest(1, 2, 3)
    world.finalize()
    report = world.audit()
    assert report.verified
    assert [(each.code, each.accused) for each in report.findings] == [("update-copied", copier)]
    sites = {entry.site: entry for entry in report.rounds[0].sites}
    assert (sites[SiteId(copier)].verdict, sites[SiteId(copier)].reason) == ("invalid", "copied")
    assert sites[SiteId(2)].verdict == "included"


@pytest.mark.parametrize("copier", [1, 3])
def test_copier_who_names_another_place_hides_nobodys_update(world: World, copier: int) -> None:
    for site in (1, 2, 3) if copier == 1 else (2, 3, 1):
        world.submit(site, data=copied(world) if site == copier else None, weight=20)
    world.logged[:] = [mislaid(event, SiteId(copier)) for event in world.logged]
    world.close()
    world.propose()
    world.attest(1, 2, 3)
    world.finalize()
    report = world.audit()
    assert report.verified
    assert [(each.code, each.accused) for each in report.findings] == [("update-copied", copier)]
    assert report.rounds[0].sites[1].verdict == "included"


def copied(world: World) -> bytes:
    """Give the bytes that site 2 submits."""
    world.submit(2, weight=20)
    world.logged.pop()
    return world.updates[(RoundNumber(1), 1, SiteId(2))].read_bytes()


def mislaid(event: ev.LedgerEvent, site: SiteId) -> ev.LedgerEvent:
    """Say of a site's submission that it is where nothing is."""
    if isinstance(event, ev.UpdateSubmitted) and event.site == site:
        return replace(event, locator=Locator(b"\x01" * 32))
    return event


def test_submission_beyond_its_bound_is_named(world: World) -> None:
    world.submit(1, weight=1001)
    world.submit(2)
    world.submit(3)
    world.close()
    world.propose()
    world.attest(1, 2, 3)
    world.finalize()
    assert said(world.audit()) == [("submission-unlawful", 1)]


def test_round_without_quorum_is_found(world: World) -> None:
    world.collect()
    world.propose()
    world.attest(1)
    world.finalize()
    assert said(world.audit()) == [("quorum-missing", None)]

"""Checkpoints beside the chain: those that hold, contradict, are forged, or are not there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account

from fednet.audit import AuditReport, Severity
from fednet.domain import events as ev
from fednet.domain.checkpoint import COMMITMENT_MARK, SignedCheckpoint
from fednet.domain.identity import Address, Commitment, RoundNumber, SiteId
from tests.unit.audit.books import account_of
from tests.unit.audit.world import FORGED, World


def codes(report: AuditReport) -> list[str]:
    return [each.code for each in report.findings]


def test_run_without_checkpoint_is_unanchored_and_holds(world: World) -> None:
    world.play(2)
    report = world.audit([])
    assert codes(report) == ["unanchored"]
    assert not report.anchored
    assert report.verified


def test_checkpoint_of_the_past_anchors_what_was_there(world: World) -> None:
    world.play(1)
    early = world.checkpoint(2)
    world.play(1)
    report = world.audit([early])
    assert codes(report) == ["unanchored"]
    assert "rounds from 2 on" in report.findings[0].message
    assert [(each.site, each.block) for each in report.anchors] == [(2, early.statement.block)]
    assert world.audit([early, world.checkpoint(3)]).anchored


def test_history_that_was_rewritten_is_found(world: World) -> None:
    world.play(2)
    kept = world.checkpoint(3)
    world.fork = "another history"
    report = world.audit([kept])
    assert codes(report) == ["history-rewritten", "unanchored"]
    [finding, _] = report.findings
    assert finding.severity is Severity.VIOLATION
    assert finding.accused is None
    assert "operator" in finding.duty
    signed = SignedCheckpoint.from_bytes(finding.evidence.encode(), "evidence")
    assert signed == kept
    assert report.exit_code == 1
    assert not report.anchored


def test_chain_that_ends_before_a_checkpoint_was_rolled_back(world: World) -> None:
    world.play(2)
    beyond = world.checkpoint(1, block=world.block + 5)
    assert codes(world.audit([beyond])) == ["history-rewritten", "unanchored"]


def test_recording_does_not_contradict_what_came_after_it(world: World) -> None:
    world.play(2)
    world.is_recorded = True
    report = world.audit([world.checkpoint(1, block=world.block + 5)])
    assert codes(report) == ["checkpoint-not-compared", "unanchored"]
    assert report.verified


@pytest.mark.parametrize("said", [{"record": FORGED}, {"round": RoundNumber(1)}])
def test_record_other_than_was_signed_is_found(world: World, said: dict[str, object]) -> None:
    world.play(2)
    report = world.audit([world.checkpoint(1, **said)])
    assert codes(report) == ["history-rewritten", "unanchored"]
    assert report.accused == ()


def test_forged_and_foreign_checkpoints_weigh_nothing(world: World) -> None:
    world.play(2)
    stranger = Account.create()
    lie = world.checkpoint(1, block_hash=FORGED)
    report = world.audit(
        [
            replace(lie, account=Address(account_of(2).address)),
            replace(lie, signature=bytes(65)),
            world.checkpoint(1, stranger, block_hash=FORGED),
            world.checkpoint(1, chain_id=1, block_hash=FORGED),
            world.checkpoint(2),
        ]
    )
    assert sorted(codes(report)) == [
        "checkpoint-foreign",
        "checkpoint-forged",
        "checkpoint-forged",
        "checkpoint-of-stranger",
    ]
    assert report.verified
    assert report.anchored
    assert report.accused == ()


def test_member_cannot_sign_for_another(world: World) -> None:
    world.play(2)
    report = world.audit([world.checkpoint(1, account_of(2), block_hash=FORGED)])
    assert codes(report) == ["checkpoint-of-stranger", "unanchored"]


def test_account_that_the_auditor_trusts_counts(world: World) -> None:
    world.play(2)
    auditor = Account.create()
    own = world.checkpoint(0, auditor)
    assert world.audit([own], trusted=[Address(auditor.address)]).anchored
    assert not world.audit([own]).anchored


def test_lie_of_one_member_accuses_nobody_and_tells_how_many_agree(world: World) -> None:
    world.play(2)
    lie = world.checkpoint(1, block_hash=FORGED)
    report = world.audit([lie, world.checkpoint(2), world.checkpoint(3)])
    assert codes(report) == ["history-rewritten"]
    assert "2 accounts agree" in report.findings[0].message
    assert report.accused == ()


def test_announced_checkpoint_is_fetched_and_counts(world: World) -> None:
    world.play(2)
    blob = world.checkpoint(3).to_blob()
    assert blob.commitment.startswith(COMMITMENT_MARK)
    path = world.folder / "checkpoint"
    path.write_bytes(blob.to_bytes())
    locator = world.store.publish(path)
    world.emit(ev.LocatorAnnounced, commitment=blob.commitment, site=3, locator=locator)
    report = world.audit([])
    assert codes(report) == []
    assert report.anchored
    assert [each.site for each in report.anchors] == [SiteId(3)]


def test_announced_rubbish_is_passed_over(world: World) -> None:
    world.play(2)
    path = world.folder / "rubbish"
    number = 0
    while True:
        path.write_bytes(b"rubbish %d" % number)
        commitment = Commitment.of(path.read_bytes())
        if commitment.startswith(COMMITMENT_MARK):
            break
        number += 1
    locator = world.store.publish(path)
    world.emit(ev.LocatorAnnounced, commitment=commitment, site=3, locator=locator)
    assert codes(world.audit([])) == ["unanchored"]


def test_chain_whose_blocks_one_account_makes_is_named(world: World) -> None:
    world.producer = "0x" + "00" * 20
    world.play(2)
    report = world.audit()
    assert codes(report) == ["single-operator"]
    assert report.verified

"""What the ports promise of disclosures, on Anvil and on Ganache."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from fednet.domain import disclosure_events as de
from fednet.domain.disclosures import NO_LOSS, PrivacyLoss, ReleaseStatus
from fednet.domain.identity import (
    CONSORTIUM,
    ZERO_DIGEST,
    DatasetId,
    Digest,
    ReaderId,
    RoundNumber,
    RunId,
)
from fednet.domain.running_hash import running_hash_of
from fednet.errors import LedgerError, RevertedError
from tests import ledger_acts as acts
from tests.ledger_acts import Hospital, World, commitment, locator

CEILING = PrivacyLoss.of(Decimal(3), Decimal("1e-5"))
FIRST, SECOND = RoundNumber(1), RoundNumber(2)
GROUNDS = Digest(commitment("grounds"))


@pytest.fixture
def world(chain_world: World) -> World:
    return chain_world


def decide(run: RunId, hospital: Hospital, decision: ReleaseStatus, attempt: int = 1) -> None:
    hospital.writer.decide_release(
        run, FIRST, attempt, hospital.dataset, decision, commitment("reason")
    )


def refusal_of(act: Callable[[], object]) -> RevertedError:
    with pytest.raises(RevertedError) as caught:
        act()
    assert caught.value.hint
    return caught.value


def test_releases_are_requested_and_decided(world: World) -> None:
    run, (hospital, other, _), _ = acts.started_run(world)
    acts.request_release(run, hospital)
    use = world.reader.dataset_use(run, hospital.dataset)
    assert (use.round, use.attempt, use.status) == (1, 1, ReleaseStatus.REQUESTED)
    decide(run, hospital, ReleaseStatus.REJECTED)
    use = world.reader.dataset_use(run, hospital.dataset)
    assert use.status is ReleaseStatus.REJECTED

    refused = refusal_of(lambda: decide(run, hospital, ReleaseStatus.APPROVED))
    assert refused.error == "ReleaseNotPending"
    assert refused.arguments["actual"] is ReleaseStatus.REJECTED
    assert refusal_of(lambda: decide(run, other, ReleaseStatus.APPROVED)).arguments["round"] == 0
    asked, decided = world.reader.events([de.ReleaseRequested, de.ReleaseDecided])
    assert isinstance(asked, de.ReleaseRequested)
    assert isinstance(decided, de.ReleaseDecided)
    assert (asked.site, asked.request) == (hospital.site, commitment("request"))
    assert (decided.decision, decided.reason) == (ReleaseStatus.REJECTED, commitment("reason"))


def test_budget_is_kept_over_all_runs_of_a_dataset(world: World) -> None:
    run, (hospital, *_), researcher = acts.started_run(world)
    second = acts.open_run(world, researcher)
    acts.consent(world, researcher, second, hospital)
    spend = hospital.writer.spend_budget
    half = PrivacyLoss.of(Decimal("1.5"), Decimal("5e-6"))
    unset = refusal_of(lambda: spend(run, FIRST, hospital.dataset, half))
    assert (unset.error, unset.arguments["epsilon_ceiling"]) == ("BudgetExceeded", 0)

    hospital.writer.set_ceiling(hospital.dataset, CEILING, GROUNDS)
    hospital.writer.set_retention(hospital.dataset, 86_400)
    spend(run, FIRST, hospital.dataset, half)
    spend(second, FIRST, hospital.dataset, half)
    budget = world.reader.budget(hospital.dataset)
    assert (budget.site, budget.ceiling, budget.spent) == (hospital.site, CEILING, CEILING)
    assert budget.retention_seconds == 86_400
    assert world.reader.dataset_use(second, hospital.dataset).spent == half

    more = half + PrivacyLoss(1, 0)
    over = refusal_of(lambda: spend(run, SECOND, hospital.dataset, more))
    assert over.error == "BudgetExceeded"
    assert over.arguments["epsilon_micro"] == CEILING.epsilon_micro + 1
    less = refusal_of(lambda: spend(run, SECOND, hospital.dataset, NO_LOSS))
    assert less.error == "SpendingFell"
    raised = refusal_of(
        lambda: hospital.writer.set_ceiling(hospital.dataset, CEILING + more, ZERO_DIGEST)
    )
    assert raised.error == "CeilingGroundsMissing"
    hospital.writer.set_ceiling(hospital.dataset, half, ZERO_DIGEST)
    assert world.reader.budget(hospital.dataset).ceiling == half
    ceilings = world.reader.events([de.CeilingSet])
    assert [each.ceiling for each in ceilings if isinstance(each, de.CeilingSet)] == [CEILING, half]
    with pytest.raises(LedgerError, match="out of range"):
        spend(run, SECOND, hospital.dataset, PrivacyLoss(1 << 48, 0))


def test_readers_are_admitted_and_dismissed(world: World) -> None:
    run, (hospital, *_), _ = acts.started_run(world)
    letter = commitment("letter"), locator("letter")
    account, key = world.writer("auditor").address, Digest(commitment("key"))
    first = hospital.writer.admit_reader(run, hospital.site, account, key, letter)
    second = world.operator.admit_reader(run, CONSORTIUM, account, key, letter)
    assert (first.created, second.created) == (1, 2)
    hospital.writer.dismiss_reader(ReaderId(1), hospital.site)
    readers = [world.reader.blob_reader(ReaderId(number)) for number in (1, 2)]
    assert [(each.site, each.admitted) for each in readers] == [
        (hospital.site, False), (CONSORTIUM, True),
    ]  # fmt: skip
    assert refusal_of(lambda: hospital.writer.dismiss_reader(ReaderId(2), hospital.site)).error == (
        "ReaderNotOfSite"
    )
    admitted, *_ = world.reader.events([de.ReaderAdmitted])
    assert isinstance(admitted, de.ReaderAdmitted)
    assert (admitted.account, admitted.key) == (account, key)
    assert (admitted.letter, admitted.letter_locator) == letter


def test_erasures_are_of_closed_datasets(world: World) -> None:
    run, (hospital, *_), _ = acts.started_run(world)

    def erase() -> None:
        hospital.writer.record_erasure(
            run, hospital.dataset, 7, commitment("list"), commitment("grounds")
        )

    assert refusal_of(erase).error == "DatasetStillOpen"
    hospital.writer.close_dataset(hospital.dataset)
    erase()
    (erased,) = world.reader.events([de.BlobsErased])
    assert isinstance(erased, de.BlobsErased)
    assert (erased.run, erased.site, erased.dataset, erased.blobs) == (
        run, hospital.site, hospital.dataset, 7,
    )  # fmt: skip
    assert (erased.list, erased.grounds) == (commitment("list"), commitment("grounds"))


def test_records_fold_to_the_running_hash(world: World) -> None:
    run, hospitals, _ = acts.started_run(world)
    empty = world.reader.disclosures()
    assert (empty.running_hash, empty.records) == (ZERO_DIGEST, 0)
    for hospital in hospitals:
        acts.request_release(run, hospital)
        decide(run, hospital, ReleaseStatus.APPROVED)
        hospital.writer.spend_budget(run, FIRST, hospital.dataset, NO_LOSS)
    records, held = world.reader.events(de.DISCLOSURES), world.reader.disclosures()
    assert held.records == len(records) == 9
    assert held.running_hash == running_hash_of(record.log for record in records)


def test_what_was_never_recorded_is_nothing(world: World) -> None:
    budget = world.reader.budget(DatasetId(9))
    assert (budget.site, budget.ceiling, budget.spent) == (0, NO_LOSS, NO_LOSS)
    use = world.reader.dataset_use(RunId(9), DatasetId(9))
    assert (use.status, use.spent) == (ReleaseStatus.NONE, NO_LOSS)
    with pytest.raises(LedgerError) as caught:
        world.reader.blob_reader(ReaderId(9))
    assert caught.value.hint

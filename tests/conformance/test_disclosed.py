"""What a node puts on the ledger of disclosures, in memory and on Anvil: each step once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fednet.domain import disclosure_events as de
from fednet.domain.airlock import AirlockRecord, AirlockStep
from fednet.domain.disclosures import PrivacyLoss, ReleaseStatus
from fednet.domain.identity import (
    ZERO_DIGEST,
    Commitment,
    DatasetId,
    Digest,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.privacy import Expense, NoisySteps
from fednet.errors import BudgetExceededError, LedgerUnavailableError
from fednet.node.disclosing import DisclosedAirlock
from fednet.node.expenses import ExpenseBook
from fednet.node.treasury import Treasurer
from fednet.privacy.accounting import spent_by
from tests import ledger_acts as acts
from tests.chain_fixtures import ChainWorld
from tests.memory_disclosures import MemoryDisclosures
from tests.unit.audit.books import DEPLOYMENT
from tests.unit.privacy.test_forecast import plan

REQUESTED, APPROVED, REJECTED, EXPIRED, RETURNED = AirlockStep


class Deaf:
    """A writer that acts and never hears what came of it."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def __getattr__(self, name: str) -> Callable[..., None]:
        def act(*what: object) -> None:
            getattr(self._writer, name)(*what)
            raise LedgerUnavailableError("no answer", subject="chain")

        return act


@dataclass
class Desk:
    """One site's ledger of disclosures."""

    reader: Any
    writer: Any
    run: RunId
    dataset: DatasetId
    withdraw: Callable[[], object]

    def record(
        self, step: AirlockStep, number: int, attempt: int = 1, **said: str
    ) -> AirlockRecord:
        """Name a step as a gate would; reports and reasons by a word each."""
        report = Commitment.of(said.get("report", f"report {number}.{attempt}").encode())
        answer = said.get("reason")
        reason = Digest(Commitment.of(answer.encode())) if answer else ZERO_DIGEST
        place = (self.run, RoundNumber(number), attempt, self.dataset)
        return AirlockRecord(step, *place, report, reason)

    def tell(self, *records: AirlockRecord) -> None:
        """Record each, as a node does that has just been started."""
        for each in records:
            DisclosedAirlock(self.reader, self.writer).record(each)

    @property
    def said(self) -> list[tuple[str, int, int, bytes]]:
        """What stands on the ledger, in its order."""
        found = self.reader.events(
            [de.ReleaseRequested, de.ReleaseDecided], self.reader.deployment.block
        )
        return [
            ("requested", each.round, each.attempt, each.request)
            if isinstance(each, de.ReleaseRequested)
            else (each.decision.name.lower(), each.round, each.attempt, each.reason)
            for each in found
        ]


@pytest.fixture(params=["memory", "anvil"])
def desk(request: pytest.FixtureRequest) -> Desk:
    if request.param == "memory":
        ledger = MemoryDisclosures(SiteId(1))

        def forget() -> None:
            ledger.consents = False

        return Desk(ledger, ledger, RunId(1), DatasetId(1), forget)
    world: ChainWorld = request.getfixturevalue("anvil_world")
    run, (hospital, *_), _ = acts.started_run(world)
    return Desk(
        world.reader, hospital.writer, run, hospital.dataset,
        lambda: hospital.writer.withdraw(run, hospital.site),
    )  # fmt: skip


def test_every_request_and_decision_stands_once_and_as_commitments_only(desk: Desk) -> None:
    steps = [
        desk.record(REQUESTED, 1),
        desk.record(APPROVED, 1),
        desk.record(REQUESTED, 2),
        desk.record(REJECTED, 2, reason="an answer"),
        desk.record(REQUESTED, 2, 2),
        desk.record(EXPIRED, 2, 2),
    ]
    desk.tell(*steps)
    asked = [Commitment.of(f"report {place}".encode()) for place in ("1.1", "2.1", "2.2")]
    assert desk.said == [
        ("requested", 1, 1, asked[0]),
        ("approved", 1, 1, asked[0]),
        ("requested", 2, 1, asked[1]),
        ("rejected", 2, 1, Commitment.of(b"an answer")),
        ("requested", 2, 2, asked[2]),
        ("expired", 2, 2, asked[2]),
    ]
    # A node whose notes of what it told are lost tells everything again.
    before = desk.said
    desk.tell(*steps)
    assert desk.said == before


def test_what_was_taken_and_not_heard_of_is_sent_no_second_time(desk: Desk) -> None:
    steps = (
        desk.record(REQUESTED, 1),
        desk.record(RETURNED, 1),
        desk.record(REQUESTED, 1, report="2"),
    )
    for step in steps:
        with pytest.raises(LedgerUnavailableError):
            DisclosedAirlock(desk.reader, Deaf(desk.writer)).record(step)
        desk.tell(step)
    assert [each[0] for each in desk.said] == ["requested", "returned", "requested"]


def test_an_attempt_whose_update_was_returned_asks_again(desk: Desk) -> None:
    steps = [
        desk.record(REQUESTED, 1, report="first"),
        desk.record(RETURNED, 1, report="first", reason="mend it"),
        desk.record(REQUESTED, 1, report="second"),
        desk.record(RETURNED, 1, report="second", reason="once more"),
        desk.record(REQUESTED, 1, report="third"),
        desk.record(APPROVED, 1, report="third", reason="good"),
    ]
    for count in range(1, len(steps) + 1):
        desk.tell(*steps[:count])  # each time a node is started, it tells what it told before
    words = ("first", "mend it", "second", "once more", "third", "good")
    assert [each[3] for each in desk.said] == [Commitment.of(word.encode()) for word in words]
    use = desk.reader.dataset_use(desk.run, desk.dataset)
    assert use.status is ReleaseStatus.APPROVED


def test_what_a_later_request_took_the_place_of_is_passed_over(desk: Desk) -> None:
    desk.tell(desk.record(REQUESTED, 2))
    desk.tell(desk.record(REQUESTED, 1), desk.record(APPROVED, 1), desk.record(REJECTED, 2))
    assert [each[:3] for each in desk.said] == [("requested", 2, 1), ("rejected", 2, 1)]


def test_a_site_that_left_before_its_first_record_is_not_held_up_by_it(desk: Desk) -> None:
    desk.withdraw()
    desk.tell(desk.record(REQUESTED, 1), desk.record(EXPIRED, 1))
    assert desk.said == []


def test_the_ledger_hears_once_what_the_accountant_says(desk: Desk, tmp_path: Path) -> None:
    asked, site = plan(), SiteId(1)
    steps = NoisySteps(1_400, 32, Decimal("1.1"), 88)
    ceiling = PrivacyLoss.of(spent_by([steps] * 2, asked.privacy.delta), asked.privacy.delta)
    desk.writer.set_ceiling(desk.dataset, ceiling, Digest(Commitment.of(b"grounds")))

    def expense(number: int) -> Expense:
        return Expense(desk.dataset, desk.run, RoundNumber(number), 1, steps)

    with closing(ExpenseBook(tmp_path, DEPLOYMENT, site)) as book:
        till = Treasurer(site, desk.reader, desk.writer, book)
        deaf: Any = Deaf(desk.writer)
        till.pay(asked, expense(1), RoundNumber(1))
        with pytest.raises(LedgerUnavailableError):
            Treasurer(site, desk.reader, deaf, book).pay(asked, expense(2), RoundNumber(2))
        till.pay(asked, expense(2), RoundNumber(2))
        with pytest.raises(BudgetExceededError):
            till.pay(asked, expense(3), RoundNumber(3))
    said = desk.reader.events([de.BudgetSpent], desk.reader.deployment.block)
    assert [(each.round, each.spent.epsilon) for each in said] == [
        (count, spent_by([steps] * count, asked.privacy.delta)) for count in (1, 2)
    ]
    assert desk.reader.budget(desk.dataset).spent == ceiling

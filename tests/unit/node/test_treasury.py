"""A site's treasurer: refuses first, writes down once, tells the ledger the accountant's figure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fednet.domain.disclosure_events import BudgetSpent
from fednet.domain.disclosures import PrivacyLoss
from fednet.domain.identity import ZERO_DIGEST, DatasetId, Digest, RoundNumber, RunId, SiteId
from fednet.domain.privacy import Expense, NoisySteps
from fednet.errors import (
    BudgetExceededError,
    LedgerUnavailableError,
    PrivacyError,
    SettingsError,
)
from fednet.node.expenses import ExpenseBook, read_expenses
from fednet.node.treasury import Treasurer
from fednet.privacy.accounting import spent_by
from tests.memory_disclosures import MemoryDisclosures
from tests.unit.audit.books import DEPLOYMENT
from tests.unit.node.views import attempt_key
from tests.unit.privacy.test_accounting import opacus_epsilon
from tests.unit.privacy.test_forecast import plan

SITE, DATASET, RUN, OTHER = SiteId(3), DatasetId(4), RunId(1), RunId(2)
STEPS = NoisySteps(1_400, 32, Decimal("1.1"), 88)
PLAN = plan()
GROUNDS = Digest(b"\1" * 32)


def expense(number: int = 1, run: RunId = RUN, attempt: int = 1) -> Expense:
    return Expense(DATASET, run, RoundNumber(number), attempt, STEPS)


def loss(epsilon: str) -> PrivacyLoss:
    return PrivacyLoss.of(Decimal(epsilon), Decimal("0.0001"))


@pytest.fixture
def ledger() -> MemoryDisclosures:
    made = MemoryDisclosures(SITE)
    made.set_ceiling(DATASET, loss("3"), GROUNDS)
    return made


@contextmanager
def treasurer(folder: Path, ledger: Any) -> Iterator[Treasurer]:
    """Begin a node's process; it ends with the block."""
    book = ExpenseBook(folder, DEPLOYMENT, SITE)
    try:
        yield Treasurer(SITE, ledger, ledger, book)
    finally:
        book.close()


def told(ledger: MemoryDisclosures) -> list[tuple[int, int, Decimal, Decimal]]:
    said = (each for each in ledger.log if isinstance(each, BudgetSpent))
    return [(each.run, each.round, each.spent.epsilon, each.spent.delta) for each in said]


def test_the_ledgers_epsilon_is_the_accountants_rounded_up(
    tmp_path: Path, ledger: MemoryDisclosures
) -> None:
    with treasurer(tmp_path, ledger) as till:
        for number in (1, 2, 3):
            till.pay(PLAN, expense(number), RoundNumber(number))
    for count, (run, number, epsilon, delta) in enumerate(told(ledger), 1):
        exact = opacus_epsilon(*[STEPS] * count)
        assert (run, number, delta) == (RUN, count, PLAN.privacy.delta)
        assert 0 <= float(epsilon) - exact < 1.000001e-6
        assert epsilon == spent_by([STEPS] * count, PLAN.privacy.delta)
    assert len(told(ledger)) == 3


def test_a_training_is_paid_for_once_whoever_was_killed_when(
    tmp_path: Path, ledger: MemoryDisclosures
) -> None:
    ledger.loses_answers = True
    with treasurer(tmp_path, ledger) as till, pytest.raises(LedgerUnavailableError):
        till.pay(PLAN, expense(), RoundNumber(1))
    ledger.loses_answers = False
    for _ in range(2):
        with treasurer(tmp_path, ledger) as till:
            till.require_room(PLAN, RUN, attempt_key(), DATASET, 1_400)
            spent = till.pay(PLAN, expense(), RoundNumber(1))
    assert len(told(ledger)) == 1
    statements = read_expenses(tmp_path, DEPLOYMENT, SITE)
    assert statements.said == list(statements.latest()) == [spent]


def test_late_work_that_was_paid_for_is_not_told_again_in_a_later_round(
    tmp_path: Path, ledger: MemoryDisclosures
) -> None:
    with treasurer(tmp_path, ledger) as till:
        till.pay(PLAN, expense(), RoundNumber(1))
        till.pay(PLAN, expense(), RoundNumber(2))
        till.pay(PLAN, expense(2), RoundNumber(3))
    assert [each[1] for each in told(ledger)] == [1, 3]


def test_a_ceiling_that_is_reached_refuses_before_training_and_before_leaving(
    tmp_path: Path, ledger: MemoryDisclosures
) -> None:
    once = spent_by([STEPS], PLAN.privacy.delta)
    ledger.set_ceiling(DATASET, loss(str(once)), ZERO_DIGEST)
    with treasurer(tmp_path, ledger) as till:
        till.require_room(PLAN, RUN, attempt_key(), DATASET, 1_400)
        till.pay(PLAN, expense(), RoundNumber(1))
        for refused in (
            lambda: till.require_room(PLAN, RUN, attempt_key(2), DATASET, 1_400),
            lambda: till.pay(PLAN, expense(2), RoundNumber(2)),
            lambda: till.pay(PLAN, expense(1, OTHER), RoundNumber(1)),
        ):
            with pytest.raises(BudgetExceededError) as caught:
                refused()
            assert caught.value.subject == "dataset 4"
            assert f"fednet privacy ceiling {DATASET}" in caught.value.hint
    assert len(read_expenses(tmp_path, DEPLOYMENT, SITE).said) == len(told(ledger)) == 1


def test_a_ceiling_that_is_lowered_in_between_costs_the_round_and_not_the_node(
    tmp_path: Path, ledger: MemoryDisclosures, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend = ledger.spend_budget

    def spend_late(*what: Any) -> None:
        ledger.set_ceiling(DATASET, PrivacyLoss(1, 1), ZERO_DIGEST)
        spend(*what)

    monkeypatch.setattr(ledger, "spend_budget", spend_late)
    with treasurer(tmp_path, ledger) as till, pytest.raises(BudgetExceededError, match="too much"):
        till.pay(PLAN, expense(), RoundNumber(1))
    assert told(ledger) == []


def test_an_account_that_was_lost_is_noticed_by_what_the_ledger_knows(
    tmp_path: Path, ledger: MemoryDisclosures
) -> None:
    with treasurer(tmp_path / "home", ledger) as till:
        till.pay(PLAN, expense(), RoundNumber(1))
    with treasurer(tmp_path / "elsewhere", ledger) as till:
        for refused in (
            lambda: till.require_room(PLAN, RUN, attempt_key(2), DATASET, 1_400),
            lambda: till.pay(PLAN, expense(2), RoundNumber(2)),
        ):
            with pytest.raises(PrivacyError, match="behind the ledger"):
                refused()


def test_a_damaged_account_is_not_opened_and_a_torn_line_is_forgotten(
    tmp_path: Path, ledger: MemoryDisclosures
) -> None:
    with treasurer(tmp_path, ledger) as till:
        till.pay(PLAN, expense(), RoundNumber(1))
    (path,) = tmp_path.rglob("spent.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"spent":')
    with treasurer(tmp_path, ledger) as till:
        till.pay(PLAN, expense(), RoundNumber(1))
    assert path.read_bytes() == whole
    for damaged in (whole.replace(b'run\\":1', b'run\\":2'), whole + whole):
        assert damaged != whole
        path.write_bytes(damaged)
        with pytest.raises(SettingsError, match="damaged"), treasurer(tmp_path, ledger):
            pass


def test_two_nodes_do_not_share_an_account(tmp_path: Path, ledger: MemoryDisclosures) -> None:
    with treasurer(tmp_path, ledger), pytest.raises(SettingsError, match="another node"):
        ExpenseBook(tmp_path, DEPLOYMENT, SITE)

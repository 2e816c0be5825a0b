"""A node under a plan with noise: updates are paid for, on disk and ledger, before they leave."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fednet.domain.disclosures import PrivacyLoss
from fednet.domain.identity import ZERO_DIGEST, DatasetId, Digest, RoundNumber
from fednet.domain.plan import Plan
from fednet.domain.privacy import noise_of_training
from fednet.domain.sections import (
    PrivacySection,
    StalenessSection,
    TrainingSection,
    UpdateSection,
)
from fednet.errors import BudgetExceededError, LedgerUnavailableError
from fednet.node.expenses import ExpenseBook, read_expenses
from fednet.node.ports import TrainingResult
from fednet.node.treasury import Treasurer
from fednet.privacy.accounting import spent_by
from tests.memory_disclosures import MemoryDisclosures
from tests.unit.audit.books import DEPLOYMENT, RUN
from tests.unit.audit.test_late_updates import Buffered
from tests.unit.audit.world import work_of
from tests.unit.node.airlock_site import (
    APPROVE,
    HUMAN,
    REJECT,
    RETURN,
    SITE,
    Hands,
    Ledger,
    Site,
    keep_time,
)

DATASET = DatasetId(43)
NOISY: dict[str, Any] = {
    "training": TrainingSection(batch_size=5),
    "update": UpdateSection(minimum_examples=5),
    "privacy": PrivacySection(
        mechanism="dp-sgd", clip_norm=Decimal(1), noise_multiplier=Decimal(1),
        epsilon=Decimal(4), delta=Decimal("0.00001"),
    )
}  # fmt: skip
PLENTY = PrivacyLoss.of(Decimal(8), Decimal("0.0001"))


class Private(Ledger):
    """A run whose plan promises an epsilon."""

    sections: ClassVar[dict[str, Any]] = NOISY

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.disclosures = MemoryDisclosures(SITE)
        self.disclosures.set_ceiling(DATASET, PLENTY, Digest(b"\1" * 32))

    def budget(self, dataset: DatasetId) -> Any:
        return self.disclosures.budget(dataset)

    def dataset_use(self, run: Any, dataset: DatasetId) -> Any:
        return self.disclosures.dataset_use(run, dataset)

    def spend_budget(self, *what: Any) -> None:
        if self.is_down:
            raise LedgerUnavailableError("no answer", subject="chain")
        self.disclosures.spend_budget(*what)
        self.order.append("spent")


class LatePrivate(Buffered, Private):
    """The same where late updates are taken."""

    sections: ClassVar[dict[str, Any]] = NOISY | {"staleness": StalenessSection(rounds=2)}


class Trainer(Hands):
    """Add the noise that the plan asks for to training on the registered examples."""

    def train(self, plan: Plan, base: Path, place: Any, site: int, *_: object) -> TrainingResult:
        self.trainings += 1
        noise = noise_of_training(plan.training, plan.privacy, 1_000)
        return TrainingResult(work_of(site, self.trainings), 1_000, steps=2, noise=noise)


class Paying(Site):
    """Site 3 with a treasurer."""

    ledger: Private

    def _open(self) -> None:
        if not isinstance(self.hands, Trainer):
            self.hands = Trainer()
        self.expenses = ExpenseBook(self.folder / "privacy", DEPLOYMENT, SITE)
        ledger: Any = self.ledger
        self.treasurer = Treasurer(SITE, ledger, ledger, self.expenses)
        super()._open()

    def close(self) -> None:
        super().close()
        self.expenses.close()

    @property
    def spent(self) -> Decimal:
        return self.ledger.disclosures.budget(DATASET).spent.epsilon

    @property
    def paid(self) -> list[tuple[int, int]]:
        said = read_expenses(self.folder / "privacy", DEPLOYMENT, SITE).said
        return [(each.expense.round, each.expense.attempt) for each in said]

    def cost(self, trainings: int) -> Decimal:
        plan = self.ledger.plan
        noise = noise_of_training(plan.training, plan.privacy, 1_000)
        return spent_by([noise] * trainings, plan.privacy.delta)


@pytest.fixture(params=[False, True], ids=["runs on", "killed after each step"])
def open_site(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    sites: list[Paying] = []

    def open_site(policy: dict[str, Any]) -> Paying:
        site = Paying(tmp_path, policy, Private, kills=request.param)
        keep_time(site, monkeypatch)
        sites.append(site)
        return site

    yield open_site
    for site in sites:
        site.close()


def test_an_update_is_paid_for_before_anybody_hears_of_it(open_site: Any) -> None:
    site = open_site({})
    site.rest()
    assert site.ledger.order == ["requested", "approved", "spent", "submitted"]
    assert site.spent == site.cost(1)
    assert site.paid == [(1, 1)]
    site.ledger.go_on()  # the attempt failed, and what was spent is spent
    site.rest()
    assert site.spent == site.cost(2)
    assert site.paid == [(1, 1), (1, 2)]


def test_what_the_airlock_keeps_in_costs_nothing(open_site: Any) -> None:
    site = open_site(HUMAN)
    site.rest()
    assert site.spent == 0
    site.answer(REJECT)
    site.rest()
    assert (site.spent, site.paid) == (0, [])


def test_a_returned_update_and_the_one_that_leaves_are_one_expense(open_site: Any) -> None:
    site = open_site(HUMAN)
    site.rest()
    site.answer(RETURN)
    site.rest()
    assert site.hands.trainings == 2
    site.answer(APPROVE)
    site.rest()
    assert site.submitted
    assert (site.spent, site.paid) == (site.cost(1), [(1, 1)])


def test_nothing_leaves_before_the_ledger_knows_what_it_costs(open_site: Any) -> None:
    site = open_site({})
    while site.ledger.order != ["requested", "approved"]:
        site.step()
    site.ledger.is_down = True
    for _ in range(3):
        with pytest.raises(LedgerUnavailableError):
            site.step()
    assert not site.journal.notes(RUN).pledges
    site.ledger.is_down = False
    site.rest()
    assert site.ledger.order == ["requested", "approved", "spent", "submitted"]
    assert site.paid == [(1, 1)]


def test_a_ceiling_that_is_reached_stops_the_next_training_and_says_what_to_do(
    open_site: Any,
) -> None:
    site = open_site({})
    site.rest()
    ledger = site.ledger.disclosures
    ledger.set_ceiling(DATASET, ledger.budget(DATASET).spent, ZERO_DIGEST)
    site.ledger.go_on()
    with pytest.raises(BudgetExceededError) as caught:
        site.rest()
    assert "fednet privacy ceiling 43" in caught.value.hint
    if not site.kills:
        said = site.rest()
        assert "sitting this attempt out: dataset 43" in said
        assert "fednet privacy ceiling 43" in said
    assert (site.hands.trainings, site.paid, site.spent) == (1, [(1, 1)], site.cost(1))
    # Whoever answers for the data raises it, and the next attempt is trained for.
    ledger.set_ceiling(DATASET, PLENTY, Digest(b"\2" * 32))
    site.ledger.now = site.ledger.deadline + 1
    site.ledger.begin(1, 3)
    site.rest()
    assert (site.hands.trainings, site.spent) == (2, site.cost(2))


def test_a_ceiling_that_is_lowered_while_a_person_decides_keeps_the_update_in(
    open_site: Any,
) -> None:
    site = open_site(HUMAN)
    site.rest()
    site.ledger.disclosures.set_ceiling(DATASET, PrivacyLoss(1, 1), ZERO_DIGEST)
    site.answer(APPROVE)
    with pytest.raises(BudgetExceededError):
        site.rest()
    assert (site.submitted, site.paid, site.spent) == (False, [], 0)
    assert not site.journal.notes(RUN).pledges


def test_late_work_is_paid_for_once_whatever_round_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Paying(tmp_path, HUMAN, LatePrivate, kills=False)
    keep_time(site, monkeypatch)
    try:
        site.rest()
        site.answer(APPROVE)  # and the round closes before the node sees it
        fast: Any = site.ledger
        fast.fast()
        site.rest()
        (sent,) = [each for each in site.ledger.submissions() if each.site == SITE]
        assert (sent.round, site.hands.trainings) == (2, 1)
        assert (site.paid, site.spent) == ([(1, 1)], site.cost(1))
        assert site.ledger.disclosures.dataset_use(RUN, DATASET).spent_round == RoundNumber(2)
    finally:
        site.close()

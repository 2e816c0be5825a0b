"""The ledger of disclosures in memory: the contract's rules for one site, and what it says.

Kept in step with the contract by `tests/conformance/test_disclosed.py`, which runs the same
suite over both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from fednet.domain.disclosure_events import (
    BudgetSpent,
    CeilingSet,
    Disclosure,
    ReleaseDecided,
    ReleaseRequested,
)
from fednet.domain.disclosures import (
    NO_LOSS,
    DatasetBudget,
    DatasetUse,
    PrivacyLoss,
    ReleaseStatus,
)
from fednet.domain.events import LedgerEvent, Log
from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    Digest,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.errors import LedgerUnavailableError, RevertedError


class MemoryDisclosures:
    """Reader and writer in one, for a site that consents to every run with every dataset."""

    deployment: Any = SimpleNamespace(block=0)

    def __init__(self, site: SiteId) -> None:
        self.site = site
        self.log: list[Disclosure] = []
        self.uses: dict[tuple[RunId, DatasetId], DatasetUse] = {}
        self.ceilings: dict[DatasetId, PrivacyLoss] = {}
        self.consents = True
        self.loses_answers = False
        """Whether the site never hears that what it sent was taken."""

    def dataset_use(self, run: RunId, dataset: DatasetId) -> DatasetUse:
        nothing = DatasetUse(
            run, dataset, RoundNumber(0), 0, ReleaseStatus.NONE, RoundNumber(0), 0, 0
        )
        return self.uses.get((run, dataset), nothing)

    def budget(self, dataset: DatasetId) -> DatasetBudget:
        uses = (use for (_, of), use in self.uses.items() if of == dataset)
        spent = sum((use.spent for use in uses), NO_LOSS)
        ceiling = self.ceilings.get(dataset, NO_LOSS)
        return DatasetBudget(
            dataset, self.site, ceiling.epsilon_micro, ceiling.delta_pico,
            spent.epsilon_micro, spent.delta_pico, 0,
        )  # fmt: skip

    def events(
        self, kinds: Sequence[type[LedgerEvent]], from_block: int = 0
    ) -> Sequence[LedgerEvent]:
        return [each for each in self.log if type(each) in kinds]

    def request_release(
        self, run: RunId, number: RoundNumber, attempt: int, dataset: DatasetId, request: Commitment
    ) -> None:
        use = self._use(run, dataset)
        place, last = (number, attempt), (use.round, use.attempt)
        again = place == last and use.status is ReleaseStatus.RETURNED
        if place <= last and not again:
            raise RevertedError("asked before", error="ReleaseOutOfOrder")
        self.uses[run, dataset] = replace(
            use, round=number, attempt=attempt, status=ReleaseStatus.REQUESTED
        )
        self._say(ReleaseRequested, run, number, self.site, dataset, attempt, request)

    def decide_release(
        self,
        run: RunId,
        number: RoundNumber,
        attempt: int,
        dataset: DatasetId,
        decision: ReleaseStatus,
        reason: Commitment,
    ) -> None:
        use = self.dataset_use(run, dataset)
        pending = (use.round, use.attempt, use.status)
        if pending != (number, attempt, ReleaseStatus.REQUESTED):
            raise RevertedError("nothing waits", error="ReleaseNotPending")
        self.uses[run, dataset] = replace(use, status=decision)
        self._say(ReleaseDecided, run, number, self.site, dataset, attempt, decision, reason)

    def set_ceiling(self, dataset: DatasetId, ceiling: PrivacyLoss, grounds: Digest) -> None:
        before = self.ceilings.get(dataset, NO_LOSS)
        if grounds.is_zero and not ceiling.is_within(before):
            raise RevertedError("no grounds", error="CeilingGroundsMissing")
        self.ceilings[dataset] = ceiling
        self._say(
            CeilingSet, dataset, self.site, ceiling.epsilon_micro, ceiling.delta_pico, grounds
        )

    def spend_budget(
        self, run: RunId, number: RoundNumber, dataset: DatasetId, spent: PrivacyLoss
    ) -> None:
        use = self._use(run, dataset)
        if number < use.spent_round:
            raise RevertedError("a later round has spent", error="SpendingOutOfOrder")
        if not use.spent.is_within(spent):
            raise RevertedError("less than before", error="SpendingFell")
        total = self.budget(dataset).spent - use.spent + spent
        if not total.is_within(self.ceilings.get(dataset, NO_LOSS)):
            raise RevertedError("too much", error="BudgetExceeded")
        self.uses[run, dataset] = replace(
            use, spent_round=number, epsilon_spent=spent.epsilon_micro, delta_spent=spent.delta_pico
        )
        self._say(
            BudgetSpent, run, number, self.site, dataset, spent.epsilon_micro, spent.delta_pico
        )

    def _use(self, run: RunId, dataset: DatasetId) -> DatasetUse:
        if (run, dataset) not in self.uses and not self.consents:
            raise RevertedError("no consent", error="DatasetNotInRun")
        return self.dataset_use(run, dataset)

    def _say(self, kind: type[Disclosure], *values: Any) -> None:
        log = Log(len(self.log), 0, Digest(bytes(32)), Address("0x"))
        self.log.append(kind(log, *values))
        if self.loses_answers:
            raise LedgerUnavailableError("no answer", subject="chain")

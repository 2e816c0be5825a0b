"""Checks 28 and 29: every record of the ledger of disclosures, and the budgets they keep.

The records of all runs are folded in the order of the chain, as the contract folds
them, because a dataset's budget is one over all its runs. What is reported concerns
the run alone. The contract refuses what is found here, so that a finding speaks of a
chain whose rules were not kept, or of a log that is not the chain's: it accuses no site.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fednet.audit.accusing import PROVIDER_DUTY
from fednet.audit.checks import DISCLOSURES, PRIVACY_BUDGETS, Check
from fednet.audit.findings import CHAIN_DUTY, Findings
from fednet.audit.snapshot import Snapshot
from fednet.domain import disclosure_events as de
from fednet.domain import events as ev
from fednet.domain.disclosures import NO_LOSS, PrivacyLoss, ReleaseStatus
from fednet.domain.identity import DatasetId, ReaderId, RunId, SiteId
from fednet.domain.running_hash import running_hash_of


def check_disclosures(snapshot: Snapshot, findings: Findings) -> None:
    """Fold every record, compare with what the contract holds, and note what it had to refuse."""
    records = snapshot.disclosed()
    for code, message, actual, held in (
        (
            "disclosures-hash-differs",
            "the records do not fold to the stored hash: one is missing, added or altered",
            running_hash_of(record.log for record in records),
            snapshot.disclosures.running_hash,
        ),
        (
            "disclosures-count-differs",
            "the ledger holds another number of records",
            len(records),
            snapshot.disclosures.records,
        ),
    ):
        if actual != held:
            findings.add(
                DISCLOSURES, code, "ledger of disclosures", message,
                duty=PROVIDER_DUTY, expected=held, actual=actual,
            )  # fmt: skip
    book = _Book(snapshot, findings)
    for event in snapshot.events:
        book.take(event)
    for dataset, budget in snapshot.budgets.items():
        expected = book.ceilings.get(dataset, NO_LOSS), book.total(dataset)
        if expected != (budget.ceiling, budget.spent):
            findings.add(
                PRIVACY_BUDGETS,
                "budget-differs",
                f"budget of dataset {dataset}",
                "the ledger holds another ceiling or another spending than the records add up to",
                duty=PROVIDER_DUTY,
                expected="ceiling {}; spent {}".format(*expected),
                actual=f"ceiling {budget.ceiling}; spent {budget.spent}",
            )


@dataclass(slots=True)
class _Book:
    """The records so far, folded as the contract folds them."""

    snapshot: Snapshot
    findings: Findings
    sites: dict[DatasetId, SiteId] = field(default_factory=dict)
    closed: set[DatasetId] = field(default_factory=set)
    requests: dict[tuple[RunId, DatasetId], tuple[int, int, ReleaseStatus]] = field(
        default_factory=dict
    )
    """Round, attempt and standing of the last request of a run for a dataset."""
    ceilings: dict[DatasetId, PrivacyLoss] = field(default_factory=dict)
    spent: dict[DatasetId, dict[RunId, de.BudgetSpent]] = field(default_factory=dict)
    """The last spending of each run."""
    readers: dict[ReaderId, SiteId] = field(default_factory=dict)

    def take(self, event: ev.LedgerEvent) -> None:
        """Fold one more event; others than those of datasets and disclosures change nothing."""
        match event:
            case ev.DatasetRegistered():
                self.sites[event.dataset] = event.site
            case ev.DatasetClosed():
                self.closed.add(event.dataset)
            case de.ReleaseRequested():
                self._owned(event, event.dataset)
                self._requested(event)
            case de.ReleaseDecided():
                self._owned(event, event.dataset)
                self._decided(event)
            case de.CeilingSet():
                self._owned(event, event.dataset)
                self._ceiling(event)
            case de.BudgetSpent():
                self._owned(event, event.dataset)
                self._spent(event)
            case de.RetentionSet():
                self._owned(event, event.dataset)
            case de.ReaderAdmitted():
                self.readers[event.reader] = event.site
            case de.ReaderDismissed():
                if self.readers.pop(event.reader, None) is None:
                    self._note(event, "dismissal-without-admission", "nobody was admitted so")
            case de.BlobsErased():
                self._owned(event, event.dataset)
                if event.dataset not in self.closed:
                    self._note(event, "erased-while-open", "the dataset was not closed")
            case _:
                pass

    def total(self, dataset: DatasetId) -> PrivacyLoss:
        """Add up what all runs have spent of a dataset."""
        losses = (each.spent for each in self.spent.get(dataset, {}).values())
        return sum(losses, NO_LOSS)

    def _owned(self, record: de.Disclosure, dataset: DatasetId) -> None:
        owner = self.sites.get(dataset)
        if owner != record.site:
            self._note(
                record, "record-of-another", "another site holds the dataset",
                expected=f"site {owner}", actual=f"site {record.site}",
            )  # fmt: skip

    def _requested(self, event: de.ReleaseRequested) -> None:
        key, place = (event.run, event.dataset), (int(event.round), event.attempt)
        *before, standing = self.requests.get(key, (0, 0, ReleaseStatus.NONE))
        last = tuple(before)
        again = place == last and standing is ReleaseStatus.RETURNED
        if place <= last and not again:
            self._note(
                event, "request-out-of-order", "this attempt or a later one had its request",
                expected=f"after round {last[0]}, attempt {last[1]}",
                actual=f"round {place[0]}, attempt {place[1]}",
            )  # fmt: skip
        self.requests[key] = (*place, ReleaseStatus.REQUESTED)

    def _decided(self, event: de.ReleaseDecided) -> None:
        key, wanted = (event.run, event.dataset), (int(event.round), event.attempt)
        *place, standing = self.requests.get(key, (0, 0, ReleaseStatus.NONE))
        if tuple(place) != wanted or standing is not ReleaseStatus.REQUESTED:
            self._note(
                event, "decision-without-request", "no request waited for this decision",
                expected=f"a request for round {wanted[0]}, attempt {wanted[1]}",
                actual=f"round {place[0]}, attempt {place[1]}: {standing.name.lower()}",
            )  # fmt: skip
        self.requests[key] = (*wanted, event.decision)

    def _ceiling(self, event: de.CeilingSet) -> None:
        before = self.ceilings.get(event.dataset, NO_LOSS)
        if event.grounds.is_zero and not event.ceiling.is_within(before):
            self._note(
                event, "ceiling-raised-without-grounds", "a ceiling rose and nobody said why",
                expected=f"at most {before}", actual=event.ceiling, check=PRIVACY_BUDGETS,
            )  # fmt: skip
        self.ceilings[event.dataset] = event.ceiling

    def _spent(self, event: de.BudgetSpent) -> None:
        spent = self.spent.setdefault(event.dataset, {})
        last = spent.get(event.run)
        if last is not None and (event.round < last.round or not last.spent.is_within(event.spent)):
            self._note(
                event, "spending-fell", "what was spent cannot be taken back",
                expected=f"at least {last.spent}, by round {last.round}", actual=event.spent,
                check=PRIVACY_BUDGETS,
            )  # fmt: skip
        spent[event.run] = event
        ceiling, total = self.ceilings.get(event.dataset, NO_LOSS), self.total(event.dataset)
        if not total.is_within(ceiling):
            self._note(
                event, "budget-exceeded", "all runs together spent more than the ceiling then",
                expected=f"at most {ceiling}", actual=total, check=PRIVACY_BUDGETS,
            )  # fmt: skip

    def _note(
        self,
        record: de.Disclosure,
        code: str,
        message: str,
        *,
        expected: object = "",
        actual: object = "",
        check: Check = DISCLOSURES,
    ) -> None:
        if not self.snapshot.concerns(record):
            return
        name, of_run = type(record).__name__, getattr(record, "run", None)
        self.findings.add(
            check,
            code,
            f"{name} of site {record.site}, log {record.log.index} of block {record.log.block}",
            message,
            round_number=getattr(record, "round", None) if of_run == self.snapshot.run_id else None,
            duty=CHAIN_DUTY,
            expected=expected,
            actual=actual,
        )

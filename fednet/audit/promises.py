"""Check 29, too: no site spent more of a dataset's privacy than the run's plan promises.

What a site says it spent is its own signed act, so that what is beyond the promise
accuses it. A site that never says so before it submits is noticed and not accused:
whether its node counted, no ledger tells.
"""

from __future__ import annotations

from collections.abc import Iterator

from fednet.audit.checks import PRIVACY_BUDGETS
from fednet.audit.findings import Findings, Severity
from fednet.audit.noisy_sums import check_sums
from fednet.audit.snapshot import Snapshot
from fednet.domain import disclosure_events as de
from fednet.domain import events as ev
from fednet.domain.batches import unfold
from fednet.domain.disclosures import PrivacyLoss
from fednet.domain.identity import SiteId
from fednet.domain.plan import Plan


def check_promises(snapshot: Snapshot, plan: Plan, findings: Findings) -> None:
    """Hold what was spent in the run against the plan's epsilon and delta."""
    if plan.privacy.mechanism == "none":
        return
    promise = PrivacyLoss.of(plan.privacy.epsilon, plan.privacy.delta)
    first: dict[SiteId, ev.Log] = {}
    for said in _spendings(snapshot):
        first.setdefault(said.site, said.log)
        if not said.spent.is_within(promise):
            findings.add(
                PRIVACY_BUDGETS,
                "spent-beyond-promise",
                f"spending of site {said.site}, log {said.log.index} of block {said.log.block}",
                "the site spent more of a dataset's privacy than the plan promises",
                round_number=said.round,
                accused=said.site,
                expected=f"at most {promise}",
                actual=said.spent,
            )
    if plan.privacy.hides_sites:
        check_sums(snapshot, plan, list(_spendings(snapshot)), findings)
    noticed: set[SiteId] = set()
    for submission in unfold(snapshot.run_events):
        if not isinstance(submission, ev.UpdateSubmitted) or submission.site in noticed:
            continue
        known = first.get(submission.site)
        if known is None or submission.log < known:
            noticed.add(submission.site)
            findings.add(
                PRIVACY_BUDGETS,
                "spending-unrecorded",
                f"update of site {submission.site} in round {submission.round},"
                f" attempt {submission.attempt}",
                "the plan promises an epsilon, and the site had recorded no spending by then",
                severity=Severity.NOTICE,
                round_number=submission.round,
                expected="a spending on record before the update",
            )


def _spendings(snapshot: Snapshot) -> Iterator[de.BudgetSpent]:
    for record in snapshot.disclosed():
        if isinstance(record, de.BudgetSpent) and record.run == snapshot.run_id:
            yield record

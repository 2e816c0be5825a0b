"""Check 29, too: what sites say they spent of masked sums is the accountant's figure for them.

Where noise hides whole sites in a masked sum, each update costs the same, whatever it was
trained on. Both the updates and the spending are a site's signed acts then. That noise was
added at all nobody can see: masks hide it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from functools import cache

from fednet.audit.checks import PRIVACY_BUDGETS
from fednet.audit.findings import Findings, Severity
from fednet.audit.snapshot import Snapshot
from fednet.domain import disclosure_events as de
from fednet.domain import events as ev
from fednet.domain.batches import unfold
from fednet.domain.disclosures import PrivacyLoss
from fednet.domain.identity import DatasetId, SiteId
from fednet.domain.plan import Plan
from fednet.domain.privacy import noise_of_training
from fednet.privacy.accounting import spent_by

_ROUNDING = 1
"""Millionths by which figures of two machines may differ, whose floats do in their last digits."""


def check_sums(
    snapshot: Snapshot, plan: Plan, spendings: Sequence[de.BudgetSpent], findings: Findings
) -> None:
    """Hold what sites recorded against what as many masked updates cost as they submitted.

    Args:
        snapshot: The ledger.
        plan: With noise that hides whole sites.
        spendings: Of the run.
        findings: Takes what is wrong, once a site.
    """

    @cache
    def due(sums: int) -> int:
        noise = [noise_of_training(plan.training, plan.privacy, 1)] * sums
        return PrivacyLoss.of(spent_by(noise, plan.privacy.delta), Decimal(0)).epsilon_micro

    submissions = [
        each for each in unfold(snapshot.run_events) if isinstance(each, ev.UpdateSubmitted)
    ]
    attempts = sum(isinstance(each, ev.AttemptStarted) for each in snapshot.run_events)
    spent: dict[SiteId, dict[DatasetId, int]] = defaultdict(dict)
    sums: Counter[SiteId] = Counter()
    told: set[SiteId] = set()
    acts: list[de.BudgetSpent | ev.UpdateSubmitted] = [*spendings, *submissions]
    for act in sorted(acts, key=lambda each: each.log):
        if isinstance(act, de.BudgetSpent):
            spent[act.site][act.dataset] = act.spent.epsilon_micro
            continue
        sums[act.site] += 1
        recorded = list(spent[act.site].values())
        # Whoever recorded nothing is noticed elsewhere.
        if not sum(recorded) or act.site in told:
            continue
        # An update that was paid for and never submitted costs as well.
        possible = [due(count) for count in range(sums[act.site], attempts + 1)]
        if sum(recorded) + _ROUNDING < possible[0]:
            told.add(act.site)
            _tell(findings, act, possible[0], sums[act.site], sum(recorded), is_less=True)
        elif len(recorded) == 1 and all(abs(recorded[0] - each) > _ROUNDING for each in possible):
            told.add(act.site)
            _tell(findings, act, possible[0], sums[act.site], recorded[0], is_less=False)


def _tell(
    findings: Findings, act: ev.UpdateSubmitted, due: int, sums: int, spent: int, *, is_less: bool
) -> None:
    findings.add(
        PRIVACY_BUDGETS,
        "spent-below-accountant" if is_less else "spent-beside-accountant",
        f"update of site {act.site} in round {act.round}, attempt {act.attempt}",
        "the site says it spent less than its masked updates cost"
        if is_less
        else "no number of masked updates costs what the site says it spent",
        severity=Severity.VIOLATION if is_less else Severity.NOTICE,
        round_number=act.round,
        accused=act.site if is_less else None,
        expected=f"epsilon {Decimal(due).scaleb(-6)}, for {sums} of its updates",
        actual=f"epsilon {Decimal(spent).scaleb(-6)}",
    )

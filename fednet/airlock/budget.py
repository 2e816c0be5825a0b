"""What has been spent of a dataset, over all runs, against the policy's ceilings.

Epsilons and deltas add up, which bounds what their composition comes to (Dwork
and Roth, 2014, https://doi.org/10.1561/0400000042, theorem 3.16); a run counts
once, in full, as soon as its first update is let out.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from fednet.airlock.policy import AirlockPolicy, BudgetRules
from fednet.airlock.report import Check, judged
from fednet.domain.identity import DatasetId


@dataclass(frozen=True, slots=True)
class Spending:
    """Amounts of one dataset."""

    updates: int = 0
    epsilon: Decimal = Decimal(0)
    delta: Decimal = Decimal(0)

    def __add__(self, more: Spending) -> Spending:
        """Put two spendings together."""
        return Spending(
            self.updates + more.updates, self.epsilon + more.epsilon, self.delta + more.delta
        )


def check_budget(
    policy: AirlockPolicy, dataset: DatasetId, spent: Spending, wanted: Spending
) -> list[Check]:
    """Compare what would be spent with each ceiling of a dataset.

    Args:
        policy: The site's.
        dataset: The dataset.
        spent: What was spent so far, over all runs.
        wanted: What is about to be spent on top.
    """
    line, ceilings = policy.budget_of(dataset)
    after = spent + wanted
    return [
        _check(f"{line}.{name}", dataset, getattr(spent, name), getattr(after, name), ceiling)
        for name in BudgetRules.model_fields
        if (ceiling := getattr(ceilings, name)) is not None
    ]


def _check(
    line: str, dataset: DatasetId, before: Decimal, after: Decimal, ceiling: Decimal
) -> Check:
    measure = line.rpartition(".")[2]
    return judged(
        line,
        after <= ceiling,
        f"{measure} of dataset {dataset} over all runs",
        expected=f"at most {ceiling}",
        actual=f"{after} with this one; {before} are spent",
        figure=float(after),
        bound=float(ceiling),
        remedy=f"the budget is used up: raise {line}, or leave: fednet run withdraw RUN",
    )

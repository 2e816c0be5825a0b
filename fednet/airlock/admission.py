"""Whether a site takes part in a run at all: the policy's lines that speak of plans.

They are put before a site consents, and again before its node trains. An update
that was made passes the airlock itself, whatever was said here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from fednet.airlock.budget import Spending, check_budget
from fednet.airlock.policy import AirlockPolicy
from fednet.airlock.report import Check, judged
from fednet.airlock.requirements import Promises
from fednet.domain.identity import Address, Commitment, DatasetId
from fednet.domain.plan import Plan

_LEAVE = "do not consent, or leave: fednet run withdraw RUN"


@dataclass(frozen=True, slots=True)
class Petition:
    """A run that asks to be let in, and what it would draw on."""

    plan: Plan
    promises: Promises
    researcher: Address
    """Who opened the run."""
    purpose: Commitment | None
    """Of the text that access was asked for with; None if nobody looked."""
    dataset: DatasetId
    examples: int
    """As registered."""
    class_counts: Mapping[int, int] | None = None
    """Examples by class; None if nobody has counted, empty if the labels are no classes."""
    spent: Spending = field(default_factory=Spending)
    """What was spent of the dataset by other runs."""
    has_begun: bool = False
    """Whether what the run promises to spend is part of that already."""


def check_plan(policy: AirlockPolicy, petition: Petition) -> list[Check]:
    """Put each line of the policy that is in force to a run.

    Returns:
        One check a line, in the order of the policy; named as a person finds it there.
    """
    plan = petition.plan
    checks = [*_check_names(policy, petition)]
    for requirement in policy.requirements:
        checks.append(
            judged(
                "plans.mechanisms",
                requirement.is_met(petition.promises),
                "privacy that the plan promises",
                expected=requirement.text,
                actual=_said(petition.promises),
                remedy=f"ask the researcher for a plan that promises it; {_LEAVE}",
            )
        )
    checks += [
        check_examples(policy, petition.examples),
        *check_classes(policy, petition.class_counts or {}),
    ]
    promises = petition.promises
    # Of a run that has begun, each further update is put to the budget when it is there.
    wanted = (
        Spending()
        if petition.has_begun
        else Spending(1, promises.epsilon or Decimal(0), promises.delta or Decimal(0))
    )
    checks += check_budget(policy, petition.dataset, petition.spent, wanted)
    if plan.update.minimum_examples > petition.examples:
        checks.append(
            judged(
                "examples",
                False,
                "fewer examples than the plan asks for",
                expected=f"at least {plan.update.minimum_examples}",
                actual=petition.examples,
                remedy=_LEAVE,
            )
        )
    return checks


def check_examples(policy: AirlockPolicy, examples: int) -> Check:
    """Compare how many examples there are with the policy."""
    least = policy.data.minimum_examples
    return judged(
        "data.minimum_examples",
        examples >= least,
        "examples that an update rests on",
        expected=f"at least {least}",
        actual=examples,
        figure=examples,
        bound=least,
        remedy=f"register more data, or {_LEAVE}",
    )


def check_classes(policy: AirlockPolicy, class_counts: Mapping[int, int]) -> list[Check]:
    """Compare the rarest class with the policy; nothing where there are none."""
    least = policy.data.minimum_per_class
    if not least or not class_counts:
        return []
    rarest = min(class_counts, key=lambda label: (class_counts[label], label))
    return [
        judged(
            "data.minimum_per_class",
            class_counts[rarest] >= least,
            f"examples of class {rarest}, the rarest",
            expected=f"at least {least}",
            actual=class_counts[rarest],
            figure=class_counts[rarest],
            bound=least,
            remedy=f"register data without so rare a class, or {_LEAVE}",
        )
    ]


def _check_names(policy: AirlockPolicy, petition: Petition) -> list[Check]:
    rules, plan = policy.plans, petition.plan
    purposes = {_purpose(text) for text in rules.purposes}
    asked = [
        ("tasks", "task of the plan", plan.task.source, plan.task.source in rules.tasks),
        ("digests", "code of the task", plan.task.digest, plan.task.digest in rules.digests),
        (
            "researchers",
            "account that opened the run",
            petition.researcher,
            petition.researcher.lower() in {each.lower() for each in rules.researchers},
        ),
        (
            "purposes",
            "purpose for which access was asked, by its SHA-256",
            petition.purpose,
            petition.purpose in purposes,
        ),
    ]
    return [
        judged(
            f"plans.{name}",
            good,
            finding,
            expected=f"one of {len(getattr(rules, name))} that the policy allows",
            actual=actual,
            remedy=f"add it to plans.{name} if it is meant to be allowed; else {_LEAVE}",
        )
        for name, finding, actual, good in asked
        if getattr(rules, name)
    ]


def _purpose(text: str) -> Commitment:
    is_digest = len(text) == 64 and all(digit in "0123456789abcdef" for digit in text)
    return Commitment(text) if is_digest else Commitment.of(text.encode("utf-8"))


def _said(promises: Promises) -> str:
    amounts = {"epsilon": promises.epsilon, "delta": promises.delta}
    said = sorted(promises.mechanisms)
    said += [f"{name} {amount}" for name, amount in amounts.items() if amount is not None]
    return ", ".join(said) or "nothing"

"""What cannot stand in a plan where only a sum of updates is known: each reason with its remedy."""

from __future__ import annotations

from dataclasses import dataclass

from fednet.domain.plan_sections import Sections

_ONE_BY_ONE = ("norm-bounding", "centred-clipping")


@dataclass(frozen=True, slots=True)
class Hiding:
    """What hides single updates, in the words of the plan."""

    section: str
    """Section of the plan, with which each reason begins."""
    hidden: str
    """What updates are: ``masked``, for example."""
    instead: str
    """How to do without."""


def hidden_contradiction(plan: Sections, hiding: Hiding) -> str:
    """Say what would have to see single updates, or cannot be summed; empty if nothing would."""
    checks = (_rule, _form, _several, _open)
    return next((reason for check in checks if (reason := check(plan, hiding))), "")


def _rule(plan: Sections, hiding: Hiding) -> str:
    rule, hidden = plan.aggregation.rule, hiding.hidden
    if rule == "fedavg":
        return ""
    if rule == "fednova":
        reason = (
            f"divides each update by its own steps, and {hidden} ones leave one sum, by examples"
        )
    elif rule in _ONE_BY_ONE:
        reason = f"cuts updates one by one, and {hidden} ones cannot be seen one by one"
    else:
        reason = f"compares updates with one another, and {hidden} ones cannot be seen"
    remedy = f'set aggregation.rule = "fedavg", or {hiding.instead}'
    return f"{hiding.section}: {rule} {reason}; {remedy}"


def _form(plan: Sections, hiding: Hiding) -> str:
    codec = plan.update.codec
    if codec != "float32":
        return (
            f"{hiding.section}: {codec} packs values in a way that cannot be added up, and "
            f'{hiding.hidden} values have a form of their own; set update.codec = "float32"'
        )
    if plan.training.algorithm == "scaffold":
        return (
            f"{hiding.section}: scaffold sends a control variate beside the model, and one clip "
            'bound cannot fit both; set training.algorithm = "fedavg" or "fedprox"'
        )
    return ""


def _several(plan: Sections, hiding: Hiding) -> str:
    if plan.clusters.count > 1:
        return (
            f"{hiding.section}: the cluster of each site would show, and the sum of a small one "
            'hides little; set clusters.count = 1 and clusters.method = "none"'
        )
    return ""


def _open(plan: Sections, hiding: Hiding) -> str:
    if plan.evaluation.metric:
        return (
            f"{hiding.section}: sites publish evaluation.metric one by one, beside the sum that is "
            'to be all that is known of them; leave it out (metric = "")'
        )
    return ""

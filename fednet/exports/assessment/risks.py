"""What may go wrong for people, and what in a plan bears on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fednet.domain.plan import Plan
from fednet.exports.assessment.figures import least_updates
from fednet.exports.texts import code
from fednet.provenance.safes.outputs import mechanism

_FEW_SITES = 3
_FEW_EXAMPLES = 50


@dataclass(frozen=True, slots=True)
class Risk:
    """One thing that may go wrong."""

    title: str
    harm: str
    plan: str
    """What this plan does about it, or leaves open."""
    open: bool
    """Whether the plan by itself leaves people exposed to it."""


def risks(plan: Plan) -> Iterator[Risk]:
    """Name the risks of a plan, in the same order for every plan.

    Raises:
        PlanError: Masks that the plan asks for cannot work.
    """
    yield _betrayed(plan)
    yield _remembered(plan)
    yield _few(plan)
    yield _measured(plan)
    yield _spoilt(plan)
    yield _copied(plan)
    yield _lasting()
    yield _unequal(plan)


def _betrayed(plan: Plan) -> Risk:
    size, private = plan.training.batch_size, plan.privacy.mechanism != "none"
    sum_alone = (
        " Nothing bounds what the sum tells: over few records it can betray one, too."
        if plan.is_masked and not private
        else ""
    )
    return Risk(
        "A single update betrays who was in the data, or a record itself",
        "Whoever reads an update may tell by it that a person was among the records (membership"
        " inference), or rebuild a record from it (gradient inversion): the easier the fewer"
        " records are behind it.",
        f"Mechanism: {mechanism(plan)}. An update rests on {plan.update.minimum_examples} examples"
        f" or more, trained in batches of {size} for {plan.training.local_epochs} epochs."
        f"{sum_alone}",
        not (private or plan.is_masked),
    )


def _remembered(plan: Plan) -> Risk:
    private = plan.privacy.mechanism != "none"
    return Risk(
        "The finished model remembers records",
        "A model can give back what it was trained on to anybody who may use it, for as long as it"
        " is used.",
        "Differential privacy bounds this by the same epsilon."
        if private
        else "The plan bounds nothing here. Who gets the model decides how much it matters.",
        not private,
    )


def _few(plan: Plan) -> Risk:
    least = least_updates(plan)
    fewer = " Of fewer the masks leave nothing to read." if plan.is_masked else ""
    return Risk(
        "Few sites take part, so that the sum is one site's own",
        "Who knows its own update can take it off the sum: of two updates that leaves the other"
        " one.",
        f"A round may become final with {least} updates, of {plan.cohort.minimum_sites} sites or"
        f" more that consented.{fewer}",
        least < _FEW_SITES,
    )


def _measured(plan: Plan) -> Risk:
    metric = plan.evaluation.metric
    return Risk(
        "What a site measures tells of its patients",
        "A figure over few records, published round after round, tells how a small group fares.",
        f"Each site publishes {code(metric)} of each model, over the examples that it trains on."
        if metric
        else "Sites publish no metric.",
        bool(metric) and plan.update.minimum_examples < _FEW_EXAMPLES,
    )


def _spoilt(plan: Plan) -> Risk:
    rule, hostile = plan.aggregation.rule, plan.aggregation.hostile
    against = (
        f"Updates are combined by {rule} under masks: one that is hostile can be neither found nor"
        " left out, and its size is what its own site makes it. The members see the sum alone."
        if plan.is_masked
        else f"Updates are combined by {rule}, which is set to withstand {hostile} hostile ones; an"
        f" update counts up to the norm {plan.update.maximum_norm} only."
    )
    return Risk(
        "A dishonest or faulty site spoils the model, and people are treated by it",
        "A wrong model decides wrongly about people.",
        f"{against} Every member recomputes every round.",
        hostile == 0,
    )


def _copied(plan: Plan) -> Risk:
    sealed = plan.privacy.sealed
    if sealed:
        told = (
            " They are sealed for the members of each round: a copy tells nothing to who has no"
            " key. Members can keep what they opened, and hand on a key."
        )
    elif plan.is_masked:
        told = (
            " A copy of a masked update tells nothing, and copies of all of a round tell their sum."
            " The plan does not seal the models: whoever gets a copy can read it."
        )
    else:
        told = " The plan does not seal them: whoever gets a copy can read it."
    return Risk(
        "Published bytes are copied and kept",
        "What was published once cannot be called back: members hold copies, and so may whoever"
        " gets into their stores.",
        f"Updates and models lie in a store that only members reach.{told}",
        not sealed,
    )


def _lasting() -> Risk:
    return Risk(
        "The ledger forgets nothing",
        "What stands on the ledger cannot be corrected or erased.",
        "By its form, the ledger holds no data, no name and no text of a person: commitments"
        " (salted SHA-256), counts, times, accounts, and the names of institutions. A person who"
        " acts by an account of their own is named by it.",
        False,
    )


def _unequal(plan: Plan) -> Risk:
    told = {
        "none": "One model serves all sites.",
        "ifca": f"Sites are grouped by what fits them, into {plan.clusters.count} models.",
        "similarity": f"Sites are grouped by their updates, into {plan.clusters.count} models.",
    }[plan.clusters.method]
    own = plan.personal.method != "none" or bool(plan.update.personal)
    return Risk(
        "The model serves some groups of people worse than others",
        "Groups that are rare at the sites are learnt badly, and that is not seen in a mean.",
        told + (" Each site keeps a part or a model of its own." if own else ""),
        True,
    )

"""Tell what a plan with differential privacy will spend, before it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from fednet.domain.plan import Plan
from fednet.domain.privacy import NoisySteps, noise_of_training
from fednet.errors import PlanError, PrivacyError
from fednet.privacy.accounting.book import round_up, spent_by
from fednet.privacy.accounting.losses import tight_epsilon

_FINEST = Decimal("0.01")
_QUIETEST, _LOUDEST = 10, 1_000 * 100
"""What a plan's noise multiplier may be, in hundredths."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a site with so many examples spends on any one record of them.

    Where noise hides whole sites, a round is one step that draws everything, and neither
    depends on how many examples there are.
    """

    examples: int
    steps: int
    """A round."""
    sample_rate: Decimal
    """Chance with which a step draws an example, rounded up to millionths."""
    epsilon: Decimal
    """After all rounds, each trained for once; by Renyi divergence, as it will be charged."""
    tight: Decimal | None
    """The same by the sum of privacy losses; None where floats cannot tell."""
    first: Decimal
    """After one round."""
    repeated: Decimal
    """After all rounds, had each of them all the attempts that the plan allows."""
    trainings: int
    """How many trainings the promise pays for."""
    least_noise: Decimal | None
    """Noise multiplier, to hundredths, with which all rounds stay within the promise."""


def forecast(plan: Plan, examples: int) -> Forecast:
    """Work out what a plan costs a site.

    Args:
        plan: With a ``privacy.mechanism``.
        examples: Of the site's dataset, at least 1.

    Raises:
        PlanError: The plan has no such mechanism.
        PrivacyError: There is so little noise that no epsilon is finite.
    """
    require_mechanism(plan)
    promise = plan.privacy
    once = noise_of_training(plan.training, promise, examples)

    def noise_of(trainings: int, multiplier: Decimal = promise.noise_multiplier) -> NoisySteps:
        louder = promise.model_copy(update={"noise_multiplier": multiplier})
        one = noise_of_training(plan.training, louder, examples)
        return replace(one, steps=one.steps * trainings)

    def after(trainings: int, multiplier: Decimal = promise.noise_multiplier) -> Decimal:
        return spent_by([noise_of(trainings, multiplier)], promise.delta)

    rounds, all_attempts = plan.rounds, plan.rounds * plan.timing.max_attempts
    unpaid = _least(lambda count: after(count) > promise.epsilon, 1, all_attempts)
    noise = _least(
        lambda hundredths: after(rounds, hundredths * _FINEST) <= promise.epsilon,
        _QUIETEST,
        _LOUDEST,
    )
    return Forecast(
        examples=examples,
        steps=once.steps,
        sample_rate=round_up(once.sample_rate),
        epsilon=after(rounds),
        tight=_tight(noise_of(rounds), promise.delta),
        first=after(1),
        repeated=after(all_attempts),
        trainings=all_attempts if unpaid is None else unpaid - 1,
        least_noise=None if noise is None else noise * _FINEST,
    )


def presence_epsilon(plan: Plan) -> Decimal:
    """Return what the whole run betrays of whether a site's update is there or is zero.

    Papers on hiding whole users mostly count so. It is for comparison: what is promised and
    charged holds for any other update instead, which also covers a single record.

    Args:
        plan: With ``privacy.mechanism = "distributed-gaussian"``.
    """
    noise = NoisySteps(1, 1, plan.privacy.noise_multiplier, plan.rounds)
    return spent_by([noise], plan.privacy.delta)


def require_mechanism(plan: Plan) -> None:
    """Raise unless a plan hides records or sites by noise.

    Raises:
        PlanError: It does not.
    """
    if plan.privacy.mechanism == "none":
        raise PlanError(
            "the plan has no differential privacy",
            subject="privacy.mechanism",
            expected="dp-sgd or distributed-gaussian",
            actual="none",
            hint="docs/differential-privacy.md shows what to write under [privacy]",
        )


def require_kept(plan: Plan) -> Decimal:
    """Return what the whole run costs the smallest dataset that the plan admits.

    Raises:
        PlanError: It breaks the promise: such a site could not train in every round.
    """
    examples = plan.update.minimum_examples
    found = forecast(plan, examples)
    if found.epsilon > plan.privacy.epsilon:
        noise = "" if found.least_noise is None else f" noise_multiplier = {found.least_noise},"
        where, less = (
            " at the smallest dataset that it admits",
            ("fewer rounds or epochs, or a higher update.minimum_examples"),
        )
        if plan.privacy.hides_sites:
            where, less = "", "or fewer rounds"
        raise PlanError(
            f"the plan breaks its own promise{where}",
            subject=f"privacy.epsilon, {examples} examples" if where else "privacy.epsilon",
            expected=f"at most {plan.privacy.epsilon}",
            actual=found.epsilon,
            hint=f"use{noise} {less}",
        )
    return found.epsilon


def _least(holds: Callable[[int], bool], low: int, high: int) -> int | None:
    """Return the least number within bounds from which on a condition holds; None if it never does.

    Args:
        holds: Once true, true for every larger number.
        low: The least that is asked about.
        high: The largest.
    """
    if not holds(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _tight(noise: NoisySteps, delta: Decimal) -> Decimal | None:
    try:
        return round_up(tight_epsilon(noise, float(delta)))
    except PrivacyError:
        return None

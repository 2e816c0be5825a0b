"""Tell what a plan's noise costs and leaves, before anybody opens it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from fednet.cli import output
from fednet.domain.plan import Plan
from fednet.privacy.accounting import Forecast, forecast, presence_epsilon
from fednet.privacy.masking import agree_on, noise_in_mean, require_maskable

_FACTORS = (1, 2, 5, 10, 50)
_COLUMNS = ("first round", "whole run", "tight", "all attempts", "trainings", "noise")


@dataclass(frozen=True, slots=True)
class SumForecast:
    """What noise a masked sum has."""

    cohort: int
    """Sites that an attempt begins with."""
    sites: int
    """In the sum: the fewest that may be opened, or everybody."""
    variance: str
    """Of the noise, over what is promised; an exact fraction."""
    noise_in_mean: float
    """Its standard deviation in a value of the mean, if every site weighs as much as it may; of
    the first round, if the norm follows the sites."""


def emit(plan: Plan, counts: Sequence[int], as_json: bool) -> None:
    """Print what a plan spends, for a program or for a person.

    Args:
        plan: The plan.
        counts: Sizes of datasets; some from the plan's least on, if none are given.
        as_json: Whether a program reads it.

    Raises:
        PlanError: It has no mechanism, or its noise has no room in the ring.
        PrivacyError: There is so little noise that no epsilon is finite.
    """
    promise = plan.privacy
    said = {"epsilon": promise.epsilon, "delta": promise.delta}
    line = (
        f"promise: epsilon {promise.epsilon} at delta {promise.delta}, "
        f"{plan.rounds} rounds, noise_multiplier {promise.noise_multiplier}"
    )
    if promise.hides_sites:
        _emit_sums(plan, said, line, as_json)
        return
    found = [forecast(plan, count) for count in counts or _counts(plan)]
    if as_json:
        output.emit_json({"promise": said, "datasets": found})
        return
    click.echo(line)
    rows = [(each.examples, *_cells(each)) for each in found]
    output.emit_table("datasets", ("examples", *_COLUMNS), rows)
    for each in found:
        if each.epsilon > promise.epsilon:
            click.echo(f"{each.examples} examples: the promise ends in round {each.trainings + 1}")
        if promise.delta * each.examples >= 1:
            click.echo(f"{each.examples} examples: delta is 1 / {each.examples} or more")


def _emit_sums(plan: Plan, said: object, line: str, as_json: bool) -> None:
    require_maskable(plan)
    whole, presence = forecast(plan, plan.update.minimum_examples), presence_epsilon(plan)
    sums = _sums(plan)
    if as_json:
        output.emit_json({"promise": said, "site": whole, "presence": presence, "sums": sums})
        return
    click.echo(line)
    output.emit_table("sites", (*_COLUMNS, "there or not"), [(*_cells(whole), presence)])
    if whole.epsilon > plan.privacy.epsilon:
        click.echo(f"the promise ends in round {whole.trainings + 1}")
    columns = ("cohort", "sites in the sum", "variance over promised", "noise in the mean")
    rows = [(each.cohort, each.sites, each.variance, f"{each.noise_in_mean:.3g}") for each in sums]
    output.emit_table("sums", columns, rows)


def _sums(plan: Plan) -> list[SumForecast]:
    cohort, found = plan.cohort, []
    for size in sorted({cohort.minimum_sites, cohort.target_sites, cohort.maximum_sites}):
        agreed = agree_on(plan, size)
        noise = agreed.fixed_point.noise
        assert noise is not None  # the plan hides sites
        found += [
            SumForecast(
                size, sites, str(noise.promised(sites)), noise_in_mean(plan.privacy, noise, sites)
            )
            for sites in sorted({agreed.least_updates, size})
        ]
    return found


def _counts(plan: Plan) -> list[int]:
    least, most = plan.update.minimum_examples, plan.update.maximum_examples
    return sorted({min(most, least * factor) for factor in _FACTORS})


def _cells(found: Forecast) -> tuple[object, ...]:
    return (
        found.first, found.epsilon, "unknown" if found.tight is None else found.tight,
        found.repeated, found.trainings, "none" if found.least_noise is None else found.least_noise,
    )  # fmt: skip

"""`fednet privacy`: plan."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import output, plans
from fednet.cli.app import example, json_option
from fednet.domain.plan import Plan
from fednet.privacy.accounting import Forecast, forecast

_FACTORS = (1, 2, 5, 10, 50)
_COLUMNS = ("examples", "first round", "whole run", "tight", "all attempts", "trainings", "noise")


@click.group(
    epilog=example(
        "before a plan is opened",
        "fednet privacy plan pilot.toml",
        "fednet privacy plan pilot.toml --examples 500 --examples 2000",
    )
)
def privacy() -> None:
    """Differential privacy: what a plan spends of it."""


@privacy.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--examples", "counts", type=click.IntRange(1, 1 << 39), multiple=True,
              help="Size of a dataset; repeatable. Default: from the least on.")  # fmt: skip
@json_option
def plan(file: Path, counts: tuple[int, ...], as_json: bool) -> None:
    """Tell what the plan in FILE spends at datasets of several sizes.

    Epsilon, at the plan's delta, that a site spends on any one record: after
    the first round, after the whole run, and if every round took all its
    attempts. "tight" is the whole run by a finer account. "trainings" is how
    many the promise pays for, and "noise" the least noise_multiplier that
    keeps it for the whole run.
    """
    read = plans.read(file).plan
    found = [forecast(read, count) for count in counts or _counts(read)]
    promise = read.privacy
    if as_json:
        output.emit_json(
            {"promise": {"epsilon": promise.epsilon, "delta": promise.delta}, "datasets": found}
        )
        return
    click.echo(
        f"promise: epsilon {promise.epsilon} at delta {promise.delta}, "
        f"{read.rounds} rounds, noise_multiplier {promise.noise_multiplier}"
    )
    output.emit_table("datasets", _COLUMNS, [_cells(each) for each in found])
    for each in found:
        if each.epsilon > promise.epsilon:
            click.echo(f"{each.examples} examples: the promise ends in round {each.trainings + 1}")
        if promise.delta * each.examples >= 1:
            click.echo(f"{each.examples} examples: delta is 1 / {each.examples} or more")


def _counts(plan: Plan) -> list[int]:
    least, most = plan.update.minimum_examples, plan.update.maximum_examples
    return sorted({min(most, least * factor) for factor in _FACTORS})


def _cells(found: Forecast) -> tuple[object, ...]:
    return (
        found.examples, found.first, found.epsilon, "unknown" if found.tight is None
        else found.tight, found.repeated, found.trainings,
        "none" if found.least_noise is None else found.least_noise,
    )  # fmt: skip

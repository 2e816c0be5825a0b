"""`fednet privacy`: plan, show, ceiling, retention."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

from fednet.cli import budgeting, forecasts, narrowing, output, plans, wiring
from fednet.cli.app import (
    App,
    Signer,
    account_options,
    example,
    json_option,
    pass_app,
    read_text,
)
from fednet.domain.disclosures import PrivacyLoss
from fednet.domain.identity import DatasetId

_SECONDS_PER_DAY = 86_400


@click.group(
    epilog=example(
        "before a plan is opened, then as a site",
        "fednet privacy plan pilot.toml --examples 500 --examples 2000",
        'fednet privacy ceiling 1 --epsilon 8 --delta 0.00001 --reason "study 17"',
        "fednet privacy show",
    )
)
def privacy() -> None:
    """Differential privacy: what plans spend of it, what may be spent, what is."""


class _Amount(click.ParamType[Decimal]):
    """A number that is not negative, exactly."""

    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is no number", param, ctx)
        if not number.is_finite() or number < 0:
            self.fail(f"{value!r} is no possible amount", param, ctx)
        return number


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

    Where noise hides whole sites in a masked sum, datasets of all sizes cost
    the same. "there or not" is what papers count instead: whether a site's
    update is there or is zero. Told besides is how much noise the fewest
    sites and all of them leave, in each cohort and in the mean.
    """
    forecasts.emit(plans.read(file).plan, counts, as_json)


@privacy.command()
@narrowing.options("run", "site", "dataset")
@json_option
@pass_app
def show(app: App, /, as_json: bool, **given: int | None) -> None:
    """Show, by dataset and run, what is promised, spent, allowed and left.

    Spent is what sites recorded on the ledger; the ceiling, and what is left of
    it, are a dataset's over all its runs. What a plan promises is read from its
    bytes, and unknown while nobody serves them.
    """
    found = budgeting.accounts(app, narrowing.filters(given))
    if as_json:
        output.emit_json(found)
        return
    rows: list[tuple[object, ...]] = []
    for each in found:
        whole = (budgeting.written(each.ceiling), budgeting.written(each.left))
        rows += [
            (each.dataset, each.site, run.run, budgeting.written(run.promised),
             budgeting.written(run.spent), *whole)
            for run in each.runs
        ]  # fmt: skip
        rows.append((each.dataset, each.site, "all", "", budgeting.written(each.spent), *whole))
    output.emit_table(
        "privacy", ("dataset", "site", "run", "promised", "spent", "ceiling", "left"), rows
    )


@privacy.command()
@click.argument("number", metavar="DATASET", type=int)
@click.option("--epsilon", type=_Amount(), required=True, help="Over all runs of the dataset.")
@click.option("--delta", type=_Amount(), required=True, help="The runs' deltas add up to it.")
@click.option("--reason", help="Why; needed to raise. Others learn a salted commitment to it.")
@click.option("--reason-file", type=click.Path(path_type=Path, dir_okay=False))
@account_options
@pass_app
def ceiling(
    app: App,
    number: int,
    epsilon: Decimal,
    delta: Decimal,
    reason: str | None,
    reason_file: Path | None,
    account: str | None,
    password_file: Path | None,
) -> None:
    """Set on the ledger what may be spent of DATASET's privacy, over all runs.

    Before it is set, nothing may be. The ledger and this site's node refuse
    whatever goes past it. The reason stays in this home.
    """
    why = read_text(reason, reason_file, "reason", optional=True).decode("utf-8", "replace")
    wanted = PrivacyLoss.of(epsilon, delta)
    writer = wiring.writer(app, Signer(account, password_file))
    reader = wiring.reader(app)
    grounds = budgeting.set_ceiling(app, reader, writer, DatasetId(number), wanted, why)
    click.echo(f"of dataset {number} may be spent: {wanted}")
    if not grounds.is_zero:
        click.echo(f"grounds {grounds}, kept in {app.home / budgeting.ACCOUNTS}")


@privacy.command()
@click.argument("number", metavar="DATASET", type=int)
@click.option("--days", type=click.IntRange(1, 36_500), required=True,
              help="From the end of a run.")  # fmt: skip
@account_options
@pass_app
def retention(
    app: App, number: int, days: int, account: str | None, password_file: Path | None
) -> None:
    """Record for how long what runs made of DATASET is kept."""
    writer = wiring.writer(app, Signer(account, password_file))
    writer.set_retention(DatasetId(number), days * _SECONDS_PER_DAY)
    click.echo(f"what is made of dataset {number} is kept for {days} days after a run")

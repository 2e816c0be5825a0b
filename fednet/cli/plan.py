"""`fednet plan`: new, check, show, dpia."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

from fednet.cli import home, output, plans, queries, wiring
from fednet.cli.app import App, example, json_option, pass_app
from fednet.domain.plan import Plan
from fednet.node.terms import read_terms


@click.group(
    epilog=example(
        "as a researcher",
        "fednet plan new pilot --task breast-cancer --rounds 10 --sites 4",
        "fednet plan check pilot.toml",
    )
)
def plan() -> None:
    """Plans: what a run agrees on, as a file; opening a run freezes it."""


class _Real(click.ParamType[Decimal]):
    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """Accept a finite decimal number; the plan checks its range."""
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not number.is_finite():
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


_REAL = _Real()


@plan.command()
@click.argument("name")
@click.option(
    "--task",
    required=True,
    help="breast-cancer, digits, digits-conv, module:Class or file.py:Class.",
)
@click.option("--rounds", type=int, default=10, show_default=True)
@click.option("--sites", type=int, default=2, show_default=True, help="Consents that start it.")
@click.option("--minimum-sites", type=int, help="Least consents; default SITES.")
@click.option("--maximum-sites", type=int, default=1000, show_default=True)
@click.option("--algorithm", type=click.Choice(("fedavg", "fedprox", "scaffold")), default="fedavg")
@click.option("--proximal-mu", type=_REAL, default="0", help="FedProx's pull, above 0.")
@click.option("--epochs", type=int, default=1, show_default=True, help="Local epochs per round.")
@click.option("--batch-size", type=int, default=32, show_default=True)
@click.option("--learning-rate", type=_REAL, default="0.05", show_default=True)
@click.option("--momentum", type=_REAL, default="0", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--credits", "credits_per_round", type=int, default=1000, show_default=True,
              help="Credits that each round shares out.")  # fmt: skip
@click.option("--collect-seconds", type=int, default=3600, show_default=True)
@click.option("--reveal-seconds", type=int, default=300, show_default=True)
@click.option("--grace-seconds", type=int, default=60, show_default=True)
@click.option("--propose-seconds", type=int, default=1800, show_default=True)
@click.option("--attest-seconds", type=int, default=1800, show_default=True)
@click.option("--set", "values", multiple=True, metavar="SECTION.FIELD=VALUE",
              help="Any other field of the plan; repeatable.")  # fmt: skip
@click.option("--directory", type=click.Path(path_type=Path, file_okay=False, exists=True),
              default=Path(), help="Where to write; default here.")  # fmt: skip
@pass_app
def new(
    app: App,
    name: str,
    task: str,
    rounds: int,
    sites: int,
    minimum_sites: int | None,
    maximum_sites: int,
    algorithm: str,
    proximal_mu: Decimal,
    epochs: int,
    batch_size: int,
    learning_rate: Decimal,
    momentum: Decimal,
    seed: int,
    credits_per_round: int,
    values: tuple[str, ...],
    directory: Path,
    collect_seconds: int,
    reveal_seconds: int,
    grace_seconds: int,
    propose_seconds: int,
    attest_seconds: int,
) -> None:
    """Write NAME.toml, and the initial model NAME.safetensors beside it.

    Every other field of a plan gets its default, unless --set names it:
    --set server.optimizer=fedadam --set update.travelling='["head.*"]'.
    """
    needed = sites if minimum_sites is None else minimum_sites
    raw = {
        "name": name,
        "rounds": rounds,
        "training": {
            "algorithm": algorithm,
            "local_epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "momentum": momentum,
            "proximal_mu": proximal_mu,
            "seed": seed,
        },
        "cohort": {
            "minimum_sites": needed,
            "target_sites": sites,
            "maximum_sites": maximum_sites,
            "minimum_updates": min(2, needed),
        },
        "timing": {
            "collect_seconds": collect_seconds,
            "reveal_seconds": reveal_seconds,
            "grace_seconds": grace_seconds,
            "propose_seconds": propose_seconds,
            "attest_seconds": attest_seconds,
        },
        "credits": {"per_round": credits_per_round},
    }
    with output.working("making the initial model"):
        written = plans.make(app, plans.with_values(raw, values), directory, task, seed)
    click.echo(f"wrote {written.path} and {written.model}")
    output.say(f"next: fednet run open {written.path}")


@plan.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--model", type=click.Path(path_type=Path, dir_okay=False), help="Initial model.")
@json_option
@pass_app
def check(app: App, file: Path, model: Path | None, as_json: bool) -> None:
    """Tell whether the plan in FILE is possible, and fits task and model."""
    read = plans.read(file, model)
    found = plans.check(read)
    if as_json:
        output.emit_json({"commitment": read.plan.commitment, "checks": found})
        return
    for line in found:
        click.echo(line)


@plan.command()
@click.argument("source", metavar="FILE|RUN")
@json_option
@pass_app
def show(app: App, source: str, as_json: bool) -> None:
    """Print the plan in FILE, or the one that RUN (a number) is bound to."""
    found = _plan_of(app, source)
    if as_json:
        output.emit_json({"commitment": found.commitment, "plan": found})
        return
    click.echo(f"# commitment {found.commitment}")
    click.echo(plans.to_toml(found), nl=False)


@plan.command()
@click.argument("source", metavar="FILE|RUN")
@click.option("-o", "--output", "target", type=click.Path(path_type=Path, dir_okay=False),
              help="Write it to a new file; default stdout.")  # fmt: skip
@pass_app
def dpia(app: App, source: str, target: Path | None) -> None:
    """Begin a data-protection impact assessment of a plan, as Markdown.

    Everything that the plan in FILE, or of RUN (a number), determines is filled
    in by the order of article 35(7) GDPR. What only people know is marked
    "To be filled in". It is a template: no assessment until people made it one.
    """
    from fednet.exports.assessment import BLANK, write_assessment

    document = write_assessment(_plan_of(app, source))
    if target is None:
        click.echo(document.decode(), nl=False)
        return
    home.write_new(target, document)
    output.say(f"wrote {target}; {document.count(BLANK.encode()) - 1} places are to be filled in")


def _plan_of(app: App, source: str) -> Plan:
    """Read the plan in a file, or the one that a run is bound to."""
    if not source.isdecimal():
        return plans.read(Path(source)).plan
    reader = wiring.reader(app)
    entry = queries.opening_of(reader, queries.require_run(reader, int(source)))
    with wiring.store(app) as store:
        return read_terms(reader, store, entry.opened).plan

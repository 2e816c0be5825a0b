"""`fednet model adapt` and `fednet model own`: models for one institution, which stay there."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import click

from fednet.cli import adapting, opening, output, queries, wiring
from fednet.cli.app import App, example, json_option, pass_app
from fednet.cli.opening import FinalState
from fednet.domain.identity import Commitment, RoundNumber, RunId, SiteId
from fednet.domain.ports import LedgerReader
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, decode_tensors, encode_tensors
from fednet.exports import MODEL_FILE, require_free, write_files
from fednet.node import Keepsakes, Kept

_CARD_FILE = "README.md"
_RUNS = "runs"
"""Where a home's node keeps the files of runs."""
_FILE = click.Path(path_type=Path, exists=True)
_FOLDER = click.Path(path_type=Path, file_okay=False)


class _Rate(click.ParamType[Decimal]):
    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """Accept a decimal number; the plan's own check of the range follows."""
        try:
            number = Decimal(str(value))
        except ArithmeticError:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not (number.is_finite() and 0 < number <= 1_000):
            self.fail(f"{value!r} is not a number above 0, and at most 1000", param, ctx)
        return number


@click.command(
    epilog=example("", "fednet model adapt 1 --data mine.csv --held-out test.csv -o adapted")
)
@click.argument("number", metavar="RUN", type=int)
@click.option("--data", type=_FILE, required=True, help="What to train on; it stays here.")
@click.option("--held-out", type=_FILE, help="What to judge on; default the same data.")
@click.option("--epochs", type=click.IntRange(1, 10_000), default=5, show_default=True)
@click.option("--learning-rate", type=_Rate(), help="Default the plan's.")
@click.option("--only", multiple=True, metavar="PATTERN",
              help="Train these tensors only; repeatable.")  # fmt: skip
@click.option("--round", "wanted", type=click.IntRange(1), help="Final round; default the latest.")
@click.option("--best", is_flag=True, help="The round that did best at the sites, not the latest.")
@click.option("--cluster", type=click.IntRange(0), help="Default the one that fits the data best.")
@click.option("--output", "-o", "target", type=_FOLDER, required=True,
              help="Directory for the model and README.md.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace files that are there.")
@json_option
@pass_app
def adapt(
    app: App, number: int, data: Path, held_out: Path | None, epochs: int,
    learning_rate: Decimal | None, only: tuple[str, ...], wanted: int | None, best: bool,
    cluster: int | None, target: Path, force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Fine-tune the model of RUN on data of your own.

    Behind the walls of training, and sent nowhere. The card tells how good the
    model is before and after, and names the state on the ledger that it came from.
    """
    if best and wanted is not None:
        raise click.UsageError("--best and --round exclude each other")
    paths = {name: target / name for name in (MODEL_FILE, _CARD_FILE)}
    require_free(list(paths.values()), force)
    reader = wiring.reader(app)
    run = queries.require_run(reader, number)
    with output.working("fetching the model"), wiring.store(app) as store:
        if best:
            wanted = opening.best_round(app, reader, store, run)
        state = opening.final_state(app, reader, store, run, wanted)
    wish = adapting.Wish(data, epochs, held_out, learning_rate, only, cluster)
    with output.working("training"):
        kept = _kept(app, reader, run).arrays
        made = adapting.adapt(app, run, state, wish, kept)
    write_files({paths[MODEL_FILE]: made.model, paths[_CARD_FILE]: made.card}, force=force)
    about = made.about
    if as_json:
        told = {
            "run": run,
            "round": about.round,
            "cluster": about.cluster,
            "parent": str(about.parent),
            "sha256": str(about.model),
            "judged_on": about.judged_on,
            "before": dict(about.before),
            "after": dict(about.after),
            "files": [str(path) for path in paths.values()],
        }
        output.emit_json(told)
        return
    where = "" if about.cluster is None else f", cluster {about.cluster}"
    click.echo(f"wrote {target}: round {about.round}{where}, sha256 {about.model}")
    what = "held-out data" if held_out else "the data it was trained on"
    click.echo(f"on {what}: before {_told(about.before)}; after {_told(about.after)}")


@click.command()
@click.argument("number", metavar="RUN", type=int)
@click.option("--output", "-o", "target", type=click.Path(path_type=Path, dir_okay=False),
              required=True, help="Safetensors file.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@pass_app
def own(app: App, number: int, target: Path, force: bool) -> None:
    """Write the model that this site has for itself in RUN.

    That is Ditto's, or the global model with the layers that never travel, as
    the last update that counted left it in this home. It was never on the ledger.
    """
    require_free([target], force)
    reader = wiring.reader(app)
    run = queries.require_run(reader, number)
    kept = _kept(app, reader, run)
    with output.working("fetching the model"), wiring.store(app) as store:
        state = opening.final_state(app, reader, store, run)
    model = _own_of(state, kept)
    metadata: dict[str, object] = {
        "format": "fednet-own/1",
        "kept_after_round": kept.round,
        "run": run,
        "state": str(state.final.state),
    }
    data = encode_tensors(model, metadata)
    write_files({target: data}, force=force)
    click.echo(f"wrote {target}: kept after round {kept.round}, sha256 {Commitment.of(data)}")
    if kept.metrics:
        metrics = {name: float(text) for name, text in kept.metrics.items()}
        click.echo(f"on this site's data: {_told(metrics)}")


def _own_of(state: FinalState, kept: Kept) -> Mapping[str, FloatArray]:
    arrays, _ = decode_tensors(state.data, f"state of round {state.final.round}")
    shape = StateShape.of_state(state.plan, Layout.of(arrays))
    return adapting.own_model(shape, arrays, kept.arrays)


def _kept(app: App, reader: LedgerReader, run: RunId) -> Kept:
    """Return what this home's node keeps of a run; nothing if it is no site's home."""
    site = app.settings().site.id
    if not site:
        return Kept()
    history = queries.history_of(reader, run)
    after_all = RoundNumber(max(history.rounds, default=0) + 1)
    return Keepsakes(app.home / _RUNS / f"run-{run}", SiteId(site)).latest(history, after_all)


def _told(metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in sorted(metrics.items()))

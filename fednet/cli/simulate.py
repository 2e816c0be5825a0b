"""`fednet simulate`: rehearse a plan with virtual sites on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import click

from fednet.cli import output, plans, variants
from fednet.cli.app import App, example, json_option, pass_app
from fednet.domain.identity import RoundNumber
from fednet.errors import FednetError
from fednet.learning.hostile import ATTACKS
from fednet.simulation import Attack, Partition, Scenario, Step, Vanishing
from fednet.simulation.comparison import Outcome

_ATTACKS = tuple(name for name in ATTACKS if name != "none")
_STEPS = (*(step.word for step in Step), "each")
_PNG, _JSON = "curves.png", "result.json"


@click.command(
    epilog=example(
        "",
        "fednet simulate --sites 50 --partition dirichlet:0.3 \\",
        "    --compare fedavg,fedadam",
        "fednet simulate --sites 11 --attack sign-flip-10:2 \\",
        "    --compare fedavg,krum,median",
    )
)
@click.option("--task", default="digits", show_default=True, help="A task that ships records.")
@click.option("--sites", type=int, default=10, show_default=True, help="Virtual sites.")
@click.option("--rounds", type=int, default=10, show_default=True)
@click.option("--partition", default="iid", show_default=True,
              help="How records are dealt: iid, or dirichlet:ALPHA.")  # fmt: skip
@click.option("--attack", metavar="NAME:COUNT",
              help=f"Make COUNT sites hostile: {', '.join(_ATTACKS)}.")  # fmt: skip
@click.option("--vanish", metavar="COUNT@STEP",
              help=f"Let COUNT sites vanish in each attempt: {', '.join(_STEPS)}.")  # fmt: skip
@click.option("--compare", default="fedavg", show_default=True, metavar="NAME,...",
              help="Play in turn: rules, local algorithms, server optimisers, masked.")  # fmt: skip
@click.option("--set", "values", multiple=True, metavar="SECTION.FIELD=VALUE",
              help="Set a field of the plans: --set training.batch_size=16.")  # fmt: skip
@click.option("--plan", "file", type=click.Path(path_type=Path, dir_okay=False),
              help="Start from this plan instead of the defaults.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False),
              help=f"Write {_PNG}, {_JSON} and the plans here.")  # fmt: skip
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False),
              help="Keep the whole network in this new home, for audit and explorer.")  # fmt: skip
@json_option
@pass_app
def simulate(
    app: App,
    task: str,
    sites: int,
    rounds: int,
    partition: str,
    attack: str | None,
    vanish: str | None,
    compare: str,
    values: tuple[str, ...],
    file: Path | None,
    seed: int,
    out: Path | None,
    keep: Path | None,
    as_json: bool,
) -> None:
    """Rehearse plans with virtual sites, before a consortium runs one.

    Each virtual site has an account and acts through the code of a real node, on
    a chain and a store of this rehearsal's own. Nothing of this home is used.
    """
    # Imported here: it knows the chain, the store and torch, which help does not need.
    from fednet.cli import rehearsing

    hostile = Attack.parse(attack, _ATTACKS) if attack else None
    gone = Vanishing.parse(vanish) if vanish else None
    scenario = Scenario(sites, Partition.parse(partition), hostile, seed, gone)
    names = [name.strip() for name in compare.split(",") if name.strip()]
    changes = plans.with_values({}, values)
    raws = {name: variants.lay_out(name, scenario, rounds, changes, file) for name in names}
    with ExitStack() as stack:
        stage = stack.enter_context(rehearsing.staged(scenario, task, keep, output.say))
        outcomes = variants.play_all(stage, raws, _tell)
        if out is not None:
            _write(out, outcomes, scenario, stage.app.home)
    if as_json:
        output.emit_json({"sites": sites, "outcomes": [each.to_json() for each in outcomes]})
    else:
        _print(outcomes, scenario)
    if keep is not None:
        output.say(f"look at it: fednet --home {keep} chain start --engine anvil --port 0")
        output.say(f"      then: fednet --home {keep} explorer")


def _tell(name: str, number: RoundNumber, metrics: Mapping[str, float]) -> None:
    found = ", ".join(f"{key} {value:.3f}" for key, value in metrics.items())
    output.say(f"{name}: round {number}: {found}")


def _print(outcomes: list[Outcome], scenario: Scenario) -> None:
    metric = next((each.metric for each in outcomes if each.metric), "metric")
    rows = [
        (
            each.name,
            "none" if each.last is None else f"{each.last:.4f}",
            "none" if each.best is None else f"{each.best:.4f}",
            len(each.series),
            f"{each.rehearsal.seconds:.1f}",
            "; ".join(f"{text} ({count})" for text, count in each.rehearsal.failures.items())[:100],
        )
        for each in outcomes
    ]
    attack = scenario.attack
    hostile = f", {attack.count} of them hostile ({attack.name})" if attack else ""
    title = f"{scenario.sites} sites{hostile}"
    columns = ("variant", f"final {metric}", "best", "rounds", "seconds", "went wrong")
    output.emit_table(title, columns, rows)


def _write(out: Path, outcomes: list[Outcome], scenario: Scenario, home: Path) -> None:
    """Write curves, figures and plans.

    Raises:
        FednetError: A file cannot be written.
    """
    from fednet.simulation.curves import draw_curves

    try:
        out.mkdir(parents=True, exist_ok=True)
        output.write_json(out / _JSON, [each.to_json() for each in outcomes])
        for each in outcomes:
            for suffix in (".toml", ".safetensors"):
                data = (home / f"{each.name}{suffix}").read_bytes()
                (out / f"{each.name}{suffix}").write_bytes(data)
    except OSError as exc:
        raise FednetError("cannot write", subject=str(out), actual=exc.strerror) from exc
    draw_curves(outcomes, f"{scenario.sites} virtual sites", out / _PNG)
    output.say(f"wrote {out / _PNG}, {out / _JSON} and {len(outcomes)} plans")

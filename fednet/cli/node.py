"""`fednet node`: join, run, status."""

from __future__ import annotations

from pathlib import Path

import click

from fednet.cli import joining, nodes, output
from fednet.cli.app import (
    App,
    Signer,
    account_options,
    example,
    json_option,
    pass_app,
    read_first_line,
    read_text,
)


@click.group(
    epilog=example(
        "as a new institution with an invitation",
        'fednet node join invitation.json --name "Clinic North" \\',
        "    --data data.csv --task breast-cancer",
        "fednet node run",
    )
)
def node() -> None:
    """Run the site's node: join a consortium, take part in runs."""


@node.command()
@click.argument("invitation", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", help="Name of the institution; never a person's.")
@click.option("--data", type=click.Path(path_type=Path), help="The private data: file or folder.")
@click.option("--task", help="Task to check it against; default the invitation's.")
@click.option(
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with what this site's airlock lets out; default what plans do.",
)
@click.option("--code-file", type=click.Path(path_type=Path, dir_okay=False),
              help="File with the invitation's code; asked for if absent.")  # fmt: skip
@click.option("--description-file", type=click.Path(path_type=Path, dir_okay=False),
              help="Description for the operator; only its SHA-256 goes on the chain.")  # fmt: skip
@click.option("--listen", help="Multiaddress to be dialled at; by default dial out only.")
@click.option("--no-wait", is_flag=True, help="Do not wait for admission; run again later.")
@click.option("--run", "runs", is_flag=True, help="Once joined, run the node until Ctrl-C.")
@account_options
@pass_app
def join(
    app: App,
    invitation: Path,
    name: str | None,
    data: Path | None,
    task: str | None,
    policy: Path | None,
    code_file: Path | None,
    description_file: Path | None,
    listen: str | None,
    no_wait: bool,
    runs: bool,
    account: str | None,
    password_file: Path | None,
) -> None:
    """Join with the INVITATION file that the operator made.

    Makes the site's key, checks the data against the task, applies, waits for
    admission, registers the dataset. Run it again after an interruption: it
    goes on where it stopped.
    """
    if no_wait and runs:
        raise click.UsageError("--run waits for admission; leave out --no-wait")
    code = read_first_line(code_file, "code file") if code_file else None
    about = read_text(None, description_file, "description", optional=True)
    request = joining.Request(
        invitation, code, name, data, task, policy, listen, about, waits=not no_wait
    )
    signer = Signer(account, password_file)
    joined = joining.join(app, request, signer)
    if joined.dataset is None:
        click.echo(f"site {joined.site} waits for admission; run the same command again later")
        return
    click.echo(f"site {joined.site} is admitted; dataset {joined.dataset} is registered")
    if runs:
        nodes.run(app, signer)
        return
    output.say("next: fednet access list, fednet run list, fednet node run")


@node.command()
@click.option(
    "--aggregate-only",
    is_flag=True,
    help="Only add encrypted updates, in runs whose plans name this site; needs no dataset.",
)
@account_options
@pass_app
def run(app: App, aggregate_only: bool, account: str | None, password_file: Path | None) -> None:
    """Take part in every run this site consented to, until Ctrl-C.

    Kill it at any moment and start it again: it goes on from what the chain
    says, and does nothing twice.
    """
    nodes.run(app, Signer(account, password_file), needs_data=not aggregate_only)


@node.command()
@json_option
@pass_app
def status(app: App, as_json: bool) -> None:
    """Show this site, its account, its data and the runs it is in."""
    found = nodes.status(app)
    if as_json:
        output.emit_json(found)
        return
    runs = found.pop("runs")
    output.emit_fields(found)
    for number, latest in runs.items() if isinstance(runs, dict) else ():
        output.emit_fields({f"run {number}": f"round {latest['round']}: {latest['act']}"})

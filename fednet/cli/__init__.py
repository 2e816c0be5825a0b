"""The command line: `fednet`. The only home of click, and of the one error handler.

A command turns settings into objects, makes one call, prints. Results go to
stdout, progress to stderr; a failure is one line, a hint, and an exit status
that says what kind it was (see `fednet.errors`); Ctrl-C is 130.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Any

import click

import fednet
from fednet.cli.app import App
from fednet.cli.later import LaterGroup
from fednet.cli.remedies import remedy_of
from fednet.errors import FednetError

EXIT_INTERNAL = 1
EXIT_INTERRUPTED = 130
_COMMANDS = (
    "access",
    "airlock",
    "audit",
    "chain",
    "checkpoint",
    "dataset",
    "deploy",
    "doctor",
    "explorer",
    "homomorphic",
    "keys",
    "ledger",
    "model",
    "node",
    "plan",
    "privacy",
    "report",
    "rewards",
    "run",
    "safes",
    "sealed",
    "simulate",
    "site",
    "store",
)
"""Each stands in a module of its name."""


class _Root(LaterGroup):
    """The root command, which turns whatever goes wrong into one line."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        """Run a command; let no traceback out."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
            ctx.exit(EXIT_INTERRUPTED)
        except BrokenPipeError:
            # Who read our results has enough; nothing more may be written there.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        except Exception as exc:
            ctx.exit(_report(exc, bool(ctx.params.get("verbose"))))


def _report(exc: Exception, verbose: bool) -> int:
    """Print an error and its remedy; return the exit status."""
    if verbose:
        traceback.print_exception(exc)
    if isinstance(exc, FednetError):
        message, hint, code = str(exc), remedy_of(exc), exc.exit_code
    elif isinstance(exc, OSError):
        place = f"{exc.filename}: " if exc.filename else ""
        message, hint, code = f"{place}{exc.strerror or exc}", "", EXIT_INTERNAL
        hint = "see whether the disk is full and who may write there"
    else:
        message, code = f"internal fault: {type(exc).__name__}: {exc}", EXIT_INTERNAL
        hint = "this is a defect of fednet; run again with `fednet --verbose` and report it"
    click.echo(f"error: {' '.join(message.split())}", err=True)
    click.echo(f"hint: {hint}", err=True)
    return code


@click.group(
    cls=_Root,
    later={name: name for name in _COMMANDS},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="A new institution starts with: fednet node join INVITATION",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="FEDNET_HOME",
    default=Path("~/.fednet"),
    show_default="~/.fednet",
    help="Directory of keys, settings and caches; also FEDNET_HOME.",
)
@click.option("--verbose", is_flag=True, help="Show the traceback of an error.")
@click.version_option(fednet.__version__, prog_name="fednet", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context, home: Path, verbose: bool) -> None:
    """Train one model across institutions, and let anyone check who did what.

    Settings stand in HOME/fednet.toml; FEDNET_<SECTION>_<FIELD> overrides one.
    Every reading command has --json. `fednet doctor` finds what is amiss.
    """
    ctx.obj = App(home=home.expanduser().absolute(), verbose=verbose)

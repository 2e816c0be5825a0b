"""Rewrite the generated blocks of the documents; `--check` only compares.

A block stands between `<!-- generated: NAME -->` and `<!-- end -->`. What it
says comes from the code, so that no document can drift from it. The README's
demo session is recorded by `scripts/demo --record`, gas and speed by
`scripts/bench`: those are measured, not derived, and left alone here.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from fednet.audit.checks import CHECKS
from fednet.audit.schema import schema_text
from fednet.cli import main as fednet_command
from fednet.cli.settings import Settings
from scripts.threat_model import threat_model

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_WIDTH = 80
DOCUMENTS = (
    "README.md",
    "docs/protocol.md",
    "docs/cli.md",
    "docs/operations.md",
    "docs/threat-model.md",
)
WHOLE = {"docs/audit.schema.json": schema_text}
"""Documents that are generated as a whole."""


def main() -> int:
    """Rewrite or compare; return 1 if a document has to change and `--check` was given."""
    parser = argparse.ArgumentParser(description="Rewrite the generated blocks of the documents.")
    parser.add_argument("--check", action="store_true", help="only compare")
    only_compare = parser.parse_args().check
    stale = False
    for name in (*DOCUMENTS, *WHOLE):
        path = ROOT / name
        before = path.read_text("utf-8")
        after = WHOLE[name]() if name in WHOLE else fill(before, BLOCKS)
        if after == before:
            continue
        stale = True
        if only_compare:
            lines = difflib.unified_diff(
                before.splitlines(), after.splitlines(), name, f"{name} (generated)", lineterm=""
            )
            print("\n".join(lines))
        else:
            path.write_text(after, encoding="utf-8")
            print(f"wrote {name}")
    if stale and only_compare:
        print("run `python -m scripts.generate_docs` and commit the result")
    return int(stale and only_compare)


def fill(text: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """Fill every block of a document whose name is known; leave the others."""

    def replace(found: re.Match[str]) -> str:
        make = blocks.get(found.group(2))
        return f"{found.group(1)}{make()}\n{found.group(3)}" if make else found.group(0)

    return _BLOCK.sub(replace, text)


def audit_checks() -> str:
    """Tabulate the audit's numbered questions."""
    rows = [f"| {check.number} | {check.title} | {check.proves} |" for check in CHECKS]
    return "\n".join(["| # | Check | What holds if nothing is found |", "|---|---|---|", *rows])


def command_line() -> str:
    """Print the help of every command, outermost first."""
    parts = [
        f"## {' '.join(names)}\n\n```\n{text}\n```"
        for names, text in helps(("fednet",), fednet_command, None)
    ]
    return "\n\n".join(parts)


def overview() -> str:
    """Print the help of `fednet` itself."""
    _, text = next(helps(("fednet",), fednet_command, None))
    return f"```\n$ fednet --help\n{text}\n```"


def helps(
    names: tuple[str, ...], command: click.Command, parent: click.Context | None
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every command's name and help text."""
    settings = {**command.context_settings, "terminal_width": _WIDTH}
    context = click.Context(command, info_name=names[-1], parent=parent, **settings)
    lines = command.get_help(context).rstrip().splitlines()
    yield names, "\n".join(line.rstrip() for line in lines)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from helps((*names, name), inner, context)


def settings() -> str:
    """Print every setting with its default."""
    lines = ["```toml"]
    for name, section in Settings().model_dump().items():
        lines.append(f"[{name}]")
        for field, value in section.items():
            lines.append(f"{field} = {_toml(value)}")
        lines.append("")
    return "\n".join([*lines[:-1], "```"])


def _toml(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return str(list(value)) if isinstance(value, tuple) else str(value)


BLOCKS: dict[str, Callable[[], str]] = {
    "audit-checks": audit_checks,
    "command-line": command_line,
    "overview": overview,
    "settings": settings,
    "threat-model": threat_model,
}


if __name__ == "__main__":
    sys.exit(main())

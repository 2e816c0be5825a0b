"""Lay a statement out as one HTML file that asks nobody for anything."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from fednet.exports import wording
from fednet.exports.statement import Seal, Statement
from fednet.exports.texts import when

_TONES = {
    "holds": "holds",
    "holds in part": "open",
    "sealed": "open",
    "does not hold": "fails",
    "not audited": "open",
}


def write_html(statement: Statement, seal: Seal | None) -> bytes:
    """Return the page's bytes, equal for equal arguments."""
    page = _template("report.html.j2").render(
        statement=statement, tone=_TONES[statement.verdict], seal_lines=seal_lines(statement, seal)
    )
    return page.encode("utf-8") + b"\n"


def seal_lines(statement: Statement, seal: Seal | None) -> tuple[str, ...]:
    """Say who vouches for a statement."""
    digest = f"SHA-256 of this report's statement: {statement.digest}"
    if seal is None:
        return (digest, "This report is not signed.")
    return (
        digest,
        f"Signed by account {seal.account} (EIP-712): {seal.signature}",
        "The statement and its signature stand in the .sig.json file beside this report;"
        " check both with: fednet report verify FILE",
        wording.SIGNATURE,
    )


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("fednet.exports"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["when"] = when
    return environment.get_template(name)

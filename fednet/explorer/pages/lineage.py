"""A model's way back to the initial model, drawn and as a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fednet.domain.identity import Commitment
from fednet.errors import FednetError
from fednet.explorer.pages.reading import asked_run, window_of
from fednet.explorer.paging import page_of
from fednet.provenance import Lineage, LineageStep, draw

_STEPS = 8
"""Rounds in one drawing; more would not be readable."""
_OWN_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)


def of_run(request: Request) -> Response:
    """Go to the lineage of a run's latest model."""
    window, run = window_of(request), asked_run(request)
    latest = window.index.rounds(run.run, limit=2, newest_first=True)
    states = [each.state for each in latest if each.status == "final" and each.state]
    subject = states[0] if states else run.initial_model
    return RedirectResponse(f"/lineage/{subject.hex()}?run={run.run}", 302)


def lineage(request: Request) -> Response:
    """Show how a model came about."""
    window = window_of(request)
    try:
        subject = Commitment(request.path_params["commitment"])
        found = window.lineage(subject)
    except FednetError as exc:
        raise HTTPException(404, str(exc)) from exc
    page = page_of(request, len(found.steps), rows=_STEPS)
    steps = found.steps[page.offset : page.offset + page.rows]
    return window.page(
        request,
        "lineage.html",
        {
            "lineage": found,
            "page": page,
            "steps": steps,
            "graph": drawing(found, steps),
            "replay": window.verifier.latest(found.run),
            "names": window.names(),
        },
    )


def drawing(lineage: Lineage, steps: Sequence[LineageStep]) -> Markup:
    """Draw some of a lineage's steps as a part of a page.

    The drawing's own style is left off, for it would style the page around it
    (and the page's policy forbids it); its own role too, for it holds links.
    """
    if not steps:
        return Markup("")
    rounds = {str(each.commitment): step.round for step in steps for each in step.updates}

    def link(kind: str, name: str) -> str | None:
        if kind in ("state", "model"):
            return f"/lineage/{name}"
        number = rounds.get(name) if kind == "update" else name.rpartition("/")[2]
        return f"/runs/{lineage.run}/rounds/{number}"

    shown = replace(lineage, steps=tuple(steps), initial_model=steps[-1].previous_state)
    svg = _OWN_STYLE.sub("", draw(shown, link)).replace('role="img"', 'role="group"', 1)
    if steps[-1].round > 1:
        before = f"Round {steps[-1].round - 1}, on the next page"
        svg = svg.replace(">Initial model</text>", f">{before}</text>")
    return Markup(svg)  # noqa: S704 - the drawing escapes what it shows

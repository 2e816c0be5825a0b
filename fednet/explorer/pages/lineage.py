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
from fednet.domain.record import RoundRecord
from fednet.errors import FednetError
from fednet.explorer import blobs
from fednet.explorer.pages.reading import asked_run, window_of
from fednet.explorer.paging import integer, page_of
from fednet.explorer.window import Window
from fednet.provenance import Lineage, LineageStep, draw, with_clusters

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
    page = page_of(request, len(found.steps), "cluster", rows=_STEPS)
    shown = replace(found, steps=found.steps[page.offset : page.offset + page.rows])
    plan = blobs.plan(window.blobs, found.plan, found.plan_locator)
    count = plan.clusters.count if plan else 1
    if plan and count > 1:
        shown = with_clusters(shown, plan.clusters, _records(window, shown), _asked(request, count))
    steps = shown.steps
    return window.page(
        request,
        "lineage.html",
        {
            "lineage": found,
            "veil": blobs.veil(plan),
            "clusters": count,
            "cluster": shown.cluster,
            "page": page,
            "steps": steps,
            "graph": drawing(shown, steps),
            "replay": window.verifier.latest(found.run),
            "names": window.names(),
        },
    )


def _records(window: Window, shown: Lineage) -> dict[Commitment, RoundRecord]:
    """Read the records of the rounds that are shown, as far as they are at hand."""
    read = {
        step.record: blobs.record(window.blobs, step.record, step.record_locator)
        for step in shown.steps
    }
    return {commitment: record for commitment, record in read.items() if record}


def _asked(request: Request, count: int) -> int | None:
    """Return the cluster that is asked for; None shows all."""
    number = integer(request, "cluster")
    if number is not None and number >= count:
        raise HTTPException(404, f"There are clusters 0 to {count - 1}.")
    return number


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

"""The Five Safes of a run: the beginning of each on one page, each whole on pages of its own."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from fednet.domain.plan import Plan
from fednet.explorer import blobs
from fednet.explorer.pages.reading import asked_run, window_of
from fednet.explorer.paging import page_of
from fednet.explorer.window import Window
from fednet.provenance import PARTS, QUESTIONS, RunRow, five_safes, part_of

_FEW = 12
"""Lines of each part where all five stand on one page."""


def safes(request: Request) -> Response:
    """Show the beginning of all five."""
    window, run = window_of(request), asked_run(request)
    plan = _plan(window, run)
    found = five_safes(window.index, run.run, plan, window.reader.deployment)
    parts = [(part, QUESTIONS[part], getattr(found, part)) for part in PARTS]
    told = {"run": run, "plan": plan, "parts": parts, "few": _FEW}
    return window.page(request, "safes.html", told)


def part(request: Request) -> Response:
    """Show one of the five, page by page."""
    window, run = window_of(request), asked_run(request)
    name = request.path_params["part"]
    if name not in PARTS:
        raise HTTPException(404, f"The Five Safes are {', '.join(PARTS)}.")
    plan = _plan(window, run)
    lines = part_of(window.index, run.run, plan, window.reader.deployment, name)
    page = page_of(request, len(lines))
    shown = lines[page.offset : page.offset + page.rows]
    told = {
        "run": run,
        "plan": plan,
        "part": name,
        "question": QUESTIONS[name],
        "page": page,
        "lines": shown,
    }
    return window.page(request, "safes_part.html", told)


def _plan(window: Window, run: RunRow) -> Plan | None:
    return blobs.plan(window.blobs, run.plan, run.plan_locator)

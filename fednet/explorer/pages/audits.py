"""What a replay found, and the buttons that start one."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fednet.audit import CHECKS
from fednet.domain.identity import RunId
from fednet.explorer.defences import is_same_origin
from fednet.explorer.pages.reading import asked_run, panel_of, window_of
from fednet.explorer.paging import page_of
from fednet.explorer.reports import KINDS


def audit(request: Request) -> Response:
    """Show the latest replay of a run, finding by finding."""
    window, run = window_of(request), asked_run(request)
    replay = window.verifier.latest(run.run)
    rounds = replay.report.rounds if replay and replay.report else ()
    page = page_of(request, len(rounds))
    return window.page(
        request,
        "audit.html",
        {
            "page": page,
            "rounds": rounds[page.offset : page.offset + page.rows],
            "checks": CHECKS,
            **panel_of(window, run),
        },
    )


def panel(request: Request) -> Response:
    """Show the verdict alone, for a page that follows a replay."""
    window, run = window_of(request), asked_run(request)
    return window.page(request, "audit_panel_alone.html", panel_of(window, run))


def report(request: Request) -> Response:
    """Hand out what the latest replay found, as a report to be filed."""
    window, run = window_of(request), asked_run(request)
    kind = request.path_params["kind"]
    replay = window.verifier.latest(run.run)
    if kind not in KINDS or replay is None or replay.report is None:
        raise HTTPException(404, "There is a report of what was replayed here only: verify first.")
    name = f"fednet-run-{run.run}.{kind}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(window.reports.write(replay.report, kind), 200, headers, KINDS[kind])


async def verify(request: Request) -> Response:
    """Start a replay that recalls what this machine verified before, for a form of ours only."""
    return _start(request, afresh=False)


async def verify_afresh(request: Request) -> Response:
    """Start a replay of everything, for a form of ours only."""
    return _start(request, afresh=True)


def _start(request: Request, *, afresh: bool) -> Response:
    if not is_same_origin(request):
        raise HTTPException(403, "A replay is started from a page of this explorer only.")
    window, run = window_of(request), asked_run(request)
    begun = window.verifier.start(RunId(run.run), afresh=afresh)
    if not begun and window.verifier.running != run.run:
        raise HTTPException(
            409, "Another run is being replayed; one replay runs at a time. Try again later."
        )
    return RedirectResponse(f"/runs/{run.run}/audit#verdict", 303)

"""The application: addresses, and what happens when one does not work.

Every page is a GET without side effects; the two POSTs start a replay, and are
taken only from a page of ours.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from fednet.errors import FednetError, LedgerError
from fednet.explorer.defences import Defences, host_names
from fednet.explorer.pages import (
    audits,
    events,
    lineage,
    overview,
    rounds,
    runs,
    safes,
    search,
    sites,
)
from fednet.explorer.window import STATIC, Window

_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_YEAR_SECONDS = 31_536_000
Endpoint = Callable[[Request], Response]
_PAGES: tuple[tuple[str, Endpoint], ...] = (
    ("/", overview.overview),
    ("/live", overview.live),
    ("/runs", runs.runs),
    ("/runs/{run:int}", runs.run),
    ("/runs/{run:int}/live", runs.live),
    ("/runs/{run:int}/updates", runs.updates),
    ("/runs/{run:int}/audit", audits.audit),
    ("/runs/{run:int}/panel", audits.panel),
    ("/runs/{run:int}/report.{kind}", audits.report),
    ("/runs/{run:int}/lineage", lineage.of_run),
    ("/runs/{run:int}/safes", safes.safes),
    ("/runs/{run:int}/safes/{part}", safes.part),
    ("/runs/{run:int}/rounds/{round:int}", rounds.round_page),
    ("/runs/{run:int}/rounds/{round:int}/live", rounds.live),
    ("/lineage/{commitment}", lineage.lineage),
    ("/sites", sites.sites),
    ("/sites/{site:int}", sites.site),
    ("/datasets", sites.datasets),
    ("/datasets/{dataset:int}", sites.dataset),
    ("/members", sites.members),
    ("/events", events.events),
    ("/search", search.search),
    ("/static/{name}", lambda request: _static(request)),
)

_STARTS = (
    ("/runs/{run:int}/verify", audits.verify),
    ("/runs/{run:int}/verify/afresh", audits.verify_afresh),
)


def create_app(window: Window, host: str = "127.0.0.1") -> ASGIApp:
    """Make the application.

    Args:
        window: What the pages read from.
        host: Address that the server listens on; decides which names it answers to.
    """
    routes = [Route(path, page, methods=["GET"]) for path, page in _PAGES]
    routes += [Route(path, start, methods=["POST"]) for path, start in _STARTS]
    app = Starlette(
        routes=routes,
        exception_handlers={
            HTTPException: _not_here,
            FednetError: _failed,
            OverflowError: _out_of_range,
            Exception: _broken,
        },
    )
    app.state.window = window
    app.router.redirect_slashes = False
    # Outside of Starlette, so that the page of a defect has the safe headers too.
    return Defences(app, host_names(host), window.problem)


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in STATIC:
        raise HTTPException(404)
    kind = _KINDS[name[name.rindex(".") :]]
    headers = {"Cache-Control": f"public, max-age={_YEAR_SECONDS}, immutable"}
    return Response(STATIC[name], media_type=kind, headers=headers)


def _window(request: Request) -> Window:
    found: Window = request.app.state.window
    return found


def _not_here(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    told = exc.detail if isinstance(exc, HTTPException) else ""
    if status == 405:
        return PlainTextResponse("Only GET is answered here.\n", 405, {"Allow": "GET, HEAD"})
    problem, hint = {
        404: ("There is nothing at this address, as far as the chain has been read.",
              "Search for what you look for, or start at the overview."),
    }.get(status, (told, ""))  # fmt: skip
    if status == 404 and told != "Not Found":
        problem = told
    return _window(request).problem(request, status, problem, hint)


def _failed(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, FednetError)
    status = 503 if exc.retryable or isinstance(exc, LedgerError) else 400
    return _window(request).problem(request, status, str(exc), exc.hint)


def _out_of_range(request: Request, _exc: Exception) -> Response:
    hint = "Search for what you look for, or start at the overview."
    return _window(request).problem(request, 404, "No number on the ledger is that large.", hint)


def _broken(request: Request, exc: Exception) -> Response:
    return _window(request).problem(
        request, 500, f"The explorer failed: {type(exc).__name__}.",
        "This is a defect of fednet. The ledger is not affected; the other pages still work.",
    )  # fmt: skip

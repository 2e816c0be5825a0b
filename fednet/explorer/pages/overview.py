"""The network at one glance."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from fednet.explorer.pages.reading import replays_of, window_of
from fednet.explorer.window import Window

_RUNS, _EVENTS = 10, 12


def overview(request: Request) -> Response:
    """Show the deployment, the latest runs and the newest records."""
    window = window_of(request)
    deployment = window.reader.deployment
    codes = dict(deployment.code_hashes)
    contracts = [(name, at, codes.get(name)) for name, at in deployment.contracts().items()]
    return window.page(
        request,
        "overview.html",
        {
            "deployment": deployment,
            "contracts": contracts,
            **_part(window),
        },
    )


def live(request: Request) -> Response:
    """Show the part of the overview that changes."""
    window = window_of(request)
    return window.page(request, "overview_part_alone.html", _part(window))


def _part(window: Window) -> dict[str, object]:
    index = window.index
    runs = index.runs(limit=_RUNS, newest_first=True)
    return {
        "counts": {
            "sites": index.count_sites(),
            "datasets": index.count_datasets(),
            "runs": index.count_runs(),
            "updates": index.count_updates(),
            "events": index.count_events(),
        },
        "runs": runs,
        "replays": replays_of(window, runs),
        "events": index.events(limit=_EVENTS, newest_first=True),
        "names": window.names(),
    }

"""Everything on the ledger, newest first."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from fednet.explorer.pages.reading import listed, window_of
from fednet.explorer.paging import digest, integer, moment

_FIELDS = ("run", "site", "since", "until", "block", "transaction")


def events(request: Request) -> Response:
    """List records, held to a run, a site or a time if the query says so."""
    window = window_of(request)
    asked: dict[str, Any] = {
        "run": integer(request, "run"),
        "site": integer(request, "site"),
        "since": moment(request, "since"),
        "until": moment(request, "until"),
        "block": integer(request, "block"),
        "transaction": digest(request, "transaction"),
    }
    filters = {name: value for name, value in asked.items() if value is not None}
    newest = partial(window.index.events, newest_first=True, **filters)
    page, found = listed(request, window.index.count_events(**filters), newest, *_FIELDS)
    return window.page(
        request,
        "events.html",
        {
            "page": page,
            "events": found,
            "names": window.names(),
            "asked": {name: request.query_params.get(name, "")[:66] for name in _FIELDS},
        },
    )

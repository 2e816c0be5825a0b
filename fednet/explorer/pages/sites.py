"""Sites, members and datasets."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from fednet.domain.identity import DatasetId, SiteId
from fednet.explorer.pages.reading import window_of
from fednet.explorer.paging import moment, page_of

_FEW = 20
_MANY = 500
_HISTORY = 100_000


def sites(request: Request) -> Response:
    """List the sites."""
    window = window_of(request)
    page = page_of(request, window.index.count_sites())
    found = window.index.sites(limit=page.rows, offset=page.offset)
    return window.page(
        request,
        "sites.html",
        {
            "page": page,
            "sites": found,
        },
    )


def site(request: Request) -> Response:
    """Show a site: who it is, what it gave, what replays say of it."""
    window, number = window_of(request), SiteId(request.path_params["site"])
    index = window.index
    found = index.site(number)
    if found is None:
        raise HTTPException(404, f"There is no site {number}, as far as the chain was read.")
    page = page_of(request, found.updates)
    contributions = index.contributions(number, limit=_FEW)
    return window.page(
        request,
        "site.html",
        {
            "site": found,
            "page": page,
            "updates": index.updates(
                site=number, limit=page.rows, offset=page.offset, newest_first=True
            ),
            "contributions": contributions[::-1],
            "replays": {each.run: window.verifier.latest(each.run) for each in contributions},
            "datasets": index.datasets(site=number, limit=_FEW),
            "events": index.events(site=number, limit=_FEW, newest_first=True),
            "names": window.names(),
        },
    )


def datasets(request: Request) -> Response:
    """List the datasets."""
    window = window_of(request)
    page = page_of(request, window.index.count_datasets())
    found = window.index.datasets(limit=page.rows, offset=page.offset)
    return window.page(
        request,
        "datasets.html",
        {
            "page": page,
            "datasets": found,
            "names": window.names(),
        },
    )


def dataset(request: Request) -> Response:
    """Show a dataset and everything that ever touched it."""
    window, number = window_of(request), DatasetId(request.path_params["dataset"])
    index = window.index
    found = index.dataset(number)
    if found is None:
        raise HTTPException(404, f"There is no dataset {number}, as far as the chain was read.")
    page = page_of(request, len(index.history(number, limit=_HISTORY)))
    return window.page(
        request,
        "dataset.html",
        {
            "dataset": found,
            "accesses": index.accesses(dataset=number, limit=_MANY, newest_first=True),
            "page": page,
            "events": index.history(number, limit=page.rows, offset=page.offset),
            "names": window.names(),
        },
    )


def members(request: Request) -> Response:
    """List who was a member at a time."""
    window, at = window_of(request), moment(request, "at")
    head = window.refresher.reading.head
    now = head.timestamp if head else 0
    found = window.index.members_at(time=at if at is not None else now)
    page = page_of(request, len(found), "at")
    return window.page(
        request,
        "members.html",
        {
            "members": found[page.offset : page.offset + page.rows],
            "page": page,
            "at": at,
            "asked": request.query_params.get("at", "")[:32],
        },
    )

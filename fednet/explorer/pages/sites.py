"""Sites, members and datasets."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from fednet.explorer.pages.reading import asked, listed, window_of
from fednet.explorer.paging import moment, page_of

_FEW = 20
_MANY = 500


def sites(request: Request) -> Response:
    """List the sites."""
    window = window_of(request)
    page, found = listed(request, window.index.count_sites(), window.index.sites)
    return window.page(request, "sites.html", {"page": page, "sites": found})


def site(request: Request) -> Response:
    """Show a site: who it is, what it gave, what replays say of it."""
    window = window_of(request)
    index = window.index
    found = asked(request, "site", index.site)
    of_site = partial(index.updates, site=found.site, newest_first=True)
    page, updates = listed(request, found.updates, of_site)
    contributions = index.contributions(found.site, limit=_FEW)
    return window.page(
        request,
        "site.html",
        {
            "site": found,
            "page": page,
            "updates": updates,
            "contributions": contributions[::-1],
            "replays": {each.run: window.verifier.latest(each.run) for each in contributions},
            "datasets": index.datasets(site=found.site, limit=_FEW),
            "events": index.events(site=found.site, limit=_FEW, newest_first=True),
            "names": window.names(),
        },
    )


def datasets(request: Request) -> Response:
    """List the datasets."""
    window = window_of(request)
    page, found = listed(request, window.index.count_datasets(), window.index.datasets)
    told = {"page": page, "datasets": found, "names": window.names()}
    return window.page(request, "datasets.html", told)


def dataset(request: Request) -> Response:
    """Show a dataset and everything that ever touched it."""
    window = window_of(request)
    index = window.index
    found = asked(request, "dataset", index.dataset)
    number = found.dataset
    page, history = listed(request, index.count_history(number), partial(index.history, number))
    return window.page(
        request,
        "dataset.html",
        {
            "dataset": found,
            "accesses": index.accesses(dataset=number, limit=_MANY, newest_first=True),
            "budget": index.budget(number),
            "ceilings": index.ceilings(dataset=number, limit=_FEW, newest_first=True),
            "spendings": index.spendings(dataset=number, limit=_FEW, newest_first=True),
            "releases": index.releases(dataset=number, limit=_FEW, newest_first=True),
            "erasures": index.erasures(dataset=number, limit=_FEW, newest_first=True),
            "page": page,
            "events": history,
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

"""What a text names on the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from fednet.explorer.pages.reading import window_of
from fednet.explorer.paging import MAX_QUERY_LETTERS, ROWS
from fednet.provenance import Match


@dataclass(frozen=True, slots=True)
class Found:
    """A match and the page that shows it."""

    kind: str
    subject: str
    place: str
    href: str


def search(request: Request) -> Response:
    """Look a text up."""
    query = request.query_params.get("q", "").strip()[:MAX_QUERY_LETTERS]
    matches = window_of(request).index.lookup(query) if query else []
    return window_of(request).page(
        request,
        "search.html",
        {
            "asked": query,
            "matches": [
                Found(each.kind, each.subject, each.where, address_of(each))
                for each in matches[:ROWS]
            ],
            "more": len(matches) > ROWS,
        },
    )


def address_of(match: Match) -> str:
    """Name the page that shows a match; empty if none does."""
    if match.kind == "transaction":
        return f"/events?transaction={quote(match.subject.removeprefix('0x'))}"
    if match.run and match.round:
        return f"/runs/{match.run}/rounds/{match.round}"
    if match.run:
        return f"/runs/{match.run}"
    if match.dataset:
        return f"/datasets/{match.dataset}"
    if match.site:
        return f"/sites/{match.site}"
    return "" if match.block is None else f"/events?block={match.block}"

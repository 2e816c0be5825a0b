"""What several pages read in the same way: what an address names, and a page of a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

from fednet.domain.identity import RoundNumber
from fednet.explorer.paging import Page, page_of
from fednet.explorer.verifying import Replay
from fednet.explorer.window import Window
from fednet.provenance import RoundRow, RunRow

Row = TypeVar("Row")
Rows = TypeVar("Rows", covariant=True)


class Lister(Protocol[Rows]):
    """Reads some rows of a list."""

    def __call__(self, *, limit: int, offset: int) -> Rows:
        """Return at most so many rows after so many others."""
        ...


def window_of(request: Request) -> Window:
    """Return what the pages read from."""
    found: Window = request.app.state.window
    return found


def listed(
    request: Request, total: int, lister: Lister[Sequence[Row]], *keep: str
) -> tuple[Page, Sequence[Row]]:
    """Read the page of a list that a request asks for.

    Args:
        request: What was asked.
        total: Rows of the whole list.
        lister: Reads them.
        keep: Other fields of the query that the neighbours shall ask for too.
    """
    page = page_of(request, total, *keep)
    return page, lister(limit=page.rows, offset=page.offset)


def asked(request: Request, what: str, find: Callable[[int], Row | None]) -> Row:
    """Return the run, site or dataset that the address names.

    Raises:
        HTTPException: The index knows none.
    """
    number: int = request.path_params[what]
    found = find(number)
    if found is None:
        raise HTTPException(404, f"There is no {what} {number} yet, as far as the chain was read.")
    return found


def asked_run(request: Request) -> RunRow:
    """Return the run that the address names.

    Raises:
        HTTPException: The index knows none.
    """
    return asked(request, "run", window_of(request).index.run)


def asked_round(request: Request, run: RunRow) -> RoundRow:
    """Return the round that the address names.

    Raises:
        HTTPException: The index knows none.
    """
    number = request.path_params["round"]
    found = window_of(request).index.round(run.run, RoundNumber(number))
    if found is None:
        raise HTTPException(404, f"Round {number} of run {run.run} has not begun.")
    return found


def panel_of(window: Window, run: RunRow) -> dict[str, object]:
    """Read what a run's verdict is made of."""
    replay = window.verifier.latest(run.run)
    newest = window.index.events(run=run.run, limit=1, newest_first=True)
    return {
        "run": run,
        "replay": replay,
        "last_block": newest[0].block if newest else run.block,
        "busy": window.verifier.running,
        "names": window.names(),
    }


def replays_of(window: Window, runs: Sequence[RunRow]) -> dict[int, Replay | None]:
    """Read the latest replay of each run."""
    return {int(each.run): window.verifier.latest(each.run) for each in runs}


def left_out(inclusion: bytes) -> int:
    """Count the submissions that a proposal leaves out: its two-bit codes that are not zero."""
    return sum(1 for byte in inclusion for shift in (0, 2, 4, 6) if byte >> shift & 3)

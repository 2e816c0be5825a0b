"""What several pages read in the same way."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request

from fednet.domain.identity import RoundNumber, RunId
from fednet.explorer.verifying import Replay
from fednet.explorer.window import Window
from fednet.provenance import RoundRow, RunRow


def window_of(request: Request) -> Window:
    """Return what the pages read from."""
    found: Window = request.app.state.window
    return found


def asked_run(request: Request) -> RunRow:
    """Return the run that the address names.

    Raises:
        HTTPException: The index knows none.
    """
    number = request.path_params["run"]
    run = window_of(request).index.run(RunId(number))
    if run is None:
        raise HTTPException(404, f"There is no run {number} yet, as far as the chain was read.")
    return run


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


def replays_of(window: Window, runs: list[RunRow]) -> dict[int, Replay | None]:
    """Read the latest replay of each run."""
    return {int(each.run): window.verifier.latest(each.run) for each in runs}


def left_out(inclusion: bytes) -> int:
    """Count the submissions that a proposal leaves out: its two-bit codes that are not zero."""
    return sum(1 for byte in inclusion for shift in (0, 2, 4, 6) if byte >> shift & 3)

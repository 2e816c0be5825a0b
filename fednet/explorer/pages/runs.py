"""Runs, one run with its plan and rounds, and its updates."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from fednet.domain.ledger import Phase, RunState
from fednet.domain.plan import Plan
from fednet.domain.record import RoundRecord
from fednet.errors import FednetError
from fednet.explorer import blobs, plots
from fednet.explorer.pages.reading import (
    asked_run,
    left_out,
    listed,
    panel_of,
    replays_of,
    window_of,
)
from fednet.explorer.paging import Page, page_of
from fednet.explorer.tallying import Tally
from fednet.explorer.window import Window
from fednet.provenance import RoundRow, RunRow, clusters_of

_FEW = 20
_PHASES = tuple(
    each.name.lower()
    for each in (Phase.GATHERING, Phase.COLLECTING, Phase.PROPOSING, Phase.ATTESTING, Phase.FINAL)
)


@dataclass(frozen=True, slots=True)
class Line:
    """A round's line in the table of rounds."""

    row: RoundRow
    left_out: int

    @property
    def turnout(self) -> plots.Turnout:
        """Return its bar in the drawing."""
        row = self.row
        included = row.submitted - self.left_out if row.proposal else 0
        absent = max(0, row.cohort - row.submitted)
        return plots.Turnout(row.round, included, row.submitted - included, absent)


def runs(request: Request) -> Response:
    """List the runs, newest first."""
    window = window_of(request)
    newest = partial(window.index.runs, newest_first=True)
    page, found = listed(request, window.index.count_runs(), newest)
    told = {"page": page, "runs": found, "replays": replays_of(window, found)}
    return window.page(request, "runs.html", told)


def run(request: Request) -> Response:
    """Show a run."""
    window, row = window_of(request), asked_run(request)
    plan = blobs.plan(window.blobs, row.plan, row.plan_locator)
    tally = window.tallies.of(row)
    record, record_round = _latest_record(window, row)
    return window.page(
        request,
        "run.html",
        {
            "plan": plan,
            "facts": blobs.facts(plan) if plan else [],
            "veil": blobs.veil(plan),
            "parameters": [] if plan else _parameters(window, row),
            "tally": tally,
            "earned": record.earned if record else {},
            "clusters": clusters_of(plan.clusters, record) if plan and record else {},
            "record_round": record_round,
            **_disclosed(window, row),
            **_part(request, window, row, tally, plan),
        },
    )


def _disclosed(window: Window, row: RunRow) -> dict[str, object]:
    """Read the latest of what the ledger of disclosures says of a run."""
    index, run = window.index, row.run
    return {
        "releases": index.releases(run=run, limit=_FEW, newest_first=True),
        "spendings": index.spendings(run=run, limit=_FEW, newest_first=True),
        "readers": index.readers(run=run, limit=_FEW, newest_first=True),
        "erasures": index.erasures(run=run, limit=_FEW, newest_first=True),
    }


def live(request: Request) -> Response:
    """Show the part of a run that changes."""
    window, row = window_of(request), asked_run(request)
    plan = blobs.plan(window.blobs, row.plan, row.plan_locator)
    part = _part(request, window, row, window.tallies.of(row), plan)
    return window.page(request, "run_part_alone.html", part)


def updates(request: Request) -> Response:
    """List the updates of a run."""
    window, row = window_of(request), asked_run(request)
    of_run = partial(window.index.updates, run=row.run, newest_first=True)
    page, found = listed(request, row.updates, of_run)
    veil = blobs.veil(blobs.plan(window.blobs, row.plan, row.plan_locator))
    told = {"run": row, "page": page, "updates": found, "names": window.names(), "veil": veil}
    return window.page(request, "updates.html", told)


def _part(
    request: Request, window: Window, row: RunRow, tally: Tally, plan: Plan | None
) -> dict[str, object]:
    page = replace(page_of(request, row.started_rounds), path=f"/runs/{row.run}")
    drawn = _lines(window, row, Page(1, row.started_rounds, "", rows=plots.MAX_BARS))
    shown = drawn[: page.rows] if page.number == 1 else _lines(window, row, page)
    over = row.status in ("completed", "aborted")
    state = None if over else _state(window, row)
    finals = [each.row for each in reversed(drawn) if each.row.status == "final"]
    credits_by_round = [(int(each.round), each.credits_total or 0) for each in finals]
    return {
        **panel_of(window, row),
        "page": page,
        "rounds": shown,
        "state": state,
        "phases": _PHASES,
        "phase": state.phase.name.lower() if state else row.status,
        "run_over": over,
        "turnout": plots.participation([each.turnout for each in reversed(drawn)]),
        "weights": plots.line(
            "Examples behind the included updates, by round", tally.weights(plots.MAX_BARS)
        ),
        "credit_curve": plots.line("Credits granted so far, by round", credits_by_round),
        "measures": window.measures.of(plan, [each.row for each in reversed(drawn)]),
        "granted": credits_by_round[-1][1] if credits_by_round else 0,
    }


def _lines(window: Window, row: RunRow, page: Page) -> list[Line]:
    """Read one page of a run's rounds, newest first."""
    index = window.index
    found = index.rounds(row.run, limit=page.rows, offset=page.offset, newest_first=True)
    lines = []
    for each in found:
        excluded = 0
        if each.proposal is not None:
            said = index.proposals(
                run=row.run, round_number=each.round, attempt=each.attempt,
                proposal=each.proposal, limit=1,
            )  # fmt: skip
            excluded = left_out(said[0].inclusion) if said else 0
        lines.append(Line(each, min(excluded, each.submitted)))
    return lines


def _state(window: Window, row: RunRow) -> RunState | None:
    """Ask the chain where a run stands now; None if it does not answer."""
    try:
        return window.reader.state(row.run)
    except FednetError:
        return None


def _parameters(window: Window, row: RunRow) -> list[tuple[str, object]]:
    try:
        return list(asdict(window.reader.parameters(row.run)).items())
    except FednetError:
        return []


def _latest_record(window: Window, row: RunRow) -> tuple[RoundRecord | None, int]:
    """Fetch the record of the latest final round, and name the round; 0 if it is not at hand."""
    finals = window.index.rounds(row.run, limit=2, newest_first=True)
    for each in finals:
        if each.status == "final" and each.record and each.record_locator:
            found = blobs.record(window.blobs, each.record, each.record_locator)
            return found, int(each.round) if found else 0
    return None, 0

"""One round: every update, every proposal, and what members said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from fednet.audit import Severity
from fednet.explorer import blobs, plots
from fednet.explorer.pages.masking import masked_attempt
from fednet.explorer.pages.reading import (
    asked_round,
    asked_run,
    left_out,
    listed,
    panel_of,
    window_of,
)
from fednet.explorer.window import Window
from fednet.explorer.writing import lasting
from fednet.provenance import ProposalRow, RoundRow, RunRow, UpdateRow, VoteRow
from fednet.provenance.listings import Filters

_PROPOSALS, _VOTES, _LANES = 10, 100, 24
_LEGEND = (
    ("submitted", "submitted"),
    ("proposed", "proposed"),
    ("attested", "attested"),
    ("objected", "objected"),
)


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal and what was said of it."""

    row: ProposalRow
    votes: Sequence[VoteRow]

    @property
    def left(self) -> int:
        """Count the votes that are not shown."""
        return self.row.attested + self.row.objected - len(self.votes)


def round_page(request: Request) -> Response:
    """Show a round."""
    window, run = window_of(request), asked_run(request)
    row = asked_round(request, run)
    told = {"has_next": row.round < run.started_rounds, **_part(request, window, run, row)}
    return window.page(request, "round.html", told)


def live(request: Request) -> Response:
    """Show the part of a round that changes while it goes on."""
    window, run = window_of(request), asked_run(request)
    part = _part(request, window, run, asked_round(request, run))
    return window.page(request, "round_part_alone.html", part)


def _part(request: Request, window: Window, run: RunRow, row: RoundRow) -> dict[str, object]:
    index = window.index
    key = Filters(run=run.run, round_number=row.round)
    page, updates = listed(request, index.count_updates(**key), partial(index.updates, **key))
    found = index.proposals(limit=_PROPOSALS, newest_first=True, **key)
    proposals = [
        Proposed(
            each,
            index.votes(
                run=run.run,
                round_number=row.round,
                attempt=each.attempt,
                proposal=each.proposal,
                limit=_VOTES,
            ),
        )
        for each in found
    ]
    votes = [vote for each in proposals for vote in each.votes]
    replay = window.verifier.latest(run.run)
    current = next(
        (e for e in found if (e.attempt, e.proposal) == (row.attempt, row.proposal)), None
    )
    excluded = left_out(current.inclusion) if current else 0
    findings = replay.findings(number=row.round) if replay else []
    return {
        "round": row,
        "included": row.submitted - excluded if current else 0,
        "findings": [entry for entry in findings if entry.severity is not Severity.NOTICE],
        "page": replace(page, path=f"/runs/{run.run}/rounds/{row.round}"),
        "updates": updates,
        "proposals": proposals,
        "proposals_left": max(0, index.count_proposals(**key) - len(proposals)),
        "record": _record(window, row),
        "timeline": _timeline(row, updates, found, votes, window.names()),
        "legend": _LEGEND,
        "masked": masked_attempt(window, row),
        "veil": blobs.veil(blobs.plan(window.blobs, run.plan, run.plan_locator)),
        **panel_of(window, run),
    }


def _record(window: Window, row: RoundRow) -> object:
    if row.record is None or row.record_locator is None:
        return None
    return blobs.record(window.blobs, row.record, row.record_locator)


def _timeline(
    row: RoundRow,
    updates: Sequence[UpdateRow],
    proposals: Sequence[ProposalRow],
    votes: Sequence[VoteRow],
    names: Mapping[int, str],
) -> object:
    """Draw who acted when in the attempt that counts, by the blocks' times."""
    kinds: list[tuple[UpdateRow | ProposalRow | VoteRow, str]] = []
    kinds += [(each, "submitted") for each in updates]
    kinds += [(each, "proposed") for each in proposals]
    kinds += [(each, "attested" if each.agrees else "objected") for each in votes]
    acts = [(each, shape) for each, shape in kinds if each.attempt == row.attempt]
    lanes = {
        site: f"{site} {names.get(site, '')}"
        for site in sorted({each.site for each, _ in acts})[:_LANES]
    }
    acts = [(each, shape) for each, shape in acts if each.site in lanes]
    if not acts:
        return None
    began, ended = min(each.time for each, _ in acts), max(each.time for each, _ in acts)
    ranks = {block: rank for rank, block in enumerate(sorted({each.block for each, _ in acts}))}
    marks = [
        plots.Mark(
            lanes[each.site],
            ranks[each.block],
            shape,
            f"site {each.site} {shape} after {lasting(each.time - began)}, block {each.block}",
        )
        for each, shape in acts
    ]
    name = f"Who acted in what order in round {row.round}, attempt {row.attempt}"
    return plots.timeline(
        name, list(lanes.values()), marks, f"last act, after {lasting(ended - began)}"
    )

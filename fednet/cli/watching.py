"""Look at runs again and again, and show what changed. Reads only."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import click
from rich.live import Live

from fednet.cli import output, queries, rounds_view
from fednet.cli.measuring import Records
from fednet.cli.rounds_view import RoundRow
from fednet.domain.history import RunHistory
from fednet.domain.identity import RunId, SiteId
from fednet.domain.ledger import Phase, Run, RunState
from fednet.domain.ports import LedgerReader
from fednet.domain.record import Measured


@dataclass(frozen=True, slots=True)
class RunView:
    """A run at one moment."""

    run: Run
    state: RunState
    history: RunHistory
    now: int
    """The chain's clock, in seconds since 1970."""
    rows: tuple[RoundRow, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """One line about a run."""

    run: Run
    state: RunState
    rounds: int


def look(reader: LedgerReader, run: RunId, records: Records | None = None) -> RunView:
    """Read everything about a run; with records, what they say too."""
    state = reader.state(run)
    history = queries.history_of(reader, run)
    sampled = queries.sampled_sites(reader, run)
    rows = tuple(rounds_view.rows_of(history, state, sampled))
    if records is not None:
        rows = rounds_view.with_records(rows, records.of(history))
    return RunView(reader.run(run), state, history, reader.head().timestamp, rows)


def overview(reader: LedgerReader) -> list[Overview]:
    """Read one line about each run."""
    runs = [RunId(number) for number in range(1, reader.run_count() + 1)]
    return [Overview(reader.run(n), reader.state(n), reader.parameters(n).rounds) for n in runs]


def fields(view: RunView) -> dict[str, object]:
    """Name what a person wants to know first."""
    state = view.state
    named: dict[str, object] = {
        "run": view.run.run,
        "phase": state.phase,
        "round": f"{state.round} (attempt {state.attempt}, proposal {state.proposal})",
        "final rounds": state.final_rounds,
        "consenting": _sites(consenting(view.history)),
    }
    if has_deadline(state):
        left = state.deadline - view.now
        waits = f"{left} s left" if left > 0 else "over: any member may advance"
        named["deadline"] = f"{output.when(state.deadline)} ({waits})"
    if state.phase is Phase.COLLECTING:
        drawn = view.rows[-1].drawn if view.rows else None
        count = state.cohort if drawn is None else len(drawn)
        named["submitted"] = f"{state.submitted} of {count}"
        if drawn is not None:
            named["drawn to train"] = _sites(drawn)
    if state.phase in (Phase.ATTESTING, Phase.FINAL):
        named["attested"] = f"{state.attested}, quorum {state.quorum}, objected {state.objected}"
    missing = awaited(view)
    if missing:
        named["waiting for"] = _sites(missing)
    measured = latest_measured(view)
    if measured is not None:
        said = measured.evaluation
        named[said.metric] = rounds_view.measured_text(measured)
        if said.ends:
            named["ends by"] = f"its plan's {said.ends}"
    return named


def latest_measured(view: RunView) -> Measured | None:
    """Return what was measured last; None if nothing was, or no record could be read."""
    return next((row.measured for row in reversed(view.rows) if row.measured), None)


def has_deadline(state: RunState) -> bool:
    """Tell whether the run waits for something until a deadline; from a final round it goes on."""
    return not (state.phase.is_over or state.phase is Phase.FINAL)


def consenting(history: RunHistory) -> tuple[SiteId, ...]:
    """List the sites whose consent stands."""
    return tuple(sorted(site for site in history.consents if site not in history.ended))


def awaited(view: RunView) -> tuple[SiteId, ...]:
    """List the members whose act the phase waits for."""
    entry = view.history.rounds.get(view.state.round)
    attempt = entry.attempts.get(view.state.attempt) if entry else None
    if attempt is None:
        return ()
    members = [
        site
        for at, site in view.history.roster.items()
        if at < attempt.started.roster_length and site not in view.history.ended
    ]
    if view.state.phase is Phase.COLLECTING:
        drawn = view.rows[-1].drawn
        members = [site for site in members if drawn is None or site in drawn]
        done = set(attempt.submissions)
    elif view.state.phase is Phase.ATTESTING and attempt.proposals:
        latest = attempt.proposals[max(attempt.proposals)]
        done = set(latest.attestations) | set(latest.objections)
    else:
        return ()
    return tuple(sorted(set(members) - done))


def to_json(view: RunView) -> dict[str, object]:
    """Say everything a program may want."""
    return {
        "run": view.run,
        "state": view.state,
        "now": view.now,
        "consenting": consenting(view.history),
        "waiting_for": awaited(view),
        "rounds": view.rows,
    }


def watch(
    reader: LedgerReader,
    run: RunId,
    poll_seconds: float,
    as_json: bool,
    records: Records | None = None,
) -> bool:
    """Follow a run to its end; tell whether it completed."""
    console = output.progress_console()
    if as_json or not console.is_terminal:
        told = -1
        for view, fresh in _views(reader, run, poll_seconds, records):
            measured = latest_measured(view)
            if measured is not None and measured.round > told and not as_json:
                told = measured.round
                click.echo(f"{measured.evaluation.metric}: {rounds_view.measured_text(measured)}")
            for event in view.history.events[-fresh:] if fresh else ():
                if as_json:
                    named = {"event": type(event).__name__} | _event(event)
                    click.echo(json.dumps(output.plain(named)))
                else:
                    click.echo(rounds_view.line(event))
            last = view
    else:
        with Live(console=console, refresh_per_second=4) as live:
            for view, _ in _views(reader, run, poll_seconds, records):
                state = view.state
                left = max(0, state.deadline - view.now)
                title = f"run {run}: {state.phase.name.lower()}"
                title += f", {left} s left" if has_deadline(state) else ""
                live.update(rounds_view.table_of(view.rows, title))
                last = view
    return last.state.phase is Phase.COMPLETED


def _views(
    reader: LedgerReader, run: RunId, poll_seconds: float, records: Records | None
) -> Iterator[tuple[RunView, int]]:
    """Yield a view and how many of its events are new, until the run is over."""
    seen = 0
    while True:
        view = look(reader, run, records)
        yield view, len(view.history.events) - seen
        seen = len(view.history.events)
        if view.state.phase.is_over:
            return
        time.sleep(poll_seconds)


def _event(event: object) -> dict[str, object]:
    found = output.plain(event)
    if not isinstance(found, dict):
        raise TypeError("an event is a dataclass")
    log = found.pop("log")
    return {"block": log["block"], **found}


def _sites(sites: tuple[SiteId, ...]) -> str:
    return ", ".join(f"site {site}" for site in sites) or "nobody"

"""A run as rows, one a round: for tables, for lines, and for JSON; pure.

Folds a run's history into what a person wants to see: who promised what, who
proposed, who vouched, who objected, what was left out. Judges nothing; the
audit does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rich.table import Table
from rich.text import Text

from fednet.cli import output
from fednet.domain import events as ev
from fednet.domain.batch_events import AttestationsBatched, CommitteeDrawn, UpdatesBatched
from fednet.domain.batches import ROW_SIZE_BYTES, VOTE_SIZE_BYTES
from fednet.domain.history import AttemptHistory, ProposalHistory, RoundHistory, RunHistory
from fednet.domain.identity import Commitment, RoundNumber, SiteId
from fednet.domain.ledger import Inclusion, Phase, RunState, unpack_inclusion
from fednet.domain.record import Measured, RoundRecord

COLUMNS = ("round", "status", "attempt", "updates", "left out", "proposed by", "attested",
           "objected", "state")  # fmt: skip


@dataclass(frozen=True, slots=True)
class RoundRow:
    """What is known of one round."""

    round: RoundNumber
    status: str
    """final, what it waits for, or ended."""
    attempt: int
    cohort: int
    submitted: tuple[SiteId, ...]
    invalid: tuple[SiteId, ...]
    unavailable: tuple[SiteId, ...]
    proposer: SiteId | None
    attested: tuple[SiteId, ...]
    objected: tuple[SiteId, ...]
    quorum: int
    state: Commitment | None
    """Commitment of the proposed state; agreed only when the round is final."""
    record: Commitment | None
    measured: Measured | None = None
    """What the round's updates say of the state before it, where its record was read."""
    outcome: Mapping[str, str | int | list[int]] | None = None
    """What the rule chose and who belongs to which cluster, where its record was read."""
    drawn: tuple[SiteId, ...] | None = None
    """Who was drawn to train, nobody before the draw; null where the module draws no sample."""
    late: Mapping[SiteId, int] | None = None
    """Rounds by which included updates were late, where its record was read."""


@dataclass(frozen=True, slots=True)
class UpdateRow:
    """A submission and what became of it."""

    round: RoundNumber
    attempt: int
    site: SiteId
    weight: int
    commitment: Commitment
    verdict: str
    """Of the latest proposal; `superseded` if a later attempt became final."""
    block: int


def updates_of(history: RunHistory) -> list[UpdateRow]:
    """Make one row for each submission, in order of round, attempt and chain."""
    rows = []
    for number in sorted(history.rounds):
        entry = history.rounds[number]
        for count, attempt in sorted(entry.attempts.items()):
            proposal = entry.final_proposal if attempt is entry.final_attempt else _latest(attempt)
            verdicts = _verdicts(history, attempt, proposal)
            lost = count < max(entry.attempts)
            for site, event in attempt.submissions.items():
                verdict = verdicts.get(site)
                told = "superseded" if lost else verdict.name.lower() if verdict else "waiting"
                rows.append(
                    UpdateRow(number, count, site, event.weight, event.commitment, told,
                              event.log.block)
                )  # fmt: skip
    return rows


def rows_of(
    history: RunHistory, state: RunState | None = None, sampled_sites: int = 0
) -> list[RoundRow]:
    """Make one row for each round that ever began, in order."""
    rows = [_row(number, history, state) for number in sorted(history.rounds)]
    if not sampled_sites:
        return rows
    return [
        replace(row, drawn=history.drawn(history.rounds[row.round].attempts[row.attempt],
                                         sampled_sites))
        for row in rows
    ]  # fmt: skip


def with_records(
    rows: Sequence[RoundRow], found: Mapping[RoundNumber, RoundRecord]
) -> tuple[RoundRow, ...]:
    """Add what the records of final rounds say."""
    return tuple(
        replace(row, measured=record.measured, outcome=record.outcome, late=record.late)
        if (record := found.get(row.round))
        else row
        for row in rows
    )


def columns_of(rows: Sequence[RoundRow]) -> tuple[str, ...]:
    """Name the columns; one more where sites measured something."""
    metric = next((row.measured.evaluation.metric for row in rows if row.measured), "")
    return (*COLUMNS, metric) if metric else COLUMNS


def cells_among(rows: Sequence[RoundRow]) -> Callable[[RoundRow], tuple[str, ...]]:
    """Write a row's cells; the metric of a round's state comes with the updates after it."""
    judged = {row.measured.round: row.measured for row in rows if row.measured}
    if not judged:
        return cells
    best = judged[max(judged)].evaluation.best_round

    def with_metric(row: RoundRow) -> tuple[str, ...]:
        found = judged.get(row.round)
        if found is None:
            return (*cells(row), "")
        mark = " (best)" if row.round == best else ""
        return (*cells(row), found.evaluation.pooled + mark)

    return with_metric


def measured_text(measured: Measured) -> str:
    """Say how good the states are that were judged so far."""
    said = measured.evaluation
    of = f"after round {measured.round}" if measured.round else "at the start"
    best = f"after round {said.best_round}" if said.best_round else "at the start"
    return f"{said.pooled} {of}; best {said.best} {best}"


def _row(number: RoundNumber, history: RunHistory, state: RunState | None) -> RoundRow:
    entry = history.rounds[number]
    attempt = entry.final_attempt or entry.attempts[max(entry.attempts)]
    proposal = entry.final_proposal or _latest(attempt)
    verdicts = _verdicts(history, attempt, proposal)
    return RoundRow(
        round=number,
        status=_status(number, entry, history, state),
        attempt=attempt.started.attempt,
        cohort=attempt.started.cohort,
        submitted=tuple(sorted(attempt.submissions)),
        invalid=_with(verdicts, Inclusion.INVALID),
        unavailable=_with(verdicts, Inclusion.UNAVAILABLE),
        proposer=proposal.proposed.site if proposal else None,
        attested=tuple(sorted(proposal.attestations)) if proposal else (),
        objected=tuple(sorted(proposal.objections)) if proposal else (),
        quorum=attempt.started.quorum,
        state=proposal.proposed.state if proposal else None,
        record=proposal.proposed.record if proposal else None,
    )


def _latest(attempt: AttemptHistory) -> ProposalHistory | None:
    return attempt.proposals[max(attempt.proposals)] if attempt.proposals else None


def _verdicts(
    history: RunHistory, attempt: AttemptHistory, proposal: ProposalHistory | None
) -> dict[SiteId, Inclusion]:
    if proposal is None:
        return {}
    length = attempt.started.roster_length
    submitted = {
        at: site
        for at, site in history.roster.items()
        if at < length and site in attempt.submissions
    }
    verdicts = unpack_inclusion(proposal.proposed.inclusion, submitted) or {}
    return {submitted[at]: verdict for at, verdict in verdicts.items()}


def _with(verdicts: Mapping[SiteId, Inclusion], wanted: Inclusion) -> tuple[SiteId, ...]:
    return tuple(sorted(site for site, verdict in verdicts.items() if verdict is wanted))


def _status(
    number: RoundNumber, entry: RoundHistory, history: RunHistory, state: RunState | None
) -> str:
    if entry.finalized:
        return "final"
    if history.aborted or (state and state.phase is Phase.ABORTED):
        return "aborted"
    if state and state.round == number:
        return state.phase.name.lower()
    return "open"


def table_of(rows: Sequence[RoundRow], title: str) -> Table:
    """Lay rows out for a terminal."""
    table = Table(title=Text(title), box=None, pad_edge=False, header_style="bold")
    for column in columns_of(rows):
        table.add_column(column)
    write = cells_among(rows)
    for row in rows:
        table.add_row(*(Text(cell) for cell in write(row)))
    return table


def cells(row: RoundRow) -> tuple[str, ...]:
    """Write a row's cells in the order of the columns."""
    left_out = [f"{site} invalid" for site in row.invalid]
    left_out += [f"{site} unavailable" for site in row.unavailable]
    return (
        str(row.round),
        row.status,
        str(row.attempt),
        f"{len(row.submitted)}/{row.cohort}" + (f", {len(row.late)} late" if row.late else ""),
        ", ".join(left_out),
        "" if row.proposer is None else f"site {row.proposer}",
        f"{len(row.attested)}/{row.quorum}",
        ", ".join(str(site) for site in row.objected),
        "" if row.state is None else output.short(row.state),
    )


def line(event: ev.RunEvent) -> str:
    """Tell one event as a line, for a log or a pipe."""
    match event:
        case ev.ConsentGiven():
            return f"site {event.site} consents (at most {event.maximum_examples} examples)"
        case ev.ConsentEnded():
            return f"site {event.site} no longer consents"
        case ev.AttemptStarted():
            return (
                f"round {event.round}: attempt {event.attempt} began with {event.cohort} sites; "
                f"quorum {event.quorum}"
            )
        case ev.UpdateSubmitted():
            return f"round {event.round}: site {event.site} submitted {event.weight} examples"
        case UpdatesBatched():
            count = len(event.rows) // ROW_SIZE_BYTES
            return f"round {event.round}: site {event.site} handed in {count} updates"
        case ev.SampleDrawn():
            drawn = "drawn" if event.seed else "put off: the chain has forgotten the block"
            return f"round {event.round}: the sample of sites that train was {drawn}"
        case CommitteeDrawn():
            return f"round {event.round}: a committee of {event.size} was drawn"
        case AttestationsBatched():
            count = len(event.rows) // VOTE_SIZE_BYTES
            return f"round {event.round}: {count} signed attestations were carried"
        case ev.SubmissionsClosed():
            return f"round {event.round}: submissions closed with {event.submitted}"
        case ev.RoundProposed():
            return f"round {event.round}: site {event.site} proposed (number {event.proposal})"
        case ev.RoundAttested():
            return f"round {event.round}: site {event.site} attested"
        case ev.RoundObjected():
            return f"round {event.round}: site {event.site} objected"
        case ev.ProposalEnded():
            return f"round {event.round}: proposal {event.proposal} ended without quorum"
        case ev.RoundFinalized():
            return f"round {event.round}: final"
        case ev.RunConcluding():
            return f"round {event.round}: site {event.site} votes to end the run with it"
        case ev.RunCompleted():
            return f"run completed after {event.rounds} rounds"
        case ev.RunAborted():
            return f"run aborted in round {event.round}"
        case _:
            return type(event).__name__

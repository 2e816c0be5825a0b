"""The Five Safes in a report: gathered from the very records that the report was read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fednet.domain import events as ev
from fednet.domain.batch_events import AttestationsBatched, UpdatesBatched
from fednet.domain.ledger import Deployment, Head
from fednet.domain.plan import Plan
from fednet.exports.statement import Section, Table
from fednet.exports.texts import clean, name
from fednet.provenance import (
    PARTS,
    QUESTIONS,
    FiveSafes,
    IndexedBlock,
    Line,
    PassingIndex,
    five_safes,
)

_UNSAID = (ev.UpdateSubmitted, ev.RoundAttested, ev.LocatorAnnounced, ev.CreditsClaimed,
           ev.CreditsTransferred, UpdatesBatched, AttestationsBatched)  # fmt: skip
"""Records that no line speaks of; most of a long run's."""


def said_by_safes(event: ev.LedgerEvent) -> bool:
    """Tell whether the Five Safes may speak of a record."""
    return not isinstance(event, _UNSAID)


def safes_of(
    run: int,
    plan: Plan | None,
    deployment: Deployment,
    events: Sequence[ev.LedgerEvent],
    heads: Mapping[int, Head],
) -> FiveSafes:
    """Gather the Five Safes of a run from its records.

    Args:
        run: Number of the run, whose opening is among the events.
        plan: None if its bytes could not be had.
        deployment: The contracts.
        events: Every record that they may speak of.
        heads: The headers of those records' blocks, by number.

    Raises:
        LedgerError: Two records stand at one place, or the run's opening is not among them.
    """
    blocks: dict[int, list[ev.LedgerEvent]] = {}
    for event in sorted(events, key=lambda each: each.log):
        blocks.setdefault(event.log.block, []).append(event)
    indexed = (IndexedBlock(heads[number], found) for number, found in blocks.items())
    with PassingIndex(indexed) as index:
        return five_safes(index, run, plan, deployment)


def safes_section(found: FiveSafes) -> Section:
    """Lay the Five Safes out as a section of a report."""
    return Section(
        title="The Five Safes",
        paragraphs=(
            "Who, for what, where, on which data, and what came out, as the ledger says it. What an"
            " institution did not record is not here, and what it did record is its own word.",
        ),
        tables=tuple(_table(part, getattr(found, part)) for part in PARTS),
    )


def _table(part: str, lines: Sequence[Line]) -> Table:
    return Table(
        caption=f"Safe {part}. {QUESTIONS[part]}",
        columns=("about", "name", "what the ledger says", "records: block, transaction"),
        rows=tuple(
            (clean(each.about), name(each.name), clean(each.says, 2_000), _records(each))
            for each in lines
        ),
    )


def _records(said: Line) -> str:
    named = [f"{each.block}, {each.transaction}" for each in said.records]
    if said.more_records:
        named.append(f"and {said.more_records} earlier")
    return "; ".join(named)

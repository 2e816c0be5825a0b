"""Follow a run as its researcher does: read the ledger, fetch each model, judge it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from fednet.cli import opening, publishing, queries, wiring
from fednet.cli.app import App
from fednet.domain.blobs import BlobStore
from fednet.domain.history import AttemptHistory, ProposalHistory, RunHistory
from fednet.domain.identity import Commitment, Locator, RunId, SiteId
from fednet.domain.ports import LedgerReader
from fednet.domain.tensors import decode_tensors
from scripts.consortium import comparison
from scripts.consortium.members import StoryError

HEADER = "round  test accuracy  updates  aggregated by  attested  model"
_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Row:
    """What a final round shows; `HEADER` names the columns of its line."""

    round: int
    accuracy: float
    updates: str
    proposer: str
    attested: str
    state: Commitment

    def __str__(self) -> str:
        return (
            f"{self.round:>5}  {self.accuracy:>13.3f}  {self.updates:<7}  {self.proposer:<13}  "
            f"{self.attested:<8}  {str(self.state)[:16]}"
        )


def follow(
    home: Path,
    run: RunId,
    held_out: Path,
    console: Console,
    check: Callable[[], None],
) -> list[Row]:
    """Show each round as it becomes final, until the run completes.

    Args:
        check: Called between two looks; raises if nobody works on it any more.

    Raises:
        StoryError: It was aborted, or does not end.
    """
    app = App(home)
    reader = wiring.reader(app)
    names = queries.names(reader)
    rows: list[Row] = []
    deadline = time.monotonic() + _PATIENCE_SECONDS
    console.print(HEADER, style="bold")
    with wiring.running_store(app) as store:
        while True:
            history = queries.history_of(reader, run)
            for number in range(len(rows) + 1, history.final_rounds + 1):
                rows.append(_row(app, store, reader, history, names, number, held_out))
                console.print(str(rows[-1]), markup=False, highlight=False)
            if history.completed:
                return rows
            if history.aborted or time.monotonic() > deadline:
                raise StoryError(f"the run stopped after {len(rows)} rounds")
            check()
            time.sleep(_POLL_SECONDS)


def final_attempt(history: RunHistory, number: int) -> tuple[AttemptHistory, ProposalHistory]:
    """Find what made a round final."""
    entry = next(entry for key, entry in history.rounds.items() if key == number)
    attempt, proposal = entry.final_attempt, entry.final_proposal
    if attempt is None or proposal is None:
        raise StoryError(f"round {number} is not final")
    return attempt, proposal


def _row(
    app: App,
    store: BlobStore,
    reader: LedgerReader,
    history: RunHistory,
    names: dict[SiteId, str],
    number: int,
    held_out: Path,
) -> Row:
    attempt, proposal = final_attempt(history, number)
    record = opening.final_record(app, store, proposal.proposed)
    state = publishing.fetch(
        app,
        store,
        proposal.proposed.state,
        Locator(record.state_locator),
        record.state_size_bytes,
    )
    included = sum(entry.verdict == "included" for entry in record.updates)
    return Row(
        round=number,
        accuracy=comparison.accuracy(decode_tensors(state, "state")[0], held_out),
        updates=f"{included}/{attempt.started.cohort}",
        proposer=names[proposal.proposed.site],
        attested=f"{len(proposal.attestations)}/{attempt.started.cohort}",
        state=proposal.proposed.state,
    )

"""Everything that the ledger says of a run, read once and consistently.

A run may go on while it is audited, so what changes with every event is
read before and after, and all is read again if it moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fednet.domain import events as ev
from fednet.domain.batch_events import CommitteeDrawn
from fednet.domain.disclosure_events import DISCLOSURES, BudgetSpent, Disclosure
from fednet.domain.disclosures import DatasetBudget, DisclosureLog
from fednet.domain.identity import (
    Commitment,
    DatasetId,
    Digest,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import CreditAccount, Deployment, Head, Parameters, Run, RunState, Site
from fednet.domain.masking_events import MASKING_EVENTS, MaskingEvent
from fednet.domain.masking_stages import MaskingLog, MaskingTimes
from fednet.domain.ports import LedgerReader
from fednet.errors import HeadMovedError, LedgerError

_READ_ATTEMPTS = 10

_KINDS: tuple[type[ev.LedgerEvent], ...] = (
    ev.ModuleApproved,
    ev.ModuleWithdrawn,
    ev.RunOpened,
    ev.LocatorAnnounced,
    ev.DatasetRegistered,
    ev.DatasetClosed,
    ev.AccessRequested,
    ev.AccessGranted,
    ev.AccessRevoked,
    ev.CreditsClaimed,
    ev.CreditsTransferred,
    ev.SiteKeyRotated,
)
_REGISTER: tuple[type[ev.LedgerEvent], ...] = (
    ev.SiteApplied,
    ev.SiteAdmitted,
    ev.SiteStandingChanged,
    ev.SiteAccountRotated,
    ev.AccountRolesChanged,
)
KINDS = (*_KINDS, *_REGISTER, *DISCLOSURES, *MASKING_EVENTS)
"""Classes of events that are read beside the run's own."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent reading."""

    deployment: Deployment
    head: Head
    run: Run
    opened: ev.RunOpened
    parameters: Parameters
    drawn_sites: int | None
    """Sites that the module draws; None if it draws none, or is not one of the deployment's."""
    masking_times: MaskingTimes | None
    """How long the stages of a masked run last; None if it masks nothing, or likewise."""
    state: RunState
    running_hash: Digest
    disclosures: DisclosureLog
    masking: MaskingLog
    run_events: Sequence[ev.RunEvent]
    events: Sequence[ev.LedgerEvent]
    """Events of the other contracts, of every run."""
    settlements: Mapping[RoundNumber, Digest]
    """By final round."""
    credit_total: tuple[int, bool]
    credit_accounts: Mapping[SiteId, CreditAccount]
    sites: Mapping[SiteId, Site]
    """What the register holds of every site that acted in the run."""
    budgets: Mapping[DatasetId, DatasetBudget]
    """What the ledger of disclosures holds of every dataset of the run."""
    blocks: Mapping[int, Head]
    """Headers of the blocks that hold events of the run, by number."""

    @property
    def run_id(self) -> RunId:
        """Return the run's number."""
        return self.run.run

    def disclosed(self) -> list[Disclosure]:
        """List every record of the ledger of disclosures, in the order of the chain."""
        return [event for event in self.events if isinstance(event, DISCLOSURES)]

    def masked(self) -> list[MaskingEvent]:
        """List every record of the ledger of masked rounds, in the order of the chain."""
        return [event for event in self.events if isinstance(event, MASKING_EVENTS)]

    def concerns(self, record: Disclosure) -> bool:
        """Tell whether a record is of this run, or of what its datasets may spend."""
        run = getattr(record, "run", self.run_id)
        of_budget = isinstance(record, BudgetSpent) or not hasattr(record, "run")
        if run == self.run_id and not of_budget:
            return True
        return of_budget and getattr(record, "dataset", None) in self.budgets

    def announced(self) -> dict[Commitment, list[Locator]]:
        """Collect the announced locators by blob."""
        found: dict[Commitment, list[Locator]] = {}
        for event in self.events:
            if isinstance(event, ev.LocatorAnnounced):
                found.setdefault(event.commitment, []).append(event.locator)
        return found


def take_snapshot(reader: LedgerReader, run: RunId) -> Snapshot:
    """Read all that the ledger says of a run.

    Raises:
        LedgerError: The run is unknown, or the ledger does not answer.
        HeadMovedError: The run moved on each time it was read.
    """
    for _ in range(_READ_ATTEMPTS):
        before = _mark(reader, run)
        snapshot = _read(reader, run, before)
        if _mark(reader, run) == before and not _register_moved(reader, snapshot.head):
            return snapshot
    raise HeadMovedError(
        "the run moves on faster than it can be read",
        subject=f"run {run}",
        hint="audit again in a moment",
    )


@dataclass(frozen=True, slots=True)
class _Mark:
    """What changes with every event of the run, every move of its credits, every other record."""

    running_hash: Digest
    disclosures: DisclosureLog
    masking: MaskingLog
    claimed: int
    transfers: int


def _mark(reader: LedgerReader, run: RunId) -> _Mark:
    claimed, transferable = reader.credit_total(run)
    transfers = len(reader.events((ev.CreditsTransferred,))) if transferable else 0
    return _Mark(
        reader.running_hash(run), reader.disclosures(), reader.masking_log(), claimed, transfers
    )


def _register_moved(reader: LedgerReader, since: Head) -> bool:
    return bool(reader.events(_REGISTER, since.number + 1))


def _read(reader: LedgerReader, run: RunId, mark: _Mark) -> Snapshot:
    head = reader.head()
    opened_run, state = reader.run(run), reader.state(run)
    events = reader.events(KINDS, reader.deployment.block)
    opened = [event for event in events if isinstance(event, ev.RunOpened) and event.run == run]
    if not opened:
        raise LedgerError("no event opened the run", subject=f"run {run}")
    run_events = reader.run_events(run, opened[0].log.block)
    sites = {event.site for event in run_events if isinstance(event, ev.ConsentGiven)}
    creditors = sites | _creditors(events, run)
    acting = sites | {site for event in run_events if (site := getattr(event, "site", None))}
    blocks = {opened[0].log.block, *(event.log.block for event in run_events)}
    blocks |= {event.seed_block for event in run_events if isinstance(event, CommitteeDrawn)}
    blocks |= {
        event.log.block
        for event in events
        if isinstance(event, MASKING_EVENTS) and event.run == run
    }
    datasets = _datasets(events, run_events)
    return Snapshot(
        deployment=reader.deployment,
        head=head,
        run=opened_run,
        opened=opened[0],
        parameters=reader.parameters(run),
        drawn_sites=reader.drawn_sites(run),
        masking_times=reader.masking_times(run),
        state=state,
        running_hash=mark.running_hash,
        disclosures=mark.disclosures,
        masking=mark.masking,
        run_events=run_events,
        events=events,
        settlements={
            RoundNumber(number): reader.settlement(run, RoundNumber(number))
            for number in range(1, state.final_rounds + 1)
        },
        credit_total=reader.credit_total(run),
        credit_accounts={site: reader.credit_account(run, site) for site in sorted(creditors)},
        sites={site: reader.site(site) for site in sorted(acting)},
        budgets={dataset: reader.budget(dataset) for dataset in sorted(datasets)},
        blocks={entry.number: entry for entry in reader.blocks(sorted(blocks))},
    )


def _datasets(
    events: Sequence[ev.LedgerEvent], run_events: Sequence[ev.RunEvent]
) -> set[DatasetId]:
    grants = {event.grant for event in run_events if isinstance(event, ev.ConsentGiven)}
    return {
        event.dataset
        for event in events
        if isinstance(event, ev.AccessRequested) and event.grant in grants
    }


def _creditors(events: Sequence[ev.LedgerEvent], run: RunId) -> set[SiteId]:
    sites = set()
    for event in events:
        if isinstance(event, ev.CreditsClaimed) and event.run == run:
            sites.add(event.site)
        if isinstance(event, ev.CreditsTransferred) and event.run == run:
            sites |= {event.from_site, event.to_site}
    return sites

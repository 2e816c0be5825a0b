"""Questions that several commands ask of the ledger; they need no key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from fednet.domain import events as ev
from fednet.domain.history import RunHistory
from fednet.domain.identity import Address, Commitment, GrantId, Locator, RunId, SiteId
from fednet.domain.ledger import (
    Access,
    AccessStatus,
    Dataset,
    Role,
    Run,
    Site,
    Standing,
)
from fednet.domain.ports import LedgerReader
from fednet.errors import FednetError, LedgerError, SettingsError

_Event = TypeVar("_Event", bound=ev.LedgerEvent)


@dataclass(frozen=True, slots=True)
class SiteEntry:
    """A site with what it said when it applied."""

    site: Site
    name: str
    store_address: str


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """A request for access with whose dataset it concerns and what was said."""

    access: Access
    site: SiteId
    purpose: Commitment
    purpose_locator: Locator


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run as it was opened, and where its blobs are."""

    run: Run
    opened: ev.RunOpened


def events_of(reader: LedgerReader, kind: type[_Event]) -> list[_Event]:
    """Read every event of one class, in the order of the chain."""
    found = reader.events([kind], reader.deployment.block)
    return [event for event in found if isinstance(event, kind)]


def require_run(reader: LedgerReader, run: int) -> RunId:
    """Raise unless the ledger gave out this number to a run.

    Raises:
        LedgerError: No such run.
    """
    count = reader.run_count()
    if not 1 <= run <= count:
        raise LedgerError(
            "no such run",
            subject=f"run {run}",
            expected=f"1 to {count}" if count else None,
            hint="`fednet run list` shows the runs"
            if count
            else "none was opened yet: a researcher does so with `fednet run open PLAN`",
        )
    return RunId(run)


def require_site(reader: LedgerReader, site: int) -> SiteId:
    """Raise unless the ledger gave out this number to a site.

    Raises:
        LedgerError: No such site.
    """
    count = reader.site_count()
    if not 1 <= site <= count:
        raise LedgerError(
            "no such site",
            subject=f"site {site}",
            expected=f"1 to {count}" if count else None,
            hint="`fednet site list` shows the sites"
            if count
            else "nobody applied yet: `fednet site invite FILE` invites an institution",
        )
    return SiteId(site)


def history_of(reader: LedgerReader, run: RunId) -> RunHistory:
    """Read and fold the events of a run."""
    return RunHistory.of(run, reader.run_events(run, reader.deployment.block))


def opening_of(reader: LedgerReader, run: RunId) -> RunEntry:
    """Read a run and the event that opened it."""
    for event in events_of(reader, ev.RunOpened):
        if event.run == run:
            return RunEntry(reader.run(run), event)
    raise LedgerError("the log does not hold the run's opening", subject=f"run {run}")


def sites(reader: LedgerReader) -> list[SiteEntry]:
    """List every institution that ever applied."""
    moved = {event.site: event.store_address for event in events_of(reader, ev.SiteStoreMoved)}
    return [
        SiteEntry(reader.site(event.site), event.name, moved.get(event.site, event.store_address))
        for event in events_of(reader, ev.SiteApplied)
    ]


def names(reader: LedgerReader) -> dict[SiteId, str]:
    """Name every institution that ever applied."""
    return {event.site: event.name for event in events_of(reader, ev.SiteApplied)}


def datasets(reader: LedgerReader) -> list[Dataset]:
    """List every dataset."""
    return [reader.dataset(event.dataset) for event in events_of(reader, ev.DatasetRegistered)]


def accesses(reader: LedgerReader) -> list[AccessEntry]:
    """List every request for access."""
    owner = {dataset.dataset: dataset.site for dataset in datasets(reader)}
    return [
        AccessEntry(
            reader.access(event.grant), owner[event.dataset], event.purpose, event.purpose_locator
        )
        for event in events_of(reader, ev.AccessRequested)
    ]


def require_access(reader: LedgerReader, grant: int) -> AccessEntry:
    """Find one request for access.

    Raises:
        LedgerError: No such request.
    """
    for entry in accesses(reader):
        if entry.access.grant == grant:
            return entry
    raise LedgerError(
        "no such access request",
        subject=f"grant {grant}",
        hint="`fednet access list` shows the requests",
    )


def own_site(reader: LedgerReader, account: Address) -> SiteId:
    """Find the site whose node has this account.

    Raises:
        SettingsError: The account is no site's node, or may not act now.
    """
    site, roles = reader.account(account)
    if not site:
        raise SettingsError(
            "the account belongs to no site",
            subject=account,
            hint="apply with `fednet node join INVITATION` or `fednet site apply`",
        )
    standing = reader.site(site).standing
    if standing is not Standing.ACTIVE or Role.SITE not in roles:
        raise SettingsError(
            "the site may not act now",
            subject=f"site {site}",
            expected="active, with the role site",
            actual=f"{standing.name.lower()}, roles {'+'.join(_names(roles)) or 'none'}",
            hint="ask the operator to admit or reinstate it",
        )
    return site


def live_grant(reader: LedgerReader, run: Run, site: SiteId, given: int | None) -> GrantId:
    """Choose the grant under which a site consents to a run.

    Raises:
        FednetError: None is live for the run's researcher, or the given one is not.
    """
    now = reader.head().timestamp
    live = [
        entry.access.grant
        for entry in accesses(reader)
        if entry.site == site
        and entry.access.researcher == run.researcher
        and entry.access.status is AccessStatus.GRANTED
        and entry.access.expiry > now
        and entry.access.run in (0, run.run)
    ]
    if given is not None and given in live:
        return GrantId(given)
    if not live or given is not None:
        raise FednetError(
            "no live grant for the researcher of this run",
            subject=f"run {run.run}, site {site}",
            expected=f"a grant to {run.researcher}, unexpired and not used by another run",
            actual=f"grant {given}" if given is not None else None,
            hint="see `fednet access list`; grant a request with `fednet access grant`",
        )
    return max(live)


def last_final_round(reader: LedgerReader, run: RunId) -> ev.RoundProposed:
    """Find the proposal of the latest final round.

    Raises:
        FednetError: No round is final yet.
    """
    history = history_of(reader, run)
    for number in sorted(history.rounds, reverse=True):
        proposal = history.rounds[number].final_proposal
        if proposal is not None:
            return proposal.proposed
    raise FednetError(
        "no round is final yet",
        subject=f"run {run}",
        hint="`fednet run watch` shows how far it is",
    )


def _names(roles: Role) -> Sequence[str]:
    return [role.name.lower() for role in Role if role and role in roles and role.name]


def sampled_sites(reader: LedgerReader, run: RunId) -> int:
    """Return how many sites are drawn to train in each attempt; 0 where no sample is drawn."""
    is_sampled = reader.deployment.modules.name_of(reader.run(run).module) == "sampled"
    return (reader.drawn_sites(run) or 0) if is_sampled else 0

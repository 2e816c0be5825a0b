"""Check 19: who was a member, with which account and roles, at the time of each act.

The register's events are folded in the order of the chain, beside the run's. The
contract refuses what is found here, so that a finding speaks of a chain whose
rules were not kept: it accuses no site, in whose name anybody may have acted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fednet.audit.checks import MEMBERSHIP
from fednet.audit.findings import CHAIN_DUTY, Findings
from fednet.audit.snapshot import Snapshot
from fednet.domain import disclosure_events as de
from fednet.domain import events as ev
from fednet.domain import masking_events as me
from fednet.domain.batch_events import UpdatesBatched
from fednet.domain.batches import BatchedUpdate, unfold
from fednet.domain.identity import CONSORTIUM, Address, SiteId
from fednet.domain.ledger import Role, Standing

_RECORDS: dict[type[de.Disclosure], str] = {
    de.ReleaseRequested: "a request for release",
    de.ReleaseDecided: "a decision on a release",
    de.CeilingSet: "a ceiling",
    de.BudgetSpent: "spent privacy",
    de.RetentionSet: "a period of retention",
    de.ReaderAdmitted: "a reader's admission",
    de.ReaderDismissed: "a reader's dismissal",
    de.BlobsErased: "an erasure",
}
_STAGED: dict[type[me.MaskingEvent], str] = {
    me.KeysAdvertised: "keys",
    me.SharesDealt: "shares dealt",
    me.SharesHeld: "shares held",
    me.SetAffirmed: "affirmation",
    me.SharesDisclosed: "shares disclosed",
}


@dataclass(slots=True)
class Seat:
    """One site as the events leave it."""

    account: Address
    standing: Standing = Standing.APPLIED
    roles: Role = Role.NONE


@dataclass(slots=True)
class Register:
    """Every site, folded event by event."""

    seats: dict[SiteId, Seat] = field(default_factory=dict)

    def take(self, event: ev.LedgerEvent) -> None:
        """Fold one more event; others than the register's change nothing."""
        if isinstance(event, ev.SiteApplied):
            self.seats[event.site] = Seat(event.account)
            return
        seat = self.seats.get(getattr(event, "site", SiteId(0)))
        if seat is None:
            return
        match event:
            case ev.SiteAdmitted():
                seat.standing, seat.roles = Standing.ACTIVE, event.roles
            case ev.SiteStandingChanged():
                seat.standing = event.standing
            case ev.SiteAccountRotated():
                seat.account = event.account
            case ev.AccountRolesChanged() if event.account == seat.account:
                seat.roles = event.roles
            case _:
                pass

    def accounts(self, role: Role) -> dict[SiteId, Address]:
        """List the accounts of sites that may act in a role now."""
        return {
            site: seat.account for site, seat in self.seats.items() if not self.obstacle(site, role)
        }

    def obstacle(self, site: SiteId, role: Role) -> str:
        """Say why a site may not act in a role now; empty if it may."""
        seat = self.seats.get(site)
        if seat is None:
            return "no such site had applied"
        if seat.standing is not Standing.ACTIVE:
            return f"the site was {seat.standing.name.lower()}"
        return "" if seat.roles & role else f"its account had no role of {role.name or role}"


def register_at(events: Iterable[ev.LedgerEvent], block: int) -> Register:
    """Fold the register as it stood at the end of a block."""
    register = Register()
    for event in events:
        if event.log.block <= block:
            register.take(event)
    return register


def check_membership(snapshot: Snapshot, findings: Findings) -> None:
    """Check every act of the run against the register of its moment, and the register's storage."""
    register = Register()
    for event in _in_order(snapshot.events, unfold(snapshot.run_events)):
        match event:
            case de.ReaderAdmitted() | de.ReaderDismissed() if event.site == CONSORTIUM:
                continue  # which account of the operator acted, the record does not say
            case record if isinstance(record, de.DISCLOSURES):
                if not snapshot.concerns(record):
                    continue
                act, role = f"record of {_RECORDS[type(record)]}", Role.SITE
            case me.SetProposed() if event.run == snapshot.run_id:
                act, role = f"set in round {event.round}", Role.AGGREGATOR
            case (
                me.KeysAdvertised() | me.SharesDealt() | me.SharesHeld()
                | me.SetAffirmed() | me.SharesDisclosed()
            ) if event.run == snapshot.run_id:  # fmt: skip
                act, role = f"{_STAGED[type(event)]} in round {event.round}", Role.SITE
            case ev.ConsentGiven():
                act, role = "consent", Role.SITE
            case BatchedUpdate():
                continue  # the contract asks nobody; the sheet tells
            case UpdatesBatched():
                act, role = f"batch in round {event.round}", Role.AGGREGATOR
            case ev.UpdateSubmitted():
                act, role = f"submission to round {event.round}", Role.SITE
            case ev.RoundAttested() | ev.RoundObjected():
                act, role = f"vote in round {event.round}", Role.SITE
            case ev.RunConcluding():
                act, role = f"vote to end with round {event.round}", Role.SITE
            case ev.RoundProposed():
                act, role = f"proposal in round {event.round}", Role.AGGREGATOR
            case ev.RunEvent():
                continue
            case _:
                register.take(event)
                continue
        if obstacle := register.obstacle(event.site, role):
            findings.add(
                MEMBERSHIP,
                "unauthorised",
                f"{act} of site {event.site}",
                obstacle,
                round_number=getattr(event, "round", None),
                duty=CHAIN_DUTY,
                expected=f"an active site with the role {role.name}",
                actual=obstacle,
            )
    _check_storage(snapshot, register, findings)


def _check_storage(snapshot: Snapshot, register: Register, findings: Findings) -> None:
    for number, held in snapshot.sites.items():
        seat = register.seats.get(number)
        said = (seat.account, seat.standing, seat.roles) if seat else None
        findings.require_equal(
            MEMBERSHIP,
            "register-differs",
            f"site {number}",
            "the register holds another account, standing or roles than its events add up to",
            said,
            (held.account, held.standing, held.roles),
        )


def _in_order(
    first: Sequence[ev.LedgerEvent], second: Sequence[ev.LedgerEvent]
) -> list[ev.LedgerEvent]:
    return sorted([*first, *second], key=lambda event: (event.log.block, event.log.index))

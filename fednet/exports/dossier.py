"""All that an export says of a run, gathered once; every export is a pure function of it.

A dossier judges nothing: what the ledger says stands beside what the audit
found. Texts in it come from strangers; each export escapes them its own way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from fednet.audit import AuditReport
from fednet.domain import events as ev
from fednet.domain.disclosure_events import Disclosure
from fednet.domain.history import AttemptHistory, RunHistory
from fednet.domain.identity import Commitment, DatasetId, GrantId, RoundNumber, SiteId
from fednet.domain.ledger import Deployment, Head, Inclusion, Phase, Run, unpack_inclusion
from fednet.domain.plan import Plan
from fednet.domain.record import Measured, RoundRecord
from fednet.provenance import FiveSafes


@dataclass(frozen=True, slots=True)
class Source:
    """Where on the ledger a statement stands."""

    block: int
    transaction: str
    time: int
    """Seconds since 1970, as the block says; 0 where its header was not read."""


@dataclass(frozen=True, slots=True)
class GrantFile:
    """One access request, and what was decided."""

    requested: ev.AccessRequested
    granted: ev.AccessGranted | None = None
    ended: ev.AccessDenied | ev.AccessRevoked | None = None


@dataclass(frozen=True, slots=True)
class FinalRound:
    """A round that is final, as its last proposal made it."""

    number: RoundNumber
    started: ev.AttemptStarted
    submissions: tuple[ev.UpdateSubmitted, ...]
    """By site."""
    verdicts: Mapping[SiteId, Inclusion]
    """By the proposal's own words, of each submission."""
    proposed: ev.RoundProposed
    attestations: tuple[ev.RoundAttested, ...]
    objections: tuple[ev.RoundObjected, ...]
    finalized: ev.RoundFinalized
    previous_state: Commitment

    @property
    def included(self) -> tuple[ev.UpdateSubmitted, ...]:
        """Return the updates that the round's state derives from, by site."""
        return tuple(
            entry
            for entry in self.submissions
            if self.verdicts.get(entry.site) is Inclusion.INCLUDED
        )


@dataclass(frozen=True)
class RunDossier:
    """One run with everything that belongs to it."""

    deployment: Deployment
    head: Head
    """Block that was read last."""
    run: Run
    opened: ev.RunOpened
    phase: Phase
    history: RunHistory
    plan: Plan | None
    """None if its bytes cannot be had."""
    records: Mapping[RoundNumber, RoundRecord]
    """Of the final rounds; those whose bytes can be had."""
    applied: Mapping[SiteId, ev.SiteApplied]
    """Of the sites that acted in the run."""
    operators: tuple[str, ...]
    """Accounts that admitted the sites and approved the rounds module."""
    datasets: Mapping[DatasetId, ev.DatasetRegistered]
    """Those that a consent of the run leads to."""
    grants: Mapping[GrantId, GrantFile]
    """Those that a consent of the run names."""
    claims: tuple[ev.CreditsClaimed, ...]
    times: Mapping[int, int]
    """Seconds since 1970 by block."""
    report: AuditReport | None
    """What an audit found; None if none was made."""
    disclosures: tuple[Disclosure, ...] = ()
    """Records of the run, and of what its datasets may spend and spent in any run."""
    safes: FiveSafes | None = None
    """Who, for what, where, on which data, and what came out."""

    @property
    def sites(self) -> tuple[SiteId, ...]:
        """List the sites that consented at any time."""
        return tuple(sorted(set(self.history.roster.values())))

    @property
    def measured(self) -> tuple[Measured, ...]:
        """List what sites measured of each state, in order, as far as records could be read."""
        found = (self.records[number].measured for number in sorted(self.records))
        return tuple(each for each in found if each is not None)

    def name(self, site: SiteId) -> str:
        """Name an institution as it named itself."""
        known = self.applied.get(site)
        return known.name if known else f"site {site}"

    def source(self, event: ev.LedgerEvent) -> Source:
        """Say where an event stands."""
        log = event.log
        return Source(log.block, str(log.transaction), self.times.get(log.block, 0))

    def consent_of(self, site: SiteId, before: ev.LedgerEvent) -> ev.ConsentGiven | None:
        """Find the consent under which a site acted."""
        given = [event for event in self._consents.get(site, ()) if event.log < before.log]
        return given[-1] if given else None

    @cached_property
    def _consents(self) -> dict[SiteId, list[ev.ConsentGiven]]:
        found: dict[SiteId, list[ev.ConsentGiven]] = {}
        for event in self.history.events:
            if isinstance(event, ev.ConsentGiven):
                found.setdefault(event.site, []).append(event)
        return found

    def dataset_of(self, site: SiteId, before: ev.LedgerEvent) -> DatasetId | None:
        """Find the dataset that a site's consent let it train on."""
        consent = self.consent_of(site, before)
        grant = self.grants.get(consent.grant) if consent else None
        return grant.requested.dataset if grant else None

    @cached_property
    def final_rounds(self) -> tuple[FinalRound, ...]:
        """List the rounds that became final, in order."""
        return tuple(self._walk())

    def _walk(self) -> Iterator[FinalRound]:
        state = self.opened.initial_model
        for number in sorted(self.history.rounds):
            entry = self.history.rounds[number]
            attempt, proposal = entry.final_attempt, entry.final_proposal
            if attempt is None or proposal is None or entry.finalized is None:
                continue
            yield FinalRound(
                number=number,
                started=attempt.started,
                submissions=tuple(attempt.submissions[s] for s in sorted(attempt.submissions)),
                verdicts=self._verdicts(attempt, proposal.proposed),
                proposed=proposal.proposed,
                attestations=tuple(proposal.attestations.values()),
                objections=tuple(proposal.objections.values()),
                finalized=entry.finalized,
                previous_state=state,
            )
            state = proposal.proposed.state

    def _verdicts(
        self, attempt: AttemptHistory, proposed: ev.RoundProposed
    ) -> dict[SiteId, Inclusion]:
        positions = {
            position: site
            for position, site in self.history.roster.items()
            if position < attempt.started.roster_length and site in attempt.submissions
        }
        latest = {site: position for position, site in sorted(positions.items())}
        codes = unpack_inclusion(proposed.inclusion, set(latest.values())) or {}
        return {site: codes[at] for site, at in latest.items() if at in codes}

"""A run's history, folded from the events of its rounds module.

The fold only sorts what the log says; it judges nothing. Node, queries and
audit read the same history, so they cannot disagree about who acted when.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fednet.domain import events as ev
from fednet.domain.batch_events import CommitteeDrawn
from fednet.domain.batches import Unfolding
from fednet.domain.identity import RoundNumber, RunId, SiteId
from fednet.domain.samples import drawn_positions


@dataclass(slots=True)
class ProposalHistory:
    """One proposal and what members said of it, in the order of the chain."""

    proposed: ev.RoundProposed
    attestations: dict[SiteId, ev.RoundAttested] = field(default_factory=dict)
    objections: dict[SiteId, ev.RoundObjected] = field(default_factory=dict)
    committee: CommitteeDrawn | None = None
    """Who voted before it was final, in a run whose module draws a committee."""


@dataclass(slots=True)
class AttemptHistory:
    """One attempt at a round: its frozen cohort, its submissions, its proposals."""

    started: ev.AttemptStarted
    submissions: dict[SiteId, ev.UpdateSubmitted] = field(default_factory=dict)
    """In the order of the chain; rows of batches that count are ``BatchedUpdate``."""
    draws: list[ev.SampleDrawn] = field(default_factory=list)
    """Of the sample, in a run whose module draws one; all but the last were put off."""
    closed: ev.SubmissionsClosed | None = None
    proposals: dict[int, ProposalHistory] = field(default_factory=dict)
    """By number, from 1."""


@dataclass(slots=True)
class RoundHistory:
    """Every attempt at one round, by number, and how it became final."""

    attempts: dict[int, AttemptHistory] = field(default_factory=dict)
    finalized: ev.RoundFinalized | None = None
    concluding: dict[SiteId, ev.RunConcluding] = field(default_factory=dict)
    """Votes to end the run with this round."""

    @property
    def final_attempt(self) -> AttemptHistory | None:
        """Return the attempt that became final."""
        return self.attempts[self.finalized.attempt] if self.finalized else None

    @property
    def final_proposal(self) -> ProposalHistory | None:
        """Return the proposal that became final."""
        attempt = self.final_attempt
        return attempt.proposals[self.finalized.proposal] if attempt and self.finalized else None


@dataclass(slots=True)
class RunHistory:
    """Everything the log says of one run."""

    run: RunId
    events: list[ev.RunEvent] = field(default_factory=list)
    roster: dict[int, SiteId] = field(default_factory=dict)
    """Site by position; a site that consents again gets another position."""
    consents: dict[SiteId, ev.ConsentGiven] = field(default_factory=dict)
    """The latest consent of each site, ended or not."""
    ended: dict[SiteId, ev.ConsentEnded] = field(default_factory=dict)
    """Sites whose latest consent ended."""
    rounds: dict[RoundNumber, RoundHistory] = field(default_factory=dict)
    completed: ev.RunCompleted | None = None
    aborted: ev.RunAborted | None = None
    _positions: dict[SiteId, list[int]] = field(default_factory=dict)
    _unfolding: Unfolding = field(default_factory=Unfolding)

    @classmethod
    def of(cls, run: RunId, events: Iterable[ev.RunEvent]) -> RunHistory:
        """Fold the events of a run, in the order of the chain."""
        history = cls(run)
        history.extend(events)
        return history

    def extend(self, events: Iterable[ev.RunEvent]) -> None:
        """Take in further events, in the order of the chain.

        Raises:
            KeyError: An event speaks of an attempt or a proposal that never began.
        """
        for event in events:
            self._apply(event)
            for entry in self._unfolding.take(event):
                self._apply(entry)
            self.events.append(event)

    @property
    def final_rounds(self) -> int:
        """Count the rounds that are final."""
        return sum(1 for entry in self.rounds.values() if entry.finalized)

    @property
    def seats(self) -> Mapping[int, SiteId]:
        """Return whose consent stands now, by roster position."""
        return self._unfolding.seats

    def drawn(self, attempt: AttemptHistory, sampled_sites: int) -> tuple[SiteId, ...]:
        """List the sites that may submit to an attempt of a run with so large a sample."""
        found = drawn_positions(attempt.started, attempt.draws, sampled_sites)
        return tuple(sorted(self.roster[at] for at in found))

    def positions(self, site: SiteId) -> Sequence[int]:
        """List the roster positions that a site has had."""
        return self._positions.get(site, [])

    def _apply(self, event: ev.RunEvent) -> None:
        match event:
            case ev.ConsentGiven():
                self.roster[event.position] = event.site
                self._positions.setdefault(event.site, []).append(event.position)
                self.consents[event.site] = event
                self.ended.pop(event.site, None)
            case ev.ConsentEnded():
                self.ended[event.site] = event
            case ev.AttemptStarted():
                attempts = self.rounds.setdefault(event.round, RoundHistory()).attempts
                attempts[event.attempt] = AttemptHistory(event)
            case ev.UpdateSubmitted():
                submissions = self._attempt(event.round, event.attempt).submissions
                # A site's own submission takes the place of its row in a batch, at its own time.
                submissions.pop(event.site, None)
                submissions[event.site] = event
            case ev.SubmissionsClosed():
                self._attempt(event.round, event.attempt).closed = event
            case ev.RoundProposed():
                attempt = self._attempt(event.round, event.attempt)
                attempt.proposals[event.proposal] = ProposalHistory(event)
            case ev.RoundAttested():
                self._proposal(event).attestations[event.site] = event
            case CommitteeDrawn():
                self._proposal(event).committee = event
            case ev.RoundObjected():
                self._proposal(event).objections[event.site] = event
            case ev.RoundFinalized():
                self.rounds[event.round].finalized = event
            case ev.SampleDrawn():
                self._attempt(event.round, event.attempt).draws.append(event)
            case ev.RunConcluding():
                self.rounds[event.round].concluding[event.site] = event
            case ev.RunCompleted():
                self.completed = event
            case ev.RunAborted():
                self.aborted = event
            case _:
                pass

    def _attempt(self, round_number: RoundNumber, attempt: int) -> AttemptHistory:
        return self.rounds[round_number].attempts[attempt]

    def _proposal(
        self, event: ev.RoundAttested | ev.RoundObjected | CommitteeDrawn
    ) -> ProposalHistory:
        return self._attempt(event.round, event.attempt).proposals[event.proposal]

"""Keys of a node's facts within one run: an attempt, a training for it, a proposal in it."""

from __future__ import annotations

from typing import NamedTuple

from fednet.domain.history import AttemptHistory, ProposalHistory, RunHistory
from fednet.domain.identity import Commitment, RoundNumber, SiteId


class AttemptKey(NamedTuple):
    """Name one attempt at one round."""

    round: RoundNumber
    attempt: int

    def proposal(self, number: int) -> ProposalKey:
        """Name a proposal of this attempt."""
        return ProposalKey(self.round, self.attempt, number)


class ProposalKey(NamedTuple):
    """Name one proposal of one attempt."""

    round: RoundNumber
    attempt: int
    number: int

    @property
    def attempt_key(self) -> AttemptKey:
        """Name the attempt that the proposal belongs to."""
        return AttemptKey(self.round, self.attempt)


class TrainingOrder(NamedTuple):
    """Name one training of a site: its seed and its base follow from nothing else."""

    key: AttemptKey
    """Attempt that it was begun for."""
    base: Commitment
    """State that it started from."""


def find_attempt(history: RunHistory, key: AttemptKey) -> AttemptHistory | None:
    """Look up an attempt; None if the log does not know it (yet)."""
    entry = history.rounds.get(key.round)
    return entry.attempts.get(key.attempt) if entry else None


def find_proposal(history: RunHistory, key: ProposalKey) -> ProposalHistory | None:
    """Look up a proposal; None if the log does not know it (yet)."""
    attempt = find_attempt(history, key.attempt_key)
    return attempt.proposals.get(key.number) if attempt else None


def final_key(history: RunHistory, round_number: RoundNumber) -> ProposalKey | None:
    """Name the proposal that made a round final; None if it is not final."""
    entry = history.rounds.get(round_number)
    if entry is None or entry.finalized is None:
        return None
    return ProposalKey(round_number, entry.finalized.attempt, entry.finalized.proposal)


def position_in(history: RunHistory, site: SiteId, roster_length: int) -> int | None:
    """Return a site's roster position in an attempt; the latest of those frozen by then."""
    frozen = [position for position in history.positions(site) if position < roster_length]
    return max(frozen, default=None)

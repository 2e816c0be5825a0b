"""Where a masked attempt stands, and what each site did in it.

The twins of what ``contracts/interfaces/IMaskingTypes.sol`` speaks of, and a fold
of the ledger's events. The fold only sorts what the log says; it judges nothing.
What the stages are for is told in ADR 21.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Self

from fednet.domain import masking_events as ev
from fednet.domain.events import LedgerEvent
from fednet.domain.identity import Digest, RoundNumber, SiteId


class MaskingStage(IntEnum):
    """What a masked attempt waits for."""

    NONE = 0
    """No attempt collects or awaits a proposal."""
    KEYS = 1
    SHARES = 2
    HOLDINGS = 3
    MASKED = 4
    FREEZING = 5
    UNMASKING = 6


@dataclass(frozen=True, slots=True)
class MaskingTimes:
    """How long the stages last, in seconds, each counted from its own beginning."""

    key_seconds: int
    share_seconds: int
    holding_seconds: int
    freeze_seconds: int
    """Of one set without quorum, before another may be proposed."""

    @property
    def before_masked(self) -> int:
        """Return how long it takes at most until masked updates are admitted, in seconds.

        Beyond this comes only the time until somebody closes the keys.
        """
        return self.key_seconds + self.share_seconds + self.holding_seconds


@dataclass(frozen=True, slots=True)
class MaskingLog:
    """What the contract holds of all its records together."""

    running_hash: Digest
    records: int


@dataclass(frozen=True, slots=True)
class MaskingState:
    """Where the attempt at hand stands; times in seconds since 1970."""

    round: RoundNumber
    attempt: int
    stage: MaskingStage
    deadline: int
    """End of the stage; of a set that is proposed, of its affirmations."""
    advertised: int
    dealt: int
    held: int
    affirmed: int
    """Affirmations of the set that was proposed last."""
    number: int
    """Of the set that was proposed last; 0 if none."""
    frozen: Digest
    """Keccak-256 of the frozen inclusion bytes; zero until they are frozen."""
    seed_block: int
    """Block that holds ``KeysClosed``; 0 before."""

    def at(self, now: int, times: MaskingTimes, run_deadline: int) -> MaskingState:
        """Return where the attempt stands later, if nobody acts until then.

        A chain that makes no block does not say that a stage is over. Keys never
        close by themselves.

        Args:
            now: Seconds since 1970.
            times: Of the run's stages.
            run_deadline: End of the run's phase, by its rounds module.
        """
        state = self
        if state.stage is MaskingStage.SHARES and now > state.deadline:
            end = state.deadline + times.holding_seconds
            state = replace(state, stage=MaskingStage.HOLDINGS, deadline=end)
        if state.stage is MaskingStage.HOLDINGS and now > state.deadline:
            state = replace(state, stage=MaskingStage.MASKED, deadline=run_deadline)
        if state.stage is MaskingStage.FREEZING and now > state.deadline:
            state = replace(state, deadline=run_deadline)
        return state


@dataclass(slots=True)
class SetHistory:
    """One proposed set and who affirmed it, in the order of the chain."""

    proposed: ev.SetProposed
    affirmations: dict[SiteId, ev.SetAffirmed] = field(default_factory=dict)


@dataclass(slots=True)
class MaskingAttempt:
    """What each site did in one attempt, in the order of the chain."""

    keys: dict[SiteId, ev.KeysAdvertised] = field(default_factory=dict)
    closed: ev.KeysClosed | None = None
    dealings: dict[SiteId, ev.SharesDealt] = field(default_factory=dict)
    holdings: dict[SiteId, ev.SharesHeld] = field(default_factory=dict)
    sets: dict[int, SetHistory] = field(default_factory=dict)
    """By number, from 1."""
    frozen: ev.SetFrozen | None = None
    disclosures: dict[SiteId, ev.SharesDisclosed] = field(default_factory=dict)

    @property
    def seed_block(self) -> int | None:
        """Return the block whose hash draws the graph; None before the keys are closed."""
        return self.closed.log.block if self.closed else None

    @property
    def frozen_set(self) -> SetHistory | None:
        """Return the set that is frozen."""
        return self.sets[self.frozen.number] if self.frozen else None

    @property
    def frozen_inclusion(self) -> bytes | None:
        """Return the frozen inclusion bytes, of which a proposal must have exactly these."""
        return found.proposed.inclusion if (found := self.frozen_set) else None


@dataclass(slots=True)
class MaskingHistory:
    """Everything the ledger of masked rounds says of one run."""

    attempts: dict[tuple[RoundNumber, int], MaskingAttempt] = field(default_factory=dict)
    """By round and attempt; only attempts in which somebody acted."""

    @classmethod
    def fold(cls, events: Iterable[LedgerEvent]) -> Self:
        """Fold the events of one run, in the order of the chain; of other ledgers' none count."""
        history = cls()
        history.extend(events)
        return history

    def extend(self, events: Iterable[LedgerEvent]) -> None:
        """Take in further events, in the order of the chain.

        Raises:
            KeyError: An event speaks of a set that nobody proposed.
        """
        for event in events:
            if isinstance(event, ev.MASKING_EVENTS):
                self._apply(event)

    def attempt(self, round_number: RoundNumber, attempt: int) -> MaskingAttempt:
        """Return what was done in an attempt; nothing if nobody acted in it."""
        return self.attempts.get((round_number, attempt), MaskingAttempt())

    def _apply(self, event: ev.MaskingEvent) -> None:
        attempt = self.attempts.setdefault((event.round, event.attempt), MaskingAttempt())
        match event:
            case ev.KeysAdvertised():
                attempt.keys[event.site] = event
            case ev.KeysClosed():
                attempt.closed = event
            case ev.SharesDealt():
                attempt.dealings[event.site] = event
            case ev.SharesHeld():
                attempt.holdings[event.site] = event
            case ev.SetProposed():
                attempt.sets[event.number] = SetHistory(event)
            case ev.SetAffirmed():
                attempt.sets[event.number].affirmations[event.site] = event
            case ev.SetFrozen():
                attempt.frozen = event
            case ev.SharesDisclosed():
                attempt.disclosures[event.site] = event

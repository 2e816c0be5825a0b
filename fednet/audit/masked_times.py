"""Checks 20 and 21 in masked attempts: stages by the time of the blocks, and whose turn a set was.

Whose clock the blocks show is the chain's, and the contracts refuse what is early, late or
another's turn. A finding speaks of a chain that did not keep its rules, and accuses no site.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fednet.audit.checks import DEADLINES, TURNS, Check
from fednet.audit.cohorts import Cohort, Key
from fednet.audit.findings import CHAIN_DUTY, Findings
from fednet.audit.snapshot import Snapshot
from fednet.domain import events as ev
from fednet.domain import masking_events as me
from fednet.domain.identity import SiteId
from fednet.domain.ledger import Inclusion, turn_position, unpack_inclusion
from fednet.domain.plan import Plan

_Act = (
    me.KeysAdvertised
    | me.KeysClosed
    | me.SharesDealt
    | me.SharesHeld
    | me.SetProposed
    | me.SetAffirmed
    | me.SharesDisclosed
    | ev.UpdateSubmitted
)
_OF_RUN = (ev.AttemptStarted, ev.UpdateSubmitted, ev.RoundProposed, ev.ProposalEnded)


def check_masked_times(
    snapshot: Snapshot, plan: Plan, cohorts: Mapping[Key, Cohort], findings: Findings
) -> None:
    """Walk the run's masked attempts in the order of the chain, keeping the plan's times."""
    own = [record for record in snapshot.masked() if record.run == snapshot.run_id]
    # The log may tell later that submissions closed than sets were proposed.
    closings = {
        (event.round, event.attempt): event.deadline
        for event in snapshot.run_events
        if isinstance(event, ev.SubmissionsClosed)
    }
    told = [event for event in snapshot.run_events if isinstance(event, _OF_RUN)]
    clocks: dict[Key, _Clock] = {}
    for event in sorted([*own, *told], key=lambda each: each.log):
        key, now = (event.round, event.attempt), snapshot.blocks[event.log.block].timestamp
        if isinstance(event, ev.AttemptStarted):
            until = now + plan.masking.key_seconds
            cohort = cohorts[key]
            clocks[key] = _Clock(plan, cohort, findings, until, phase_until=closings.get(key))
        elif key in clocks:
            clocks[key].take(event, now)


@dataclass(slots=True)
class _Clock:
    """One attempt's stages so far, closed as the contract closes them; times as of blocks."""

    plan: Plan
    cohort: Cohort
    findings: Findings
    keys_until: int
    phase_until: int | None
    """End of the run's phase, once submissions are closed; None as long as nothing tells it."""
    is_proposed: bool = False
    advertised: int = 0
    shares_until: int | None = None
    """None before keys are closed."""
    dealt: int = 0
    all_dealt_at: int | None = None
    held: int = 0
    all_held_at: int | None = None
    submitted: set[SiteId] = field(default_factory=set)
    set_until: int = 0
    """Until when the last set may be affirmed."""

    def take(self, event: ev.LedgerEvent, now: int) -> None:
        """Fold one more act, and note what came too early, too late or out of turn."""
        match event:
            case ev.RoundProposed():
                self.is_proposed, self.phase_until = True, event.deadline
            case ev.ProposalEnded():
                self.is_proposed, self.phase_until = False, event.deadline
            case me.KeysAdvertised():
                self._require(event, now, until=self.keys_until)
                self.advertised += 1
            case me.KeysClosed():
                is_whole = self.advertised >= len(self.cohort.members)
                self._require(event, now, begins=0 if is_whole else self.keys_until + 1)
                self.shares_until = now + self.plan.masking.share_seconds
            case me.SharesDealt():
                self._require(event, now, until=self.shares_until)
                self.dealt += 1
                if self.dealt == self.advertised:
                    self.all_dealt_at = now
            case me.SharesHeld():
                begins, until = self._holdings()
                self._require(event, now, begins=begins, until=until)
                self.held += 1
                if self.held == self.dealt:
                    self.all_held_at = now
            case ev.UpdateSubmitted():
                begins = self._holdings()[1] + 1 if self.all_held_at is None else self.all_held_at
                self._require(event, now, begins=begins)
                self.submitted.add(event.site)
            case me.SetProposed():
                self._propose(event, now)
                self.set_until = now + self.plan.masking.freeze_seconds
            case me.SetAffirmed():
                self._require(event, now, until=self.set_until)
            case me.SharesDisclosed():
                self._require(event, now, until=self.phase_until)

    def _holdings(self) -> tuple[int, int]:
        """Return when what sites hold may be said, from and until."""
        seconds = self.plan.masking.holding_seconds
        if self.all_dealt_at is not None:
            return self.all_dealt_at, self.all_dealt_at + seconds
        end = self.shares_until or 0
        return end + 1, end + seconds

    def _propose(self, event: me.SetProposed, now: int) -> None:
        """Check a set's time and turn, which are those of proposals."""
        if self.phase_until is None or self.is_proposed:
            return
        timing = self.plan.timing
        reveal_end = self.phase_until - timing.propose_seconds
        is_first = event.number == 1
        begins = 0 if is_first else self.set_until + 1
        if self._calls_unavailable(event):
            begins = max(begins, reveal_end)
        self._require(event, now, begins=begins, until=self.phase_until)
        length, position = self.cohort.roster_length, self.cohort.positions.get(event.site)
        if not length:
            return
        turn = turn_position(event.round, event.attempt, event.number, length)
        open_to_all = (reveal_end if is_first else self.set_until) + timing.grace_seconds
        if position != turn and now < open_to_all:
            self._report(
                TURNS,
                "turn-of-another",
                event,
                f"site {event.site} proposed before the turn's site had its time",
                f"position {turn}, or after {open_to_all}",
                f"position {position} at {now}",
            )

    def _calls_unavailable(self, event: me.SetProposed) -> bool:
        positions = self.cohort.positions
        known = {positions[site] for site in self.submitted if site in positions}
        verdicts = unpack_inclusion(event.inclusion, known) or {}
        return Inclusion.UNAVAILABLE in verdicts.values()

    def _require(self, event: _Act, now: int, begins: int = 0, until: int | None = None) -> None:
        if now < begins:
            expected = f"at least {begins}"
            self._report(DEADLINES, "early", event, "its stage had not begun", expected, now)
        if until is not None and now > until:
            expected = f"at most {until}"
            message = "its block is later than the deadline"
            self._report(DEADLINES, "late", event, message, expected, now)

    def _report(
        self, check: Check, code: str, event: _Act, message: str, expected: str, actual: object
    ) -> None:
        who = f"site {site}" if (site := getattr(event, "site", None)) else "a member"
        self.findings.add(
            check,
            code,
            f"{type(event).__name__} of {who} in round {event.round}, attempt {event.attempt}",
            message,
            round_number=event.round,
            duty=CHAIN_DUTY,
            expected=expected,
            actual=actual,
        )

"""Check 31: that each act of a masked attempt came in its stage, once, from whom it may come.

That no record is missing is check 2. The contract refuses what is found here, so that a
finding speaks of a chain whose rules were not kept: it accuses no site. What a site said
in its acts is the business of ``audit.masks``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fednet.audit.checks import MASKED_ACTS
from fednet.audit.cohorts import Cohort, Key
from fednet.audit.findings import CHAIN_DUTY, Findings
from fednet.audit.snapshot import Snapshot
from fednet.domain import events as ev
from fednet.domain import masking_events as me
from fednet.domain.identity import SiteId


def check_masked_acts(
    snapshot: Snapshot, cohorts: Mapping[Key, Cohort], findings: Findings
) -> None:
    """Walk the run's masked attempts in the order of the chain.

    Args:
        snapshot: What the ledger says.
        cohorts: Of the run, by attempt.
        findings: Where to note what is wrong.
    """
    own = [record for record in snapshot.masked() if record.run == snapshot.run_id]
    submitted = [event for event in snapshot.run_events if isinstance(event, ev.UpdateSubmitted)]
    walks: dict[Key, _Walk] = {}
    for event in sorted([*own, *(submitted if own else ())], key=lambda each: each.log):
        key = (event.round, event.attempt)
        if key not in walks:
            walks[key] = _Walk(cohorts.get(key), findings)
        walks[key].take(event)


@dataclass(slots=True)
class _Walk:
    """One attempt so far, folded as the contract folds it."""

    cohort: Cohort | None
    findings: Findings
    advertised: set[SiteId] = field(default_factory=set)
    closed: bool = False
    dealt: set[SiteId] = field(default_factory=set)
    held: set[SiteId] = field(default_factory=set)
    submitted: bool = False
    sets: int = 0
    affirmed: set[SiteId] = field(default_factory=set)
    frozen: bool = False
    disclosed: set[SiteId] = field(default_factory=set)

    def take(self, event: me.MaskingEvent | ev.UpdateSubmitted) -> None:
        """Fold one more act, and note what had to be refused."""
        if problem := self._problem(event):
            who = f"site {site}" if (site := getattr(event, "site", None)) else "a member"
            self.findings.add(
                MASKED_ACTS,
                "masking-act-unlawful",
                f"{type(event).__name__} of {who} in round {event.round}, attempt {event.attempt}",
                problem,
                round_number=event.round,
                duty=CHAIN_DUTY,
            )
        self._apply(event)

    def _problem(self, event: me.MaskingEvent | ev.UpdateSubmitted) -> str:
        site = getattr(event, "site", None)
        if self.cohort is None:
            return "no such attempt began"
        if site is not None and site not in self.cohort.members:
            return "by a site outside the cohort"
        match event:
            case me.KeysAdvertised():
                return _first(
                    (self.closed, "after the keys were closed"),
                    (event.site in self.advertised, "advertised twice"),
                )
            case me.KeysClosed():
                return _first(
                    (self.closed, "closed twice"),
                    (event.advertised != len(self.advertised), "with another number of keys"),
                )
            case me.SharesDealt():
                return _first(
                    (not self.closed, "before the keys were closed"),
                    (event.site not in self.advertised, "by a site without keys"),
                    (bool(self.held), "after sites had said what they hold"),
                    (event.site in self.dealt, "dealt twice"),
                )
            case me.SharesHeld():
                return _first(
                    (event.site not in self.dealt, "by a site that dealt nothing"),
                    (self.submitted, "after masked updates had come"),
                    (event.site in self.held, "said twice what it holds"),
                )
            case ev.UpdateSubmitted():
                return (
                    "" if event.site in self.held else "by a site that had not said what it holds"
                )
            case me.SetProposed() | me.SetAffirmed() | me.SetFrozen():
                return self._problem_of_set(event)
            case me.SharesDisclosed():
                return _first(
                    (not self.frozen, "before a set was frozen"),
                    (event.site in self.disclosed, "disclosed twice"),
                )

    def _problem_of_set(self, event: me.SetProposed | me.SetAffirmed | me.SetFrozen) -> str:
        if self.frozen:
            return "after a set was frozen"
        match event:
            case me.SetProposed():
                return "" if event.number == self.sets + 1 else "out of order"
            case me.SetAffirmed():
                return _first(
                    (event.number != self.sets or not self.sets, "of another set than the last"),
                    (event.site in self.affirmed, "affirmed twice"),
                )
            case me.SetFrozen():
                quorum = self.cohort.quorum if self.cohort else 0
                return _first(
                    (event.number != self.sets or not self.sets, "of another set than the last"),
                    (len(self.affirmed) < quorum, f"with fewer than {quorum} affirmations"),
                )

    def _apply(self, event: me.MaskingEvent | ev.UpdateSubmitted) -> None:
        match event:
            case me.KeysAdvertised():
                self.advertised.add(event.site)
            case me.KeysClosed():
                self.closed = True
            case me.SharesDealt():
                self.dealt.add(event.site)
            case me.SharesHeld():
                self.held.add(event.site)
            case ev.UpdateSubmitted():
                self.submitted = True
            case me.SetProposed():
                self.sets, self.affirmed = event.number, set()
            case me.SetAffirmed():
                self.affirmed.add(event.site)
            case me.SetFrozen():
                self.frozen = True
            case me.SharesDisclosed():
                self.disclosed.add(event.site)


def _first(*rules: tuple[bool, str]) -> str:
    """Name the first rule that is broken; empty if none is."""
    return next((problem for is_broken, problem in rules if is_broken), "")

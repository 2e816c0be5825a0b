"""Two batched runs that tests share: an honest one, and one whose batcher forges all it can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fednet.audit import AuditReport, Finding, RoundVerdict
from fednet.audit.report import SiteResult
from fednet.domain.history import RunHistory
from fednet.domain.identity import RunId
from fednet.domain.ledger import Phase
from tests.attacks import batching, lies
from tests.attacks.batching import BATCHED, BATCHER, Row
from tests.attacks.lie import LeftOut, Lie, require_honest
from tests.attacks.network import Member, Network

FORGED, WEIGHED, OTHER_RUN, OTHER_ROUND = 0, 1, 3, 4
"""Position of the site whose row is made up, has another weight, another run's signature, another
round's."""
HONEST = 5, 6, 7, 8
"""Positions whose rows are left as their sites signed them: with the batcher's, more than are
forged, so that the attempt is not spoilt."""
SITES = 9


@dataclass(frozen=True)
class Batched:
    """A batched run that is over, and what the audit says of it."""

    run: RunId
    members: Sequence[Member]
    history: RunHistory
    report: AuditReport

    def said(self, position: int) -> SiteResult:
        """Give what the audit says of a site's update."""
        site = self.members[position].site
        return next(each for each in self.report.rounds[0].sites if each.site == site)

    def require_forged(self, lie: Lie, *positions: int) -> None:
        """Check that rows count for nothing and convict the batcher, and nobody else."""
        for position in positions:
            said = self.said(position)
            assert (said.verdict, said.earned) == ("invalid", 0)
            lie.saw(LeftOut(said.reason))
            found = self.finding(lie, position)
            assert found.accused == self.members[BATCHER].site
        assert self.report.rounds[0].verdict is RoundVerdict.VERIFIED
        assert {self.said(at).verdict for at in (BATCHER, *HONEST)} == {"included"}

    def finding(self, lie: Lie, position: int) -> Finding:
        """Give what the audit found about a site's row."""
        row = f"row of site {self.members[position].site} "
        found = lie.found(self.report, self.members[BATCHER].site)
        return next(each for each in found if each.subject.startswith(row))


def play_honestly(network: Network) -> Batched:
    """Play a batched run of real nodes that hear each other; check that nothing is found."""
    members = network.members()
    with network.open(members, **BATCHED) as run:
        run.start()
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
        require_honest(report)
        return Batched(run.run, members, run.history, report)


def play_spoilt(network: Network) -> Batched:
    """Play a run whose batcher forges rows of four sites; their nodes are honest."""
    members = network.members(SITES)
    liar = members[BATCHER]
    with network.open(members, cohort_minimum_updates=2, **BATCHED) as run:
        ear = batching.Ear(run)
        honest = [member for member in members if member is not liar]
        run.start(*honest)
        heard = ear.hear(*honest)

        def replayed(position: int, run_id: RunId, number: int) -> Row:
            """Take what a site signed elsewhere for what it says here."""
            site = members[position]
            said = heard[site.site].update
            elsewhere = lies.update(site, run.place(number))
            site.store.publish(elsewhere.path)
            signed = batching.sign(
                site, run, batching.update_of(site, run_id, elsewhere, number=number)
            )
            return signed.saying(run=said.run, round=said.round)

        victim = members[FORGED].site
        made_up = lies.update(liar, run.place(), site=victim)
        liar.store.publish(made_up.path)
        weighed = heard[members[WEIGHED].site]
        rows = [
            batching.sign(liar, run, batching.update_of(liar, run.run, made_up, victim)),
            weighed.saying(weight=weighed.update.weight - 1),
            batching.own_row(liar, run),
            replayed(OTHER_RUN, RunId(run.run + 1), 1),
            replayed(OTHER_ROUND, run.run, 2),
            *(heard[members[at].site] for at in HONEST),
        ]
        batching.hand_in(liar, run, rows)
        run.cut_messages()
        assert run.over() is Phase.COMPLETED
        return Batched(run.run, members, run.history, network.audit(run))

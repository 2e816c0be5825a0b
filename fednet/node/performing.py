"""Carry out the acts of one run; every act may be interrupted anywhere and done again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fednet.audit import Recomputed, RowVerdict
from fednet.codec import Reason
from fednet.codec.update import update_blob_limit_bytes
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Locator, RoundNumber, SiteId
from fednet.domain.ledger import Inclusion, Proposal
from fednet.errors import (
    AggregationError,
    FednetError,
    RevertedError,
)
from fednet.node import acts
from fednet.node.carrying import Carrying
from fednet.node.contributing import Contributing
from fednet.node.decide.steps import blob_of, blobs_of
from fednet.node.desk import Desk
from fednet.node.fetching import Fetcher
from fednet.node.files import file_matches
from fednet.node.handing import Handing
from fednet.node.places import (
    AttemptKey,
    ProposalKey,
    final_key,
    find_attempt,
    find_proposal,
    position_in,
)
from fednet.node.site import SiteTools
from fednet.node.terms import RunTerms
from fednet.node.view import Pledge, Vote
from fednet.node.workshop import Workshop

if TYPE_CHECKING:
    from fednet.node.hiding import Hidden

_CAME_TOO_LATE = ("DeadlinePassed", "PhaseWrong", "PlaceWrong", "StageWrong")
"""Refusals of a submission to a stage that closed meanwhile: no fault of anybody's."""


class Performer:
    """Do what was decided, for one run."""

    def __init__(
        self,
        tools: SiteTools,
        terms: RunTerms,
        workshop: Workshop,
        fetcher: Fetcher,
        desk: Desk,
        carrying: Carrying | None = None,
        hidden: Hidden | None = None,
    ) -> None:
        self._tools = tools
        self._terms = terms
        self._workshop = workshop
        self._fetcher = fetcher
        self._run = terms.run
        self._carrying = carrying
        mailbox = carrying.mailbox if carrying else None
        self.handing = Handing(tools, terms, workshop, mailbox) if mailbox else None
        self.sat_out: dict[AttemptKey, str] = {}
        self._hidden = hidden
        self._masked = hidden.masked_acts(workshop) if hidden else None
        self.contributing = Contributing(
            tools, terms, workshop, desk, self.sat_out, self._masked,
            hidden.encryption() if hidden else None,
        )  # fmt: skip
        self.unproposable: set[ProposalKey] = set()
        self.disputed: set[ProposalKey] = set()

    def perform(self, act: acts.Act, history: RunHistory, now: int) -> None:
        """Carry out one act, in seconds since 1970.

        Raises:
            FednetError: It could not be carried out now; nothing is half done.
        """
        if self.contributing.perform(act, history, now):
            return
        tools = self._tools
        match act:
            case acts.Submit(key):
                self._submit(key)
            case acts.Publish(key):
                tools.blobs.publish(self._workshop.folder / self._pledge(key).file)
                tools.journal.publish(self._run, key)
            case acts.Fetch(key, sites):
                self._fetch(key, sites, history)
            case acts.Propose(key, unavailable):
                self._propose(key, unavailable, history)
            case acts.Recompute(key, unavailable):
                self._recompute(key, unavailable, history)
            case acts.Replay(key, unavailable):
                self._replay(key, unavailable, history)
            case acts.Preserve(number):
                self._preserve(number, history)
            case acts.HandIn() | acts.Batch() | acts.Voice() | acts.Carry():
                self._pass_on(act, history, now)
            case (
                acts.Advertise() | acts.CloseKeys() | acts.Deal() | acts.FetchShares()
                | acts.Hold() | acts.ProposeSet() | acts.AffirmSet() | acts.Disclose()
            ):  # fmt: skip
                if self._masked is None:
                    raise RuntimeError(f"nothing is masked: {act}")
                if isinstance(act, acts.Advertise):
                    # Whoever cannot pay for an update must not be counted on for one.
                    self.contributing.require_room(act.key, history)
                self._masked.perform(act, history)
            case _:
                self._send(act)

    def _send(self, act: acts.Act) -> None:
        run, site, writer = self._run, self._tools.site, self._tools.writer
        match act:
            case acts.Attest(key, witness):
                writer.attest(run, site, key.round, key.attempt, key.number, witness)
            case acts.Object(key, expected):
                writer.object_to(run, site, key.round, key.attempt, key.number, expected)
            case acts.Draw():
                writer.draw(run)
            case acts.Advance():
                writer.advance(run)
            case acts.Conclude(number):
                writer.conclude(run, site, number)
            case acts.Drop(other):
                writer.drop(run, other)
            case _:
                raise RuntimeError(f"nothing to perform: {act}")

    def _pass_on(
        self,
        act: acts.HandIn | acts.Batch | acts.Voice | acts.Carry,
        history: RunHistory,
        now: int,
    ) -> None:
        if self.handing is None:
            raise RuntimeError(f"nobody carries: {act}")
        match act:
            case acts.HandIn(key):
                if self._still_holds(key):
                    self.handing.hand_in(key, self._pledge(key), now)
            case acts.Batch(key, sites):
                self.handing.batch(key, sites, history)
            case acts.Voice(voted, witness):
                self.handing.voice(voted, witness, history, now)
            case acts.Carry(voted, sites, and_advance):
                self.handing.carry(voted, sites, and_advance)

    def _pledge(self, key: AttemptKey) -> Pledge:
        return self._tools.journal.notes(self._run).pledges[key]

    def _submit(self, key: AttemptKey) -> None:
        pledge = self._pledge(key)
        if not self._still_holds(key):
            return
        try:
            self._tools.writer.submit(
                self._run,
                self._tools.site,
                key.round,
                key.attempt,
                pledge.commitment,
                pledge.weight,
                pledge.locator,
            )
        except RevertedError as exc:
            if exc.error not in _CAME_TOO_LATE:
                raise
            self.sat_out[key] = "the stage closed before this site's update came"

    def _still_holds(self, key: AttemptKey) -> bool:
        """Tell whether a promise can be kept: without its bytes it could never be."""
        pledge = self._pledge(key)
        if file_matches(self._workshop.folder / pledge.file, pledge.commitment):
            return True
        self.sat_out[key] = "the update that was committed to is gone from this disk"
        return False

    def _fetch(self, key: AttemptKey, sites: tuple[SiteId, ...], history: RunHistory) -> None:
        attempt = find_attempt(history, key)
        if attempt is None:
            return
        limit, rows = update_blob_limit_bytes(self._terms.plan), self._rows(key)
        for site in sites:
            self._fetcher.want(blob_of(attempt.submissions[site], rows, limit))

    def _rows(self, key: AttemptKey) -> Mapping[SiteId, RowVerdict]:
        return self._carrying.rows.get(key, {}) if self._carrying else {}

    def _recomputed(
        self,
        key: ProposalKey,
        proposer: SiteId,
        unavailable: frozenset[SiteId],
        history: RunHistory,
    ) -> Recomputed:
        pledge = self._tools.journal.notes(self._run).pledges.get(key.attempt_key)
        refused = {
            site: verdict
            for site, verdict in self._rows(key.attempt_key).items()
            if isinstance(verdict, Reason) and site not in unavailable
        }
        masked, encrypted = self._hidden.inputs(key.attempt_key) if self._hidden else (None, None)
        return self._workshop.recompute(
            history, key, proposer, unavailable, pledge, refused, masked, encrypted
        )

    def _propose(
        self, key: ProposalKey, unavailable: frozenset[SiteId], history: RunHistory
    ) -> None:
        tools, site = self._tools, self._tools.site
        try:
            recomputed = self._recomputed(key, site, unavailable, history)
        except AggregationError:
            self.unproposable.add(key)
            raise
        tools.journal.intend(self._run, key, unavailable)
        record_path = self._workshop.keep_record(recomputed)
        tools.blobs.publish(recomputed.state_path)
        locator = tools.blobs.publish(record_path)
        settlement = recomputed.settlement
        proposal = Proposal(
            run=self._run,
            site=site,
            round=key.round,
            attempt=key.attempt,
            number=key.number,
            included=recomputed.count(Inclusion.INCLUDED),
            invalid=recomputed.count(Inclusion.INVALID),
            unavailable=recomputed.count(Inclusion.UNAVAILABLE),
            credits_total=settlement.credits_total,
            record=settlement.record,
            record_locator=locator,
            state=settlement.state,
            credits_root=settlement.credits_root,
            inclusion=_inclusion(recomputed, key, history),
        )
        tools.writer.propose(proposal)

    def _recompute(
        self, key: ProposalKey, unavailable: frozenset[SiteId], history: RunHistory
    ) -> None:
        """Judge a proposal and note the vote that follows, before anybody hears of it."""
        tools, notes = self._tools, self._tools.journal.notes(self._run)
        proposal = find_proposal(history, key)
        if proposal is None:
            return
        proposed = proposal.proposed
        try:
            recomputed = self._recomputed(key, proposed.site, unavailable, history)
        except AggregationError:
            # There is no record of ours to name: what was before is what should stay.
            expected = self._workshop.previous(history, key.round).record
            self._disagree(key, expected, history)
            return
        settlement = recomputed.settlement
        agrees = recomputed.agrees_with(proposed, _inclusion(recomputed, key, history))
        if not agrees:
            self._disagree(key, settlement.record, history)
            return
        self._workshop.agree(key, recomputed)
        if key in notes.votes:
            tools.journal.verify(self._run, key, settlement.state)
        else:
            vote = Vote(True, recomputed.witness(tools.site))
            tools.journal.vote(self._run, key, vote, settlement.state)

    def _replay(
        self, key: ProposalKey, unavailable: frozenset[SiteId], history: RunHistory
    ) -> None:
        """Recompute a final round on which this site has no vote any more."""
        proposal = find_proposal(history, key)
        if proposal is None:
            return
        proposed = proposal.proposed
        try:
            recomputed = self._recomputed(key, proposed.site, unavailable, history)
        except AggregationError:
            self.disputed.add(key)
            return
        if not recomputed.agrees_with(proposed, _inclusion(recomputed, key, history)):
            self.disputed.add(key)
            return
        self._workshop.agree(key, recomputed)
        self._tools.journal.verify(self._run, key, recomputed.settlement.state)

    def _disagree(self, key: ProposalKey, expected: Commitment, history: RunHistory) -> None:
        if final_key(history, key.round) == key:
            self.disputed.add(key)
        if key not in self._tools.journal.notes(self._run).votes:
            self._tools.journal.vote(self._run, key, Vote(False, expected))

    def _preserve(self, number: RoundNumber, history: RunHistory) -> None:
        """Serve what a final round names: its state, its record, and every update in it."""
        key = final_key(history, number)
        proposal = find_proposal(history, key) if key else None
        attempt = find_attempt(history, key.attempt_key) if key else None
        if key is None or proposal is None or attempt is None:
            return
        blobs, workshop = self._tools.blobs, self._workshop
        proposed = proposal.proposed
        state, record = workshop.state_path(proposed.state), workshop.record_path(proposed.record)
        if file_matches(state, proposed.state):
            blobs.publish(state)
        if file_matches(record, proposed.record):
            self._announce(proposed.record, proposed.record_locator, blobs.publish(record))
        rows, limit = self._rows(key.attempt_key), update_blob_limit_bytes(self._terms.plan)
        for submission in attempt.submissions.values():
            for wanted in blobs_of(submission, rows, limit):
                if self._fetcher.is_at(wanted):
                    _pin(self._tools, wanted.locator)
        for wanted in self._hidden.blobs(key.attempt_key) if self._hidden else ():
            if self._fetcher.is_at(wanted):
                _pin(self._tools, wanted.locator)
        self._tools.journal.preserve(self._run, number)

    def _announce(self, blob: Commitment, said: Locator, located: Locator) -> None:
        """Tell all where a blob is, unless who named it or a member has told.

        Else a proposer could keep a final record from whoever did not recompute it.
        """
        tools = self._tools
        if located != said and located not in tools.reader.announced(blob):
            tools.writer.announce(tools.site, blob, located)


def _pin(tools: SiteTools, locator: Locator) -> None:
    """Pin what we could fetch; that it cannot be pinned now loses nothing."""
    try:
        tools.blobs.pin(locator)
    except FednetError as exc:
        if exc.retryable:
            raise


def _inclusion(recomputed: Recomputed, key: ProposalKey, history: RunHistory) -> bytes:
    attempt = find_attempt(history, key.attempt_key)
    if attempt is None:
        raise RuntimeError(f"no attempt {key}")
    length = attempt.started.roster_length
    positions = {
        site: position
        for site in attempt.submissions
        if (position := position_in(history, site, length)) is not None
    }
    return recomputed.inclusion(positions)

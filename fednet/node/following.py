"""Follow one run in a thread of its own: look, decide, act, until it is over."""

from __future__ import annotations

import logging
from collections.abc import Set
from dataclasses import dataclass
from threading import Event
from typing import Protocol

from fednet.domain.airlock import AirlockRecord
from fednet.domain.batches import BatchedUpdate
from fednet.domain.events import RunOpened
from fednet.domain.identity import Commitment, GrantId, RoundNumber, RunId, SiteId
from fednet.domain.ledger import Phase, Role, RunState, Standing
from fednet.errors import FednetError, HeadMovedError, RevertedError
from fednet.node.acts import Act, Done, Fetch, FetchShares, Replay, Wait
from fednet.node.admission import find_obstacle
from fednet.node.carrying import Carrying, begin_carrying, carriage_of
from fednet.node.decide import decide
from fednet.node.desk import Desk
from fednet.node.fetching import Fetcher
from fednet.node.hiding import Hidden, begin_hiding
from fednet.node.mask_reading import MaskReading
from fednet.node.performing import Performer
from fednet.node.places import AttemptKey, ProposalKey, final_key
from fednet.node.progress import Progress
from fednet.node.reading import RunReading
from fednet.node.site import SiteTools
from fednet.node.terms import RunTerms, read_terms
from fednet.node.vault import open_vault
from fednet.node.view import NodeFacts, NodeView
from fednet.node.workshop import Workshop

_PAUSE_GROWTH = 1.3
_FIRST_FAILURE_PAUSE_SECONDS = 0.1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Crew:
    """What one run is followed with."""

    terms: RunTerms
    workshop: Workshop
    performer: Performer
    carrying: Carrying | None
    hidden: Hidden


class Membership(Protocol):
    """What a follower asks of the register: its site's own standing, and whom it lost."""

    @property
    def standing(self) -> Standing:
        """Standing of the site."""
        ...

    @property
    def roles(self) -> Role:
        """Roles of the site's account."""
        ...

    @property
    def lost(self) -> frozenset[SiteId]:
        """Sites that were admitted and may act no more."""
        ...

    def ask_again(self) -> None:
        """Read the own standing anew at the next look."""
        ...


@dataclass(frozen=True, slots=True)
class SharedWork:
    """What sites of one process do once for all of them, in one run."""

    reading: RunReading
    fetcher: Fetcher
    terms: RunTerms
    workshop: Workshop
    carrying: Carrying | None
    """In a run of the batched module."""
    masks: MaskReading | None
    """In a run whose updates are masked."""


class RunFollower:
    """Take one site through one run.

    Args:
        tools: What the site acts with.
        consortium: Who is who now; shared and kept fresh by the node.
        opened: The run.
        stop: Set when the node is to end.
        shared: What other sites of this process have read and fetched of the run already.
    """

    def __init__(
        self,
        tools: SiteTools,
        consortium: Membership,
        opened: RunOpened,
        stop: Event,
        *,
        shared: SharedWork | None = None,
    ) -> None:
        self._tools = tools
        self._consortium = consortium
        self._opened = opened
        self._stop = stop
        self._wake = Event()
        self._shared = shared
        self._reading = (
            shared.reading if shared else RunReading(tools.reader, opened.run, opened.log.block)
        )
        self._fetcher = (
            shared.fetcher
            if shared
            else Fetcher(
                tools.blobs, tools.reader.announced, self._wake.set, tools.settings.fetch_threads
            )
        )
        self._desk = Desk(tools.spawn, self._wake.set)
        self._crew: _Crew | None = None
        self._verified: dict[ProposalKey, bool] = {}
        self._ground = RoundNumber(0)
        self._asked: dict[AttemptKey, int] = {}
        self._seen_final: dict[ProposalKey, int] = {}
        self._obstacles: dict[GrantId, str] = {}
        self._last_said: tuple[object, ...] = ()
        self._tidied = RoundNumber(0)
        self._has_news = False
        self.is_over = False

    @property
    def run(self) -> int:
        """The run that is followed."""
        return self._opened.run

    def wake(self) -> None:
        """Look at once."""
        self._wake.set()

    def follow(self) -> None:
        """Act until the run is over or the node ends; raises no error of fednet's."""
        settings = self._tools.settings
        pause, failures = settings.poll_seconds, 0
        try:
            while not (self._stop.is_set() or self.is_over):
                try:
                    act = self.step()
                    failures = 0
                except FednetError as exc:
                    failures += 1
                    self._fail(exc)
                    self._rest(_FIRST_FAILURE_PAUSE_SECONDS * 2 ** min(failures, 10))
                    continue
                if self._has_news or not isinstance(act, Wait):
                    pause = settings.poll_seconds
                if isinstance(act, Wait):
                    self._rest(pause)
                    pause = min(pause * _PAUSE_GROWTH, settings.idle_poll_seconds)
        finally:
            self._desk.clear()
            if self._crew:
                self._crew.performer.contributing.bench.clear()
            self._fetcher.close()
            if self._crew and self._crew.carrying and not self._shared:
                self._crew.carrying.close()

    def step(self) -> Act:
        """Look, decide and act once.

        Raises:
            FednetError: The chain or the store did not answer, or the act failed.
        """
        self._has_news |= self._reading.look()
        crew = self._crew or self._begin()
        if crew.carrying is not None and not self._shared:
            crew.carrying.look(self._ground)
        crew.hidden.look()
        view = self._view(crew)
        act = decide(view)
        self._say(view.state, type(act).__name__.lower(), getattr(act, "reason", ""))
        self.is_over = isinstance(act, Done)
        if not isinstance(act, Wait | Done):
            crew.performer.perform(act, self._reading.history, view.now)
            if isinstance(act, Fetch | FetchShares):
                self._asked.setdefault(act.key, view.now)
            else:
                self._last_said = ()
        self._tidy(view, crew.workshop, has_replayed=isinstance(act, Replay))
        if self._tools.checkpoints is not None:
            self._tools.checkpoints.note(self._reading.history)
        return act

    def _begin(self) -> _Crew:
        """Read what the run agreed on; once."""
        tools = self._tools
        if self._shared:
            terms, workshop = self._shared.terms, self._shared.workshop
            carrying = self._shared.carrying
        else:
            terms = read_terms(tools.reader, tools.blobs, self._opened)
            folder = tools.folder / f"run-{self._opened.run}"
            vault = open_vault(tools.keys, tools.site, terms, tools.reader, folder)
            workshop = Workshop(
                terms, tools.blobs, self._fetcher, folder, tools.settings.recompute_threads, vault
            )
            carrying = begin_carrying(tools.reader, terms, self._reading, self._fetcher, tools.bus)
        opened = self._opened.log.block
        masks = self._shared.masks if self._shared else None
        hidden = begin_hiding(tools, terms, self._reading, self._fetcher, opened, masks)
        performer = Performer(tools, terms, workshop, self._fetcher, self._desk, carrying, hidden)
        self._crew = _Crew(terms, workshop, performer, carrying, hidden)
        return self._crew

    def _view(self, crew: _Crew) -> NodeView:
        terms, workshop, performer = crew.terms, crew.workshop, crew.performer
        notes = self._tools.journal.notes(terms.run)
        verified = self._confirmed(notes.verified, workshop)
        facts = NodeFacts(
            pledges=notes.pledges,
            published=notes.published,
            intents=notes.intents,
            votes=notes.votes,
            verified=verified,
            disputed=performer.disputed,
            ground=self._ground,
            update_size_bytes=workshop.likely_update_size_bytes,
            asked=self._asked,
            preserved=notes.preserved,
            held=self._fetcher.held(workshop.update_size_limit_bytes),
            fetching=self._fetcher.fetching,
            training=self._desk.training,
            examination=performer.contributing.bench.examination,
            requests=self._tools.gate.held(terms.run) if self._tools.gate else {},
            untold=self._untold(terms.run),
            sat_out=performer.sat_out,
            unproposable=performer.unproposable,
            seen_final=self._look_for_final(),
            ending=self._find_ending(terms, workshop, verified),
            obstacle=self._find_obstacle(terms),
            carriage=carriage_of(crew.carrying, performer.handing),
            masks=crew.hidden.masks(self._ground),
            sums=crew.hidden.ready(self._ground),
        )
        return NodeView(
            site=self._tools.site,
            roles=self._consortium.roles,
            standing=self._consortium.standing,
            now=self._reading.now,
            plan=terms.plan,
            state=self._reading.state,
            history=self._reading.history,
            facts=facts,
            lost=self._consortium.lost,
        )

    def _untold(self, run: RunId) -> tuple[AirlockRecord, ...]:
        """List what the ledger is to learn of this site's airlock; nothing where nobody tells."""
        gate = self._tools.gate
        return gate.untold(run) if gate and self._tools.airlock_ledger else ()

    def _find_obstacle(self, terms: RunTerms) -> str:
        """Return why this site must not train in the run; looked for once a grant."""
        consent = self._reading.history.consents.get(self._tools.site)
        if consent is None:
            return "this site has not consented"
        if consent.grant not in self._obstacles:
            self._obstacles[consent.grant] = find_obstacle(
                self._tools, terms, self._opened, consent.grant
            )
        return self._obstacles[consent.grant]

    def _look_for_final(self) -> dict[ProposalKey, int]:
        """Note when the round at hand was first seen final; only its turns count from there."""
        state, before = self._reading.state, self._seen_final
        self._seen_final = {}
        if state.phase is Phase.FINAL:
            key = ProposalKey(state.round, state.attempt, state.proposal)
            self._seen_final[key] = before.get(key, self._reading.now)
        return self._seen_final

    def _find_ending(
        self, terms: RunTerms, workshop: Workshop, verified: Set[ProposalKey]
    ) -> frozenset[ProposalKey]:
        """Tell whether the record of the round at hand says that the run ends with it."""
        state, history = self._reading.state, self._reading.history
        key = ProposalKey(state.round, state.attempt, state.proposal)
        if state.phase is not Phase.FINAL or not terms.plan.evaluation.may_end:
            return frozenset()
        if key not in verified or final_key(history, key.round) != key:
            return frozenset()
        following = workshop.previous(history, RoundNumber(key.round + 1))
        return frozenset({key}) if following.ends else frozenset()

    def _confirmed(
        self, verified: dict[ProposalKey, Commitment], workshop: Workshop
    ) -> frozenset[ProposalKey]:
        """Trust what the journal says was verified while its state is still here.

        Of rounds before the last final one, only the newest state is of use.
        """
        history, ground = self._reading.history, self._ground
        for key in sorted(verified.keys() - self._verified.keys(), reverse=True):
            is_final = final_key(history, key.round) == key
            is_needed = key.round >= history.final_rounds or (is_final and key.round > ground)
            self._verified[key] = is_needed and workshop.holds_state(verified[key])
            if is_final and self._verified[key]:
                ground = max(ground, key.round)
        confirmed = frozenset(key for key, holds in self._verified.items() if holds)
        self._ground = self._newest(confirmed | workshop.agreed)
        return confirmed

    def _newest(self, keys: Set[ProposalKey]) -> RoundNumber:
        """Name the last round that one of the proposals made final; 0 if none did."""
        history = self._reading.history
        newest_first = sorted(keys, reverse=True)
        finals = (key.round for key in newest_first if final_key(history, key.round) == key)
        return next(finals, RoundNumber(0))

    def _tidy(self, view: NodeView, workshop: Workshop, *, has_replayed: bool) -> None:
        """Let go of what earlier rounds needed, once in every round and after each replay."""
        current = view.state.round
        if current == self._tidied and not has_replayed:
            return
        if current != self._tidied:
            wanted = self._named_since(self._ground, current)
            if self._crew:
                wanted |= self._crew.hidden.named_since(self._ground or current)
            self._fetcher.stop_wanting(wanted)
        notes = self._tools.journal.notes(view.history.run)
        newest = self._newest({key for key in notes.verified if self._verified.get(key, True)})
        keep = {
            state
            for key, state in notes.verified.items()
            if key.round == newest or (key in notes.votes and key.round not in notes.preserved)
        }
        if training := self._desk.training:
            keep.add(training.order.base)
        workshop.tidy(current, frozenset(keep))
        self._tidied = current

    def _named_since(self, ground: RoundNumber, current: RoundNumber) -> set[Commitment]:
        """Collect the updates of the round at hand, and of those that may have to be replayed."""
        first = ground + 1 if ground else current
        rounds = self._reading.history.rounds
        given = [
            item
            for number in range(first, current + 1)
            if (entry := rounds.get(RoundNumber(number)))
            for attempt in entry.attempts.values()
            for item in attempt.submissions.values()
        ]
        sheets = {item.sheet for item in given if isinstance(item, BatchedUpdate)}
        return {item.commitment for item in given} | sheets

    def _rest(self, seconds: float) -> None:
        self._has_news = self._wake.wait(min(seconds, self._tools.settings.longest_pause_seconds))
        self._wake.clear()

    def _fail(self, exc: FednetError) -> None:
        """Say what went wrong; ask the chain anew where it may know better."""
        _log.info("run %s: %s", self._opened.run, exc)
        if isinstance(exc, RevertedError | HeadMovedError):
            self._reading.reset()
            self._consortium.ask_again()
        self._tools.report(
            Progress(
                self._opened.run,
                RoundNumber(0),
                0,
                "",
                "error",
                f"{type(exc).__name__}: {exc}",
                exc.retryable,
            )
        )
        self._last_said = ()

    def _say(self, state: RunState, act: str, detail: str) -> None:
        said = (state.round, state.attempt, state.phase, act, detail)
        if said == self._last_said:
            return
        self._last_said = said
        phase = state.phase.name.lower()
        self._tools.report(
            Progress(self._opened.run, state.round, state.attempt, phase, act, detail)
        )

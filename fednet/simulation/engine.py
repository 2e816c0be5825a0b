"""Play a run with every node in this process, one decision at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event

from fednet.airlock import Airlock
from fednet.domain.blobs import BlobStore
from fednet.domain.events import RunOpened
from fednet.domain.identity import Commitment, RoundNumber, RunId
from fednet.domain.ledger import Phase
from fednet.domain.messages import LocalBus
from fednet.domain.plan import Plan
from fednet.errors import AggregationError, FednetError, LedgerError, PlanError
from fednet.node import Journal
from fednet.node.acts import Done, Fetch, FetchShares, Wait
from fednet.node.carrying import begin_carrying
from fednet.node.fetching import Fetcher
from fednet.node.following import RunFollower, SharedWork
from fednet.node.mask_reading import MaskReading
from fednet.node.ports import TrainerPort
from fednet.node.terms import read_terms
from fednet.node.workshop import Workshop
from fednet.simulation.crowd import Crowd, Member
from fednet.simulation.sharing import SharedStore, SweepReading, VirtualStanding, VirtualTools
from fednet.simulation.vanishing import Absence, Vanishing

_FETCH_THREADS = 2
_PAUSE_SECONDS = 0.005
_FETCH_PAUSE_SECONDS = 0.1
"""The last blob wakes everybody; those before it need no look at every site."""
_STALLED_SECONDS = 30.0

Watch = Callable[[RoundNumber, Mapping[str, float]], None]
"""Told of each final round and what its model reaches."""
Equip = Callable[[Member], tuple[TrainerPort, Airlock]]
"""Gives a site what it trains with, and what lets its updates out."""
Leap = Callable[[int], None]
"""Lets so many seconds pass on the chain's clock."""
Judge = Callable[[Path], Mapping[str, float]]
"""Gives the metrics of the state in a file."""


@dataclass(slots=True)
class Rehearsal:
    """What came of one run."""

    run: RunId
    metrics: list[Mapping[str, float]] = field(default_factory=list)
    """After each round."""
    seconds: float = 0.0
    """From the first round's start to the last one's end."""
    failures: dict[str, int] = field(default_factory=dict)
    """What went wrong on the way, and how often."""
    is_complete: bool = False


def rehearse(
    crowd: Crowd,
    opened: RunOpened,
    store: BlobStore,
    equip: Equip,
    judge: Judge,
    folder: Path,
    pool: Executor,
    watch: Watch = lambda number, metrics: None,
    *,
    vanishing: Vanishing | None = None,
    leap: Leap | None = None,
) -> Rehearsal:
    """Lead every virtual site through a run to which it consents.

    Args:
        crowd: The sites.
        opened: The run.
        store: The one store that they share.
        equip: Gives each site what it trains with, and its airlock.
        judge: Judges each final model.
        folder: An existing folder of this run's own.
        pool: Where the task works for one site after the other, while the others act.
        watch: Told of each final round.
        vanishing: Who vanishes in each attempt; None lets everybody stay.
        leap: Lets the chain's time pass where all sites wait for a time; None lets them wait.

    Raises:
        LedgerError: Nothing happened for half a minute.
        PlanError: The plan cannot be rehearsed, or has no step at which sites are to vanish.
        FednetError: The chain or the store failed.
    """
    shared = SharedStore(store, (opened.plan_locator, opened.initial_model_locator))
    stage = _Stage(crowd, opened, shared, equip, folder, pool, vanishing, leap)
    try:
        return stage.play(judge, watch)
    finally:
        stage.close()


class _Stage:
    def __init__(
        self,
        crowd: Crowd,
        opened: RunOpened,
        store: SharedStore,
        equip: Equip,
        folder: Path,
        pool: Executor,
        vanishing: Vanishing | None,
        leap: Leap | None,
    ) -> None:
        reader = crowd.reader
        self._opened = opened
        self._pool = pool
        self._begun: deque[tuple[int, Future[None]]] = deque()
        """Work that the task has been given, and whose it is, in the order of its giving."""
        self._store = store
        self._news = Event()
        self._reading = SweepReading(reader, opened)
        self._fetcher = Fetcher(store, reader.announced, self._news.set, _FETCH_THREADS)
        terms = read_terms(reader, store, opened)
        _require_unsealed(terms.plan)
        self._sites = [member.site for member in crowd.members]
        self._absence = (
            Absence(vanishing, terms.plan, self._sites, reader, self._reading)
            if vanishing
            else None
        )
        self._leap = leap
        self._waits: list[int | None] = []
        """Until when each site waits that has nothing else to do, as of the last time all acted."""
        self._still = 0
        """How often in a row all sites waited for a time, and for nothing that is under way."""
        self._workshop = Workshop(terms, store, self._fetcher, folder, threads=1)
        self._carrying = begin_carrying(reader, terms, self._reading, self._fetcher, LocalBus())
        self._masks = (
            MaskReading(reader, terms.run, self._reading) if terms.plan.is_masked else None
        )
        shared = SharedWork(
            self._reading, self._fetcher, terms, self._workshop, self._carrying, self._masks
        )
        self._journals: list[Journal] = []
        self._followers: list[RunFollower] = []
        for place, member in enumerate(crowd.members):
            journal = Journal(folder / "journals", reader.deployment, member.site)
            self._journals.append(journal)
            trainer, airlock = equip(member)
            tools = VirtualTools(
                site=member.site,
                reader=reader,
                writer=member.writer,
                blobs=store,
                trainer=trainer,
                data=member.data,
                airlock=airlock,
                journal=journal,
                folder=folder,
                spawn=partial(self._begin, place),
            )
            self._followers.append(
                RunFollower(
                    tools,
                    VirtualStanding(),
                    opened,
                    Event(),
                    shared=shared,
                )
            )

    def close(self) -> None:
        self._fetcher.close()
        for journal in self._journals:
            journal.close()
        self._store.close()

    def play(self, judge: Judge, watch: Watch) -> Rehearsal:
        result = Rehearsal(self._opened.run)
        began = moved = time.monotonic()
        self._reading.refresh()
        while not (self._is_complete or all(each.is_over for each in self._followers)):
            self._news.clear()
            if self._carrying is not None:
                self._carrying.look()
            self._judge_new(result, judge, watch)
            acted = self._act()
            self._store.flush()
            for text in acted:
                if text:
                    result.failures[text] = result.failures.get(text, 0) + 1
            self._still = self._still + 1 if self._all_wait(acted) else 0
            if any(text is not None for text in acted):
                moved = time.monotonic()
            elif self._leap is not None and self._still > 1:
                self._leap(self._next_time() - self._reading.now)
                self._still = 0
            elif time.monotonic() - moved > _STALLED_SECONDS:
                raise LedgerError(
                    "the rehearsal stands still",
                    subject=f"run {self._opened.run}",
                    actual="; ".join(result.failures) or self._reading.state.phase.name.lower(),
                    hint="a site that sits out is waited for until the plan's deadline",
                )
            else:
                self._news.wait(_FETCH_PAUSE_SECONDS if self._is_fetching else _PAUSE_SECONDS)
            self._reading.refresh()
        self._judge_new(result, judge, watch)
        self._store.settle()
        result.seconds = time.monotonic() - began
        result.is_complete = self._is_complete
        return result

    @property
    def _is_complete(self) -> bool:
        """Tell whether all rounds are final; what sites do then is to keep what one store has."""
        return self._reading.state.phase is Phase.COMPLETED

    @property
    def _is_fetching(self) -> bool:
        """Tell whether blobs are under way that anybody serves."""
        return any(self._store.serves(each.locator) for each in tuple(self._fetcher.fetching))

    def _all_wait(self, acted: Sequence[str | None]) -> bool:
        """Tell whether nothing but the time can bring anybody to act."""
        is_idle = len(self._waits) == len(acted) and not any(text is not None for text in acted)
        return is_idle and not self._is_fetching

    def _next_time(self) -> int:
        """Return when the first of those who wait would act, in seconds since 1970."""
        end = self._reading.state.deadline + 1
        return max(self._reading.now + 1, min((until or end for until in self._waits), default=end))

    def _begin(self, place: int, work: Callable[[], None]) -> None:
        self._begun.append((place, self._pool.submit(work)))

    def _act(self) -> list[str | None]:
        """Let every site act once, and again when the task has done what it was given.

        All of them in this thread: threads that only compute take turns, and pay for each.
        """
        away = self._absence.look() if self._absence else frozenset()
        self._waits = []
        acted = [
            self._step(follower)
            for follower, site in zip(self._followers, self._sites, strict=True)
            if not (follower.is_over or site in away)
        ]
        while self._begun:
            place, work = self._begun.popleft()
            work.result()
            acted.append(self._step(self._followers[place]))
        return acted

    def _step(self, follower: RunFollower) -> str | None:
        """Let one site act once; None if it waits, also for blobs, else what went wrong or ""."""
        said = self._lead(follower)
        if said is not None and self._masks is not None:
            self._masks.ask_again()
        return said

    def _lead(self, follower: RunFollower) -> str | None:
        try:
            act = follower.step()
        except AggregationError as exc:
            return str(exc)
        except FednetError as exc:
            if not exc.retryable:
                return str(exc)
            return None
        if isinstance(act, Wait | Done):
            self._waits.append(getattr(act, "until", None))
        return None if isinstance(act, Wait | Done | Fetch | FetchShares) else ""

    def _judge_new(self, result: Rehearsal, judge: Judge, watch: Watch) -> None:
        history = self._reading.history
        for number in range(len(result.metrics) + 1, history.final_rounds + 1):
            final = history.rounds[RoundNumber(number)].final_proposal
            if final is None:
                return
            path = self._workshop.state_path(Commitment(final.proposed.state))
            if not path.exists():
                return
            # Files of rounds that are over go away, so that they must be in the store by now.
            self._store.settle()
            metrics = judge(path)
            result.metrics.append(metrics)
            watch(RoundNumber(number), metrics)


def _require_unsealed(plan: Plan) -> None:
    """Refuse to rehearse what has no point where all sites share one process.

    Raises:
        PlanError: The plan seals its blobs, or encrypts its updates.
    """
    if plan.is_encrypted:
        raise PlanError(
            "the sites of a rehearsal share one process, and no aggregator is apart from them",
            subject=f"plan {plan.name}",
            actual=f'homomorphic.scheme = "{plan.homomorphic.scheme}"',
            hint="rehearse the plan without its section [homomorphic]; the models differ by "
            "rounding alone",
        )
    if plan.privacy.sealed:
        raise PlanError(
            "the sites of a rehearsal share one process, and seal nothing",
            subject=f"plan {plan.name}",
            actual="privacy.sealed = true",
            hint="rehearse it with `--set privacy.sealed=false`; the models are the same bits",
        )

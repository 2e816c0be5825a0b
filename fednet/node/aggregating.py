"""Follow one run in which this site adds encrypted updates, in a thread of its own."""

from __future__ import annotations

import logging
from threading import Event

from fednet.audit.sealed import RunSeals
from fednet.domain.events import RunOpened
from fednet.domain.identity import Commitment, RoundNumber
from fednet.errors import FednetError, HeadMovedError, PlanError, RevertedError, SettingsError
from fednet.node.fetching import Fetcher
from fednet.node.progress import Progress
from fednet.node.reading import RunReading
from fednet.node.site import SiteTools
from fednet.node.summing import Summing
from fednet.node.sums import Sums
from fednet.node.terms import RunTerms, read_terms
from fednet.node.vault import FOLDER
from fednet.node.workshop import Workshop

_PAUSE_GROWTH = 1.3
_FIRST_FAILURE_PAUSE_SECONDS = 0.1
_log = logging.getLogger(__name__)


def find_part(tools: SiteTools, opened: RunOpened) -> RunTerms | None:
    """Return the terms of a run whose plan names this site to add updates; None of another.

    Raises:
        StoreError: The plan cannot be fetched now.
        LedgerError: The chain does not answer.
    """
    try:
        terms = read_terms(tools.reader, tools.blobs, opened)
    except PlanError:
        return None  # Nobody has a part in what is no plan.
    return terms if tools.site in terms.plan.homomorphic.aggregator_sites else None


class AggregatorFollower:
    """Take one aggregator through one run.

    Args:
        tools: What its node acts with.
        terms: Of the run.
        opened: The run.
        stop: Set when the node is to end.
    """

    def __init__(self, tools: SiteTools, terms: RunTerms, opened: RunOpened, stop: Event) -> None:
        self._tools = tools
        self._terms = terms
        self._opened = opened
        self._stop = stop
        self._wake = Event()
        first = opened.log.block
        self._reading = RunReading(tools.reader, opened.run, first)
        self._fetcher = Fetcher(
            tools.blobs, tools.reader.announced, self._wake.set, tools.settings.fetch_threads
        )
        self._sums = Sums(tools.reader, terms, self._reading, self._fetcher, first)
        self._summing: Summing | None = None
        self._round = RoundNumber(0)
        self._said: tuple[object, ...] = ()
        self.is_over = False

    @property
    def run(self) -> int:
        """The run that is followed."""
        return self._opened.run

    def follow(self) -> None:
        """Act until the run is over or the node ends; raises no error of fednet's."""
        settings = self._tools.settings
        pause, failures = settings.poll_seconds, 0
        try:
            while not (self._stop.is_set() or self.is_over):
                try:
                    has_news = self.step()
                    failures = 0
                except FednetError as exc:
                    failures += 1
                    self._fail(exc)
                    self._rest(_FIRST_FAILURE_PAUSE_SECONDS * 2 ** min(failures, 10))
                    continue
                grown = min(pause * _PAUSE_GROWTH, settings.idle_poll_seconds)
                pause = settings.poll_seconds if has_news else grown
                self._rest(pause)
        finally:
            self._fetcher.close()

    def step(self) -> bool:
        """Look and act once; tell whether the chain had news.

        Raises:
            FednetError: The chain or the store did not answer, or the act failed.
        """
        has_news = self._reading.look()
        self._sums.look()
        summing = self._summing or self._begin()
        state = self._reading.state
        said = summing.step()
        if (state.round, state.attempt, said) != self._said:
            self._said = state.round, state.attempt, said
            self._report("wait", said)
        if state.round != self._round:
            summing.tidy(state.round)
            self._fetcher.stop_wanting(self._named())
            self._round = state.round
        self.is_over = state.phase.is_over
        return has_news

    def _begin(self) -> Summing:
        tools, terms = self._tools, self._terms
        if tools.keys is None:
            raise SettingsError(
                "updates are sealed to this site, and this node has no keys",
                subject=f"run {terms.run}",
                hint="run it with `fednet node run`, in the home that holds the site's keystores",
            )
        # Loaded when something is to be opened: cryptography takes its time.
        from fednet.audit.recipients import REGISTER
        from fednet.privacy.sealing import MemberKeys

        reader, folder = tools.reader, tools.folder / f"run-{terms.run}"
        workshop = Workshop(
            terms, tools.blobs, self._fetcher, folder, tools.settings.recompute_threads
        )
        seals = RunSeals(
            lambda: reader.events(REGISTER, reader.deployment.block),
            MemberKeys(tools.keys.store, tools.site, tools.keys.private_of),
            folder / FOLDER,
            terms.plan.homomorphic.aggregator_sites,
        )
        self._summing = Summing(
            tools, terms, self._reading, self._fetcher, self._sums, seals, workshop
        )
        return self._summing

    def _named(self) -> set[Commitment]:
        """Name the updates of the round at hand, and its sums."""
        state = self._reading.state
        entry = self._reading.history.rounds.get(state.round)
        attempts = entry.attempts.values() if entry else ()
        updates = {each.commitment for at in attempts for each in at.submissions.values()}
        return updates | self._sums.named_since(state.round)

    def _rest(self, seconds: float) -> None:
        self._wake.wait(min(seconds, self._tools.settings.longest_pause_seconds))
        self._wake.clear()

    def _fail(self, exc: FednetError) -> None:
        _log.info("run %s: %s", self._opened.run, exc)
        if isinstance(exc, RevertedError | HeadMovedError):
            self._reading.reset()
        self._report("error", f"{type(exc).__name__}: {exc}", exc.retryable)
        self._said = ()

    def _report(self, act: str, detail: str, retryable: bool = True) -> None:
        run = self._opened.run
        self._tools.report(Progress(run, self._round, 0, "adding", act, detail, retryable))

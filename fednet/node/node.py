"""A site's running process: watch the consortium, follow every run one consents to.

The node's thread looks at register and catalogue, dials the stores of other
sites, and gives each run a thread of its own. Nothing here has to be finished
when the node ends: whatever was begun is found again in chain and journal.
"""

from __future__ import annotations

import logging
import time
from threading import Event, Thread

from fednet.domain.events import RunOpened
from fednet.domain.identity import RoundNumber, RunId
from fednet.errors import FednetError, SettingsError
from fednet.node.consortium import Consortium
from fednet.node.following import RunFollower
from fednet.node.progress import Progress
from fednet.node.site import SiteTools
from fednet.node.sweeping import Sweeper

_FIRST_PAUSE_SECONDS = 0.1
_FIRST_DIAL_PAUSE_SECONDS = 1.0
_FAREWELL_SECONDS = 0.8
"""How long a node that stops waits for its last checkpoint."""
_log = logging.getLogger(__name__)


class Node:
    """Act for one site until told to stop.

    Args:
        tools: What the site acts with.
    """

    def __init__(self, tools: SiteTools) -> None:
        self._tools = tools
        self._stop = Event()
        self._consortium = Consortium(tools.reader, tools.site)
        self._followers: dict[RunId, tuple[RunFollower, Thread]] = {}
        self._has_moved = False
        self._over: set[RunId] = set()
        self._asked: set[RunId] = set()
        self._dialled: tuple[str, ...] = ()
        self._dial_again = 0.0
        self._dial_pause = 0.0
        self._sweeping: Thread | None = None

    def stop(self) -> None:
        """Ask the node to end; returns at once."""
        self._stop.set()

    def run(self) -> None:
        """Act until stopped; waits for a chain or a store that does not answer.

        Raises:
            SettingsError: The account does not act for the site.
        """
        try:
            self._run()
        finally:
            if self._tools.checkpoints is not None:
                self._tools.checkpoints.finish(_FAREWELL_SECONDS)

    def _run(self) -> None:
        failures = 0
        is_known = False
        while not self._stop.is_set():
            try:
                if not is_known:
                    self._require_own_account()
                    is_known = True
                self.scan()
                failures = 0
            except SettingsError:
                raise
            except FednetError as exc:
                failures += 1
                self._complain(exc)
            pause = self._tools.settings.scan_seconds
            if failures:
                longest = self._tools.settings.longest_pause_seconds
                pause = min(_FIRST_PAUSE_SECONDS * 2 ** min(failures, 10), longest)
            self._stop.wait(pause)

    def scan(self) -> None:
        """Look once at register and catalogue, and begin to follow new runs.

        Raises:
            FednetError: The chain does not answer.
        """
        self._has_moved |= self._consortium.look()
        self._dial()
        self._sweep()
        if not self._has_moved:
            return
        for run, opened in list(self._consortium.runs.items()):
            if run in self._over or self._is_followed(run):
                continue
            if self._is_ours(run):
                self._follow(opened)
            elif run not in self._over and run not in self._asked and self._may_aggregate(opened):
                self._asked.add(run)
                Thread(
                    target=self._aggregate, args=(opened,), name=f"adds-{run}", daemon=True
                ).start()
        self._has_moved = False

    def _follow(self, opened: RunOpened) -> None:
        follower = RunFollower(self._tools, self._consortium, opened, self._stop)
        thread = Thread(target=follower.follow, name=f"run-{opened.run}", daemon=True)
        self._followers[opened.run] = (follower, thread)
        thread.start()

    def _may_aggregate(self, opened: RunOpened) -> bool:
        """Tell whether a plan that is not read yet might name this site to add ciphertexts."""
        modules = self._tools.reader.deployment.modules
        return self._tools.keys is not None and modules.name_of(opened.module) == "plain"

    def _aggregate(self, opened: RunOpened) -> None:
        """Read the plan of a run without this site's consent, and add where it names this site."""
        # Loaded when there may be something to add: most sites never do.
        from fednet.node.aggregating import AggregatorFollower, find_part

        pause = _FIRST_PAUSE_SECONDS
        while not self._stop.is_set():
            try:
                terms = find_part(self._tools, opened)
            except FednetError as exc:
                self._complain(exc)
                pause = min(2 * pause, self._tools.settings.dial_seconds)
                self._stop.wait(pause)
                continue
            if terms is not None:
                AggregatorFollower(self._tools, terms, opened, self._stop).follow()
            return

    def _is_followed(self, run: RunId) -> bool:
        """Tell whether a thread is at work; note it if its work is done."""
        if run not in self._followers:
            return False
        follower, thread = self._followers[run]
        if follower.is_over:
            self._over.add(run)
        return thread.is_alive() or follower.is_over

    def _is_ours(self, run: RunId) -> bool:
        """Tell whether there is something to do in a run; remember those that are over."""
        member = self._tools.reader.member(run, self._tools.site)
        if self._tools.reader.state(run).phase.is_over:
            began = bool(self._tools.journal.notes(run).pledges)
            if not (began and member.consenting):
                self._over.add(run)
                return False
        return member.consenting

    def _dial(self) -> None:
        """Reach the stores of other sites; soon at first, then now and again."""
        addresses, now = self._consortium.store_addresses, time.monotonic()
        if addresses != self._dialled:
            self._dialled, self._dial_again = addresses, now
            self._dial_pause = _FIRST_DIAL_PAUSE_SECONDS
        if not addresses or now < self._dial_again:
            return
        self._dial_again = now + self._dial_pause
        self._dial_pause = min(self._dial_pause * 2, self._tools.settings.dial_seconds)
        Thread(target=self._connect, args=(addresses,), name="dial", daemon=True).start()

    def _connect(self, addresses: tuple[str, ...]) -> None:
        try:
            if len(self._tools.blobs.peers()) < len(addresses):
                self._tools.blobs.connect(addresses)
        except FednetError as exc:
            self._complain(exc)

    def _sweep(self) -> None:
        """Let go of what members erased, in a thread of its own: a store takes its time."""
        sweeper, before = self._tools.sweeper, self._sweeping
        if sweeper is None or (before is not None and before.is_alive()):
            return
        if sweeper.is_due(self._consortium.erasures):
            self._sweeping = Thread(target=self._let_go, args=(sweeper,), name="sweep", daemon=True)
            self._sweeping.start()

    def _let_go(self, sweeper: Sweeper) -> None:
        try:
            for due in sweeper.find():
                sweeper.let_go(due)
        except FednetError as exc:
            self._complain(exc)

    def _require_own_account(self) -> None:
        tools = self._tools
        site, _ = tools.reader.account(tools.writer.address)
        if site != tools.site:
            raise SettingsError(
                "the account does not act for this site",
                subject=tools.writer.address,
                expected=f"site {tools.site}",
                actual=f"site {site}",
                hint="check the keystore and the site id in the node's settings",
            )

    def _complain(self, exc: FednetError) -> None:
        _log.info("%s", exc)
        self._tools.report(
            Progress(
                RunId(0),
                RoundNumber(0),
                0,
                "",
                "error",
                f"{type(exc).__name__}: {exc}",
                exc.retryable,
            )
        )

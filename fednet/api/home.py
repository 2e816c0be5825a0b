"""A home of fednet, opened: its ledger, its store, its runs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from fednet.api.place import app_of
from fednet.api.plan import Plan
from fednet.api.run import Model, Run
from fednet.audit import AuditReport
from fednet.cli import opening, plans, queries, wiring
from fednet.cli.app import App, Signer
from fednet.cli.queries import SiteEntry
from fednet.domain.blobs import BlobStore
from fednet.domain.identity import RunId
from fednet.domain.ports import LedgerReader
from fednet.errors import SettingsError


class Home:
    """Open a home directory, for reading unless a method says otherwise.

    The ledger and the store are opened when they are first needed and stay open
    until `close`, or until the end of the ``with`` statement::

        with fednet.Home("~/.fednet") as home:
            for run in home.runs():
                print(run.number, run.phase, run.audit().verified)

    Args:
        path: The directory; ``FEDNET_HOME``, else ``~/.fednet``, unless given.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._app = app_of(path)
        self._open = ExitStack()
        self._reader: LedgerReader | None = None
        self._store: BlobStore | None = None

    def __repr__(self) -> str:
        return f"Home({str(self.path)!r})"

    def __enter__(self) -> Self:
        """Open nothing yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close what was opened."""
        self.close()

    @property
    def path(self) -> Path:
        """The directory."""
        return self._app.home

    @property
    def app(self) -> App:
        """What the functions of the command line take for a home."""
        return self._app

    @property
    def reader(self) -> LedgerReader:
        """The ledger; needs no key.

        Raises:
            SettingsError: This home belongs to no deployment.
            LedgerError: The chain does not answer, or is another.
        """
        if self._reader is None:
            found = wiring.reader(self._app)
            self._open.callback(found.close)
            self._reader = found
        return self._reader

    @property
    def store(self) -> BlobStore:
        """The blob store: an external daemon, this home's running one, or one for now.

        Raises:
            StoreError: It cannot be opened.
        """
        if self._store is None:
            self._store = self._open.enter_context(wiring.store(self._app))
        return self._store

    def start_chain(self) -> str:
        """Start this home's own local chain until `close`, unless it runs; return its address.

        For a home that a rehearsal left, or that of an operator on one machine.

        Raises:
            SettingsError: This home has no chain of its own.
        """
        engine = self._app.settings().chain.engine
        if not engine:
            raise SettingsError(
                "this home has no chain of its own",
                subject=str(self.path),
                hint="its settings name a chain by address: see that it runs",
            )
        chain = wiring.local_chain(self._app, engine, 0)
        if not chain.status().is_running:
            self._open.callback(chain.stop)
        url = chain.start()
        self._app.update({"chain": {"url": url}})
        return url

    def close(self) -> None:
        """Close ledger and store; the next use opens them again."""
        self._reader, self._store = None, None
        self._open.close()

    def sites(self) -> list[SiteEntry]:
        """List every institution that ever applied."""
        return queries.sites(self.reader)

    def runs(self) -> list[Run]:
        """List every run of the ledger, in the order of their opening."""
        return [Run(self, RunId(number)) for number in range(1, self.reader.run_count() + 1)]

    def run(self, number: int) -> Run:
        """Find one run.

        Raises:
            LedgerError: No such run.
        """
        return Run(self, queries.require_run(self.reader, number))

    def audit(self, run: int, *, afresh: bool = False) -> AuditReport:
        """Recompute every aggregate and every credit of a run; see `Run.audit`."""
        return self.run(run).audit(afresh=afresh)

    def final_model(self, run: int, *, cluster: int | None = None) -> Model:
        """Take the model of a run's latest final round; see `Run.model`."""
        return self.run(run).model(cluster=cluster)

    def open_run(
        self, plan: Plan, *, account: str | None = None, password_file: str | Path | None = None
    ) -> Run:
        """Publish a checked plan with its model, and open a run under it, as a researcher.

        Args:
            plan: Its model and the task's code are checked first.
            account: Keystore that acts; the settings' unless given.
            password_file: Its first line opens the keystore; the settings' unless given.

        Raises:
            PlanError: The plan is not that of the task or the model.
            SettingsError: No keystore, or no password.
            RevertedError: The account is no researcher's.
        """
        plans.check(plan.file)
        signer = Signer(account, Path(password_file) if password_file is not None else None)
        writer = wiring.writer(self._app, signer)
        return Run(self, opening.open_run(self.reader, writer, self.store, plan.file))

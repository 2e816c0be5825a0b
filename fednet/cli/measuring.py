"""Read what a run's sites measured, out of the records of its final rounds."""

from __future__ import annotations

from fednet.cli import queries, wiring
from fednet.cli.app import App
from fednet.domain.blobs import BlobStore
from fednet.domain.events import RoundProposed
from fednet.domain.history import RunHistory
from fednet.domain.identity import RoundNumber, RunId
from fednet.domain.plan import MAX_PLAN_SIZE_BYTES, Plan
from fednet.domain.ports import LedgerReader
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, Measured, RoundRecord
from fednet.errors import FednetError

_FETCH_SECONDS = 5.0


class Measurements:
    """Read each final round's record once; what cannot be had now is left out, and asked again.

    Records are blobs: without a store that runs, nothing is read, and nothing waits.
    """

    def __init__(self, app: App, reader: LedgerReader, run: RunId) -> None:
        self._app = app
        self._reader = reader
        self._run = run
        self._is_asked: bool | None = None
        """Whether the plan asks for a metric; None until its bytes were had."""
        self._found: dict[RoundNumber, Measured] = {}

    def of(self, history: RunHistory) -> dict[RoundNumber, Measured]:
        """Return what the final rounds' updates say, by round."""
        missing = {
            number: entry.final_proposal.proposed
            for number, entry in history.rounds.items()
            if number not in self._found and entry.final_proposal
        }
        if missing and self._is_asked is not False and self._has_store():
            try:
                with wiring.store(self._app) as store:
                    self._read(store, missing)
            except FednetError:
                return self._found
        return self._found

    def _has_store(self) -> bool:
        return bool(self._app.settings().store.rpc) or wiring.is_store_running(self._app)

    def _read(self, store: BlobStore, missing: dict[RoundNumber, RoundProposed]) -> None:
        if self._is_asked is None:
            opened = queries.opening_of(self._reader, self._run).opened
            path = store.fetch(
                opened.plan, [opened.plan_locator], MAX_PLAN_SIZE_BYTES, _FETCH_SECONDS
            )
            self._is_asked = bool(Plan.from_bytes(path.read_bytes()).evaluation.metric)
        for number, said in missing.items() if self._is_asked else ():
            path = store.fetch(
                said.record, [said.record_locator], MAX_RECORD_SIZE_BYTES, _FETCH_SECONDS
            )
            measured = RoundRecord.from_bytes(path.read_bytes(), f"record {number}").measured
            if measured is not None:
                self._found[number] = measured

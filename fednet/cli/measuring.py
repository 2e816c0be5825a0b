"""Read the records of a run's final rounds: what sites measured, what the rule chose."""

from __future__ import annotations

from fednet.cli import queries, wiring
from fednet.cli.app import App
from fednet.domain.blobs import BlobStore
from fednet.domain.events import RoundProposed
from fednet.domain.history import RunHistory
from fednet.domain.identity import RoundNumber, RunId
from fednet.domain.plan import MAX_PLAN_SIZE_BYTES, Plan
from fednet.domain.ports import LedgerReader
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from fednet.errors import FednetError

_FETCH_SECONDS = 5.0


class Records:
    """Read each final round's record once; what cannot be had now is left out, and asked again.

    Records are blobs: without a store that runs, nothing is read, and nothing waits.
    """

    def __init__(self, app: App, reader: LedgerReader, run: RunId) -> None:
        self._app = app
        self._reader = reader
        self._run = run
        self._is_asked: bool | None = None
        """Whether records say more than the ledger; None until the plan's bytes were had."""
        self._found: dict[RoundNumber, RoundRecord] = {}

    def of(self, history: RunHistory) -> dict[RoundNumber, RoundRecord]:
        """Return the records of final rounds; none where the plan's say no more than the ledger."""
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
            plan = Plan.from_bytes(path.read_bytes())
            chooses = plan.clusters.count > 1 or plan.aggregation.rule != "fedavg"
            self._is_asked = chooses or bool(plan.evaluation.metric)
        for number, said in missing.items() if self._is_asked else ():
            path = store.fetch(
                said.record, [said.record_locator], MAX_RECORD_SIZE_BYTES, _FETCH_SECONDS
            )
            self._found[number] = RoundRecord.from_bytes(path.read_bytes(), f"record {number}")

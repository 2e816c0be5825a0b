"""Put what a site's airlock does on the ledger of disclosures, each step once.

The ledger is asked before anything is sent: a node that was killed after it sent a
record, or never heard what came of it, sends that record no second time. What the
ledger can take no more is passed over: the request for an attempt before the last one
asked for, and whatever was decided on it. Nothing of an update leaves here but the
commitments of its report and of the answer, which are salted and stay at the site.
"""

from __future__ import annotations

from collections.abc import Sequence

from fednet.domain.airlock import AirlockRecord, AirlockStep
from fednet.domain.disclosure_events import ReleaseDecided, ReleaseRequested
from fednet.domain.disclosures import DatasetUse, ReleaseStatus
from fednet.domain.events import LedgerEvent
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.errors import RevertedError

_STATUS = {
    AirlockStep.APPROVED: ReleaseStatus.APPROVED,
    AirlockStep.REJECTED: ReleaseStatus.REJECTED,
    AirlockStep.EXPIRED: ReleaseStatus.EXPIRED,
    AirlockStep.RETURNED: ReleaseStatus.RETURNED,
}
_NO_CONSENT = "DatasetNotInRun"
"""The refusal of a first record where the consent has ended: no update can leave there either."""


class DisclosedAirlock:
    """Implement ``AirlockLedger`` over the ledger's ports.

    Args:
        reader: Of the ledger.
        writer: Of the account that acts for the site.
    """

    def __init__(self, reader: LedgerReader, writer: LedgerWriter) -> None:
        self._reader = reader
        self._writer = writer

    def record(self, record: AirlockRecord) -> None:
        """Record one step, unless it stands there or can stand there no more.

        Raises:
            LedgerError: It could not be recorded now.
        """
        use = self._reader.dataset_use(record.run, record.dataset)
        if record.step is AirlockStep.REQUESTED:
            if self._may_ask(record, use):
                self._ask(record)
        elif self._may_decide(record, use):
            self._writer.decide_release(
                record.run,
                record.round,
                record.attempt,
                record.dataset,
                _STATUS[record.step],
                record.grounds,
            )

    def _may_ask(self, record: AirlockRecord, use: DatasetUse) -> bool:
        place, last = (record.round, record.attempt), (use.round, use.attempt)
        if place != last:
            return place > last
        return use.status is ReleaseStatus.RETURNED and not self._stands(record)

    def _may_decide(self, record: AirlockRecord, use: DatasetUse) -> bool:
        is_last = (record.round, record.attempt) == (use.round, use.attempt)
        if not is_last or use.status is not ReleaseStatus.REQUESTED:
            return False
        # After a return the same attempt asks again: what waits may be that later request.
        return record.step is not AirlockStep.RETURNED or not self._stands(record)

    def _ask(self, record: AirlockRecord) -> None:
        try:
            self._writer.request_release(
                record.run, record.round, record.attempt, record.dataset, record.report
            )
        except RevertedError as exc:
            if exc.error != _NO_CONSENT:
                raise

    def _events(self) -> Sequence[LedgerEvent]:
        kinds = (ReleaseRequested, ReleaseDecided)
        return self._reader.events(kinds, self._reader.deployment.block)

    def _stands(self, record: AirlockRecord) -> bool:
        """Look for this very record among all; only where an attempt may have asked twice."""
        for event in self._events():
            match event:
                case ReleaseRequested() if record.step is AirlockStep.REQUESTED:
                    said = event.request == record.report
                case ReleaseDecided() if record.step is not AirlockStep.REQUESTED:
                    said = event.reason == record.grounds
                case _:
                    continue
            place = (event.run, event.dataset, event.round, event.attempt)
            wanted = (record.run, record.dataset, record.round, record.attempt)
            if said and place == wanted:
                return True
        return False

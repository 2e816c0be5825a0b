"""The reports that can be taken along: only of a run that this window has replayed."""

from __future__ import annotations

import threading
import time

from fednet.audit import AuditReport
from fednet.domain.blobs import BlobStore
from fednet.domain.ports import LedgerReader
from fednet.exports import Gatherer, Statement, make_statement, write_html

KINDS = {"html": "text/html", "pdf": "application/pdf"}
_KEPT = 16


class Reports:
    """Write reports for an ethics board, one at a time, and keep the latest.

    Args:
        reader: The ledger.
        store: Where plan and records come from.
        fetch_seconds: How long to look for one blob.
    """

    def __init__(self, reader: LedgerReader, store: BlobStore, fetch_seconds: float) -> None:
        self._gatherer = Gatherer(reader, store, fetch_seconds)
        self._turn = threading.Lock()
        self._kept: dict[tuple[int, str], tuple[AuditReport, bytes]] = {}

    def write(self, report: AuditReport, kind: str) -> bytes:
        """Write what an audit found, unsigned: no key is here.

        Args:
            report: What the replay found.
            kind: ``html`` or ``pdf``.

        Raises:
            LedgerError: The chain does not answer.
            StoreError: The store does not answer.
        """
        key = (int(report.run), kind)
        with self._turn:
            held = self._kept.get(key)
            if held is not None and held[0] is report:
                return held[1]
            dossier = self._gatherer.gather(report.run, report)
            data = _laid_out(make_statement(dossier, int(time.time())), kind)
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[key] = (report, data)
            return data


def _laid_out(statement: Statement, kind: str) -> bytes:
    if kind == "html":
        return write_html(statement, None)
    from fednet.exports.pdf import write_pdf

    return write_pdf(statement, None)

"""Blobs as evidence: fetched ahead by a few threads, and never called altered when missing.

The store verifies every byte against its commitment. This module only sorts
what came of it, so that an audit can go on where a blob cannot be had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from fednet.audit.checks import BLOBS
from fednet.audit.findings import Findings, Severity
from fednet.domain.blobs import BlobFile, BlobStore, InPlaceStore
from fednet.domain.identity import Commitment, Locator, RoundNumber
from fednet.errors import BlobMissingError, DigestMismatchError, MalformedBlobError

_WORKERS = 8
"""Fetches in flight: they wait more than they work."""


@dataclass(frozen=True, slots=True)
class Blob:
    """What came of fetching a blob: a verified file, or why there is none."""

    commitment: Commitment
    path: BlobFile | None
    problem: str = ""
    """``missing``, ``altered`` or ``malformed``; empty if there is a file."""
    detail: str = ""


class Evidence:
    """Fetch blobs once each, in the background; used as a context manager.

    Args:
        store: Where to fetch from.
        announced: Further locators by commitment.
        fetch_seconds: How long one blob may take.
    """

    def __init__(
        self,
        store: BlobStore,
        announced: Mapping[Commitment, Sequence[Locator]],
        fetch_seconds: float,
    ) -> None:
        self._store = store
        self._announced = announced
        self._fetch_seconds = fetch_seconds
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="evidence")
        self._wanted: dict[Commitment, Future[Blob]] = {}

    def want(self, commitment: Commitment, locator: Locator | None, size_cap_bytes: int) -> None:
        """Begin to fetch a blob that will be needed; asking twice costs nothing."""
        if commitment not in self._wanted:
            self._wanted[commitment] = self._pool.submit(
                self._fetch, commitment, locator, size_cap_bytes
            )

    def get(self, commitment: Commitment, locator: Locator | None, size_cap_bytes: int) -> Blob:
        """Wait for a blob.

        Raises:
            StoreUnavailableError: The store does not answer; the audit cannot look.
        """
        self.want(commitment, locator, size_cap_bytes)
        return self._wanted[commitment].result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _fetch(self, commitment: Commitment, locator: Locator | None, size_cap_bytes: int) -> Blob:
        own = [locator] if locator else []
        locators = [*own, *(self._announced.get(commitment, ()))]
        try:
            path = self._look(commitment, locators, size_cap_bytes)
        except BlobMissingError as exc:
            return Blob(commitment, None, "missing", exc.message)
        except DigestMismatchError as exc:
            return Blob(commitment, None, "altered", f"its bytes hash to {exc.actual}")
        except MalformedBlobError as exc:
            return Blob(commitment, None, "malformed", exc.message)
        return Blob(commitment, path)

    def _look(
        self, commitment: Commitment, locators: Sequence[Locator], size_cap_bytes: int
    ) -> BlobFile:
        if isinstance(self._store, InPlaceStore):
            return self._store.find(commitment, size_cap_bytes)
        return self._store.fetch(commitment, locators, size_cap_bytes, self._fetch_seconds)


def report_blob(
    findings: Findings,
    blob: Blob,
    subject: str,
    duty: str,
    round_number: RoundNumber | None = None,
    severity: Severity | None = None,
) -> bool:
    """Note that a blob cannot be had, and tell whether it can.

    Bytes that do not hash to the commitment convict nobody: whoever served them
    need not be who committed to them.
    """
    if blob.path is not None:
        return True
    messages = {
        "missing": "nobody serves its bytes",
        "altered": "the bytes that are served are not the committed ones",
        "malformed": "what is served is not a blob within its size",
    }
    usual = Severity.MISSING if blob.problem == "missing" else Severity.VIOLATION
    findings.add(
        BLOBS,
        f"blob-{blob.problem}",
        subject,
        messages[blob.problem],
        severity=severity or usual,
        round_number=round_number,
        duty=duty,
        expected=blob.commitment,
        actual=blob.detail,
    )
    return False

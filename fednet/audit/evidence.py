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
from fednet.domain.blobs import BlobFile, BlobStore, InPlaceStore, Wanted
from fednet.domain.disclosure_events import BlobsErased
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
    """``missing``, ``erased``, ``altered`` or ``malformed``; empty if there is a file."""
    detail: str = ""


class Evidence:
    """Fetch blobs once each, in the background; used as a context manager.

    Several may name the same bytes and not all say truly where they are, so each
    commitment is looked for at every place that was named, and found once is found.

    Args:
        store: Where to fetch from.
        announced: Further locators by commitment.
        fetch_seconds: How long one blob may take.
        erased: Records of erasures by the blobs that they name: where such a blob is served by
            nobody, it is erased, not missing.
    """

    def __init__(
        self,
        store: BlobStore,
        announced: Mapping[Commitment, Sequence[Locator]],
        fetch_seconds: float,
        erased: Mapping[Commitment, BlobsErased] | None = None,
    ) -> None:
        self._store = store
        self._erased = erased or {}
        self._announced = announced
        self._fetch_seconds = fetch_seconds
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="evidence")
        self._wanted: dict[Commitment, dict[Wanted, Future[Blob]]] = {}

    def want(self, commitment: Commitment, locator: Locator, size_cap_bytes: int) -> None:
        """Begin to fetch a blob that will be needed; asking twice costs nothing."""
        asked = self._wanted.setdefault(commitment, {})
        wanted = Wanted(commitment, locator, size_cap_bytes)
        if wanted not in asked:
            asked[wanted] = self._pool.submit(self._fetch, wanted)

    def get(self, commitment: Commitment, locator: Locator, size_cap_bytes: int) -> Blob:
        """Wait for a blob.

        Raises:
            StoreUnavailableError: The store does not answer; the audit cannot look.
        """
        self.want(commitment, locator, size_cap_bytes)
        asked = self._wanted[commitment]
        blob = asked[Wanted(commitment, locator, size_cap_bytes)].result()
        if blob.path is not None:
            return blob
        same = (at for wanted, at in asked.items() if wanted.size_cap_bytes == size_cap_bytes)
        found = (future.result() for future in same)
        return next((other for other in found if other.path is not None), blob)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _fetch(self, wanted: Wanted) -> Blob:
        commitment = wanted.commitment
        try:
            path = self._look(wanted)
        except BlobMissingError as exc:
            record = self._erased.get(commitment)
            if record is not None:
                return Blob(commitment, None, "erased", _grounds(record))
            return Blob(commitment, None, "missing", exc.message)
        except DigestMismatchError as exc:
            return Blob(commitment, None, "altered", f"its bytes hash to {exc.actual}")
        except MalformedBlobError as exc:
            return Blob(commitment, None, "malformed", exc.message)
        return Blob(commitment, path)

    def _look(self, wanted: Wanted) -> BlobFile:
        commitment, locator, size_cap_bytes = wanted
        if isinstance(self._store, InPlaceStore):
            return self._store.find(commitment, size_cap_bytes)
        try:
            return self._store.fetch(commitment, [locator], size_cap_bytes, self._fetch_seconds)
        except (BlobMissingError, DigestMismatchError, MalformedBlobError) as exc:
            first = exc
        # Apart, so that the first place has its time however many are announced.
        announced = self._announced.get(commitment, ())
        try:
            return self._store.fetch(commitment, announced, size_cap_bytes, self._fetch_seconds)
        except BlobMissingError:
            raise first from None


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
        "erased": "its site erased it on recorded grounds: it cannot be checked any more",
        "altered": "the bytes that are served are not the committed ones",
        "malformed": "what is served is not a blob within its size",
    }
    is_gone = blob.problem in ("missing", "erased")
    usual = Severity.MISSING if is_gone else Severity.VIOLATION
    findings.add(
        BLOBS,
        f"blob-{blob.problem}",
        subject,
        messages[blob.problem],
        severity=severity or usual,
        round_number=round_number,
        duty="" if blob.problem == "erased" else duty,
        expected=blob.commitment,
        actual=blob.detail,
    )
    return False


def _grounds(record: BlobsErased) -> str:
    """Say on what grounds a blob was erased, and where that stands."""
    return (
        f"erased with dataset {record.dataset} of site {record.site}, on grounds committed to as"
        f" {record.grounds}, in block {record.log.block}"
    )

"""What every page is made of: the sources it reads and the frame it stands in."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from fednet.domain.blobs import BlobStore
from fednet.domain.identity import Commitment, Locator
from fednet.domain.ports import LedgerReader
from fednet.errors import FednetError
from fednet.explorer import verdicts
from fednet.explorer.measuring import MeasureReader
from fednet.explorer.paging import MAX_QUERY_LETTERS
from fednet.explorer.plots import share, symbol
from fednet.explorer.refreshing import Reading, Refresher
from fednet.explorer.reports import Reports
from fednet.explorer.tallying import Tallies
from fednet.explorer.verifying import Kept, Verifier
from fednet.explorer.writing import FILTERS
from fednet.provenance import LedgerIndex, Lineage

STATIC = {
    name: (files("fednet.explorer") / "static" / name).read_bytes()
    for name in ("fednet.css", "fednet.js", "mark.svg")
}
_VERSION = hashlib.sha256(b"".join(STATIC.values())).hexdigest()[:12]
_NAMES_SECONDS = 15.0
_LINEAGES = 8
_SECTIONS = ("/runs", "/sites", "/datasets", "/members", "/events")


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page."""

    section: str
    query: str
    reading: Reading
    version: str = _VERSION
    longest_query: int = MAX_QUERY_LETTERS


class Window:
    """Hold what the pages read from, and put them into their frame.

    Args:
        reader: The ledger; only read.
        store: Where blobs come from; nothing is published.
        index: Kept up with the ledger by a refresher.
        fetch_seconds: How long a replay looks for one blob.
        kept: Reads what the home keeps for its audits.
    """

    def __init__(
        self,
        reader: LedgerReader,
        store: BlobStore,
        index: LedgerIndex,
        fetch_seconds: float,
        kept: Callable[[], Kept] = Kept,
    ) -> None:
        self.reader, self.index = reader, index
        self.refresher = Refresher(index, reader)
        self.verifier = Verifier(reader, store, fetch_seconds, kept)
        self.blobs = SmallBlobs(store)
        self.tallies = Tallies(index)
        self.measures = MeasureReader(self.blobs)
        self.reports = Reports(reader, store, fetch_seconds)
        self._names: tuple[float, Mapping[int, str]] = (-_NAMES_SECONDS, {})
        self._lineages: dict[object, Lineage] = {}
        self._templates = Environment(
            loader=PackageLoader("fednet.explorer"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)
        self._templates.globals.update(
            share=share,
            symbol=symbol,
            run_verdict=verdicts.of_run,
            round_verdict=verdicts.of_round,
            recollection=verdicts.recollection,
            site_verdict=verdicts.of_site,
        )

    def start(self) -> None:
        """Read the chain once, then follow it in the background."""
        self.refresher.refresh()
        self.refresher.start()

    def close(self) -> None:
        """Stop following the chain."""
        self.refresher.close()

    def names(self) -> Mapping[int, str]:
        """Name every site, as of a few seconds ago."""
        at, known = self._names
        if time.monotonic() - at > _NAMES_SECONDS:
            known = {int(row.site): row.name for row in self.index.sites(limit=100_000)}
            self._names = (time.monotonic(), known)
        return known

    def lineage(self, subject: Commitment) -> Lineage:
        """Trace a model back; kept for as long as the chain stands still.

        Raises:
            LedgerError: The index knows no such model.
        """
        key = (subject, self.refresher.reading.head)
        found = self._lineages.get(key)
        if found is None:
            found = self.index.lineage(subject)
            if len(self._lineages) >= _LINEAGES:
                self._lineages.clear()
            self._lineages[key] = found
        return found

    def page(
        self, request: Request, template: str, context: Mapping[str, object], status: int = 200
    ) -> Response:
        """Fill a template in."""
        path = request.url.path
        section = next((each for each in _SECTIONS if path.startswith(each)), "")
        frame = Frame(
            section,
            request.query_params.get("q", "")[:MAX_QUERY_LETTERS],
            self.refresher.reading,
        )
        text = self._templates.get_template(template).render({"frame": frame, **context})
        return HTMLResponse(text, status)

    def problem(self, request: Request, status: int, problem: str, hint: str) -> Response:
        """Make a page of an error and its remedy."""
        title = {404: "Not here", 400: "That cannot be asked", 403: "Refused"}.get(
            status, "This did not work"
        )
        told = {"title": title, "status_code": status, "problem": problem, "hint": hint}
        return self.page(request, "error.html", told, status)


class SmallBlobs:
    """Fetch plans and records for a page without making the reader wait.

    A blob that is not here within a moment is looked for in the background and
    may be there at the next visit; what nobody serves is not asked for again
    for a while.
    """

    MOMENT_SECONDS = 0.8
    FETCH_SECONDS = 20.0
    AGAIN_SECONDS = 60.0
    KEPT = 512
    AT_ONCE = 4

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._kept: OrderedDict[Commitment | tuple[Commitment, Locator], bytes | float] = (
            OrderedDict()
        )
        """A blob's bytes, or for one of its places the monotonic time before which not to look."""
        self._free = threading.BoundedSemaphore(self.AT_ONCE)

    def get(self, commitment: Commitment, locator: Locator, size_cap_bytes: int) -> bytes | None:
        """Return a blob's verified bytes, or None if they are not at hand."""
        with self._lock:
            held = self._kept.get(commitment) or self._kept.get((commitment, locator))
        if isinstance(held, bytes):
            return held
        if held is not None and time.monotonic() < held:
            return None
        if not self._free.acquire(blocking=False):
            return None
        thread = threading.Thread(
            target=self._fetch, args=(commitment, locator, size_cap_bytes), daemon=True
        )
        thread.start()
        thread.join(self.MOMENT_SECONDS)
        with self._lock:
            held = self._kept.get(commitment)
        return held if isinstance(held, bytes) else None

    def _fetch(self, commitment: Commitment, locator: Locator, size_cap_bytes: int) -> None:
        place = (commitment, locator)
        self._keep(place, time.monotonic() + self.AGAIN_SECONDS)
        try:
            path = self._store.fetch(commitment, [locator], size_cap_bytes, self.FETCH_SECONDS)
            data = path.read_bytes()
            commitment.verify(data, "blob")
            self._keep(commitment, data)
        except (FednetError, OSError):
            self._keep(place, time.monotonic() + self.AGAIN_SECONDS)
        finally:
            self._free.release()

    def _keep(self, blob: Commitment | tuple[Commitment, Locator], found: bytes | float) -> None:
        with self._lock:
            self._kept[blob] = found
            self._kept.move_to_end(blob)
            while len(self._kept) > self.KEPT:
                self._kept.popitem(last=False)

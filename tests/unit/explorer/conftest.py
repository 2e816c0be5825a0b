"""The explorer over generated records, whose chain does not answer any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from fednet.blobs import MemoryStore, MemorySwarm
from fednet.domain.ports import LedgerReader
from fednet.explorer import Window, create_app
from fednet.provenance import LedgerIndex
from tests.unit.explorer.generated import DEPLOYMENT, Ledger, SilentChain
from tests.unit.explorer.visiting import Visitor

Visit = Callable[[Ledger], Visitor]


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """Open the explorer over records."""
    with ExitStack() as opened:

        def open_it(ledger: Ledger) -> Visitor:
            folder = tmp_path_factory.mktemp("window")
            index = LedgerIndex.open(folder / "index.sqlite", DEPLOYMENT)
            opened.enter_context(closing(index))
            index.ingest(ledger.blocks())
            store = MemoryStore(MemorySwarm(), folder / "store")
            reader: LedgerReader = SilentChain()  # type: ignore[assignment]
            window = Window(reader, store, index, fetch_seconds=1.0)
            window.refresher.refresh()
            return opened.enter_context(Visitor(create_app(window)))

        yield open_it

"""The explorer's pages of a round whose updates and attestations were carried."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fednet.blobs import MemoryStore, MemorySwarm
from fednet.explorer import Window, create_app
from fednet.provenance import LedgerIndex
from tests.unit.explorer.generated import DEPLOYMENT, SilentChain
from tests.unit.explorer.visiting import Visitor
from tests.unit.provenance.test_batches import ALONE, BATCHER, FORGED, STATE, blocks


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    folder: Path = tmp_path_factory.mktemp("batches")
    reader: Any = SilentChain()
    with closing(LedgerIndex.open(folder / "index.sqlite", DEPLOYMENT)) as index:
        index.ingest(blocks())
        window = Window(
            reader, MemoryStore(MemorySwarm(), folder / "store"), index, fetch_seconds=1.0
        )
        window.refresher.refresh()
        with Visitor(create_app(window)) as visitor:
            yield visitor


def rows_of(text: str, caption: str) -> list[list[str]]:
    """Read a table, cells as plain text."""
    table = text[text.index(f"<caption>{caption}") :].partition("</table>")[0]
    found = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in found[1:]]
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in cells]


def test_round_page_shows_rows_of_a_batch_and_who_handed_them_in(client: Visitor) -> None:
    text = client.get("/runs/1/rounds/1").text
    told = {row[0]: row for row in rows_of(text, "Every update")}
    assert list(told) == [f"site {site}" for site in (ALONE, 12, BATCHER, FORGED)]
    assert [row[3] for row in told.values()] == ["included", "invalid", "included", "included"]
    carried = [site for site, row in told.items() if row[5] == f"in a batch by site {BATCHER}"]
    assert carried == ["site 12", f"site {BATCHER}"]
    assert told[f"site {ALONE}"][5].startswith("Qm")


def test_round_page_shows_each_vote_that_was_carried(client: Visitor) -> None:
    text = client.get("/runs/1/rounds/1").text
    votes = rows_of(text, "What members said")
    assert [row[0] for row in votes] == [f"site {site}" for site in (FORGED, 12, BATCHER)]
    assert all("attested" in row[1] for row in votes)


def test_lineage_page_lists_rows_of_a_batch_as_any_update(client: Visitor) -> None:
    text = client.get(f"/lineage/{STATE}").text
    for site in (FORGED, 12, BATCHER, ALONE):
        assert f'href="/sites/{site}"' in text

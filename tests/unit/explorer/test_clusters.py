"""The explorer's pages of a run with several models, whose plan and records are at hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fednet.blobs import MemoryStore, MemorySwarm
from fednet.domain import events as ev
from fednet.domain.identity import Commitment, Locator, RoundNumber
from fednet.domain.plan import Plan
from fednet.explorer import Window, create_app
from fednet.provenance import LedgerIndex
from tests.unit.explorer.generated import DEPLOYMENT, Ledger, SilentChain, digest
from tests.unit.explorer.visiting import Visitor
from tests.unit.node.views import PLAN
from tests.unit.provenance.test_clusters import IFCA, record

OUTCOME: dict[str, str | int | list[int]] = {
    "cluster-0": [1], "cluster-1": [2, 3], "cluster-1-left_out": [3]
}  # fmt: skip


class Told(Ledger):
    """A run whose plan and record are blobs that the reader has."""

    def __init__(self) -> None:
        super().__init__()
        self.plan: Plan = PLAN.model_copy(update={"clusters": IFCA})
        self.record = record(1, OUTCOME)
        for number in (1, 2, 3):
            self.site(number, f"Hospital {number}")
        self.run(1, 3, 1)
        named = {
            Commitment(digest("plan", 1)): Commitment.of(self.plan.to_bytes()),
            Commitment(digest("record", 1, RoundNumber(1))): Commitment.of(self.record.to_bytes()),
        }
        self.events = [self._renamed(event, named) for event in self.events]

    def _renamed(self, event: Any, named: dict[Commitment, Commitment]) -> Any:
        if isinstance(event, ev.RunOpened):
            return replace(event, plan=named[event.plan])
        if isinstance(event, ev.RoundProposed):
            return replace(event, record=named[event.record])
        return event


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    folder: Path = tmp_path_factory.mktemp("clusters")
    ledger = Told()
    store = MemoryStore(MemorySwarm(), folder / "store")
    store.put_object(Locator(digest("plan", 1)), ledger.plan.to_bytes())
    store.put_object(Locator(digest("record", 1, RoundNumber(1))), ledger.record.to_bytes())
    reader: Any = SilentChain()
    with closing(LedgerIndex.open(folder / "index.sqlite", DEPLOYMENT)) as index:
        index.ingest(ledger.blocks())
        window = Window(reader, store, index, fetch_seconds=1.0)
        window.refresher.refresh()
        with Visitor(create_app(window)) as visitor:
            yield visitor


def rows(text: str) -> list[list[str]]:
    """Read the table of rounds, cells as plain text."""
    table = text[text.index("<caption>What each round was made of") :]
    found = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in found[1:]]
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in cells]


def lineage_path() -> str:
    return f"/lineage/{digest('state', 1, RoundNumber(1))}"


def test_lineage_page_tells_each_update_its_cluster(client: Visitor) -> None:
    text = client.get(lineage_path()).text
    assert [row[-4] for row in rows(text)] == ["0", "1", "1"]


def test_lineage_page_shows_one_cluster_alone(client: Visitor) -> None:
    text = client.get(f"{lineage_path()}?cluster=1").text
    assert [row[-4] for row in rows(text)] == ["1", "1"]
    assert "cluster 1</strong>" in text
    assert "into the model of cluster 1" in text


def test_lineage_page_knows_no_other_cluster(client: Visitor) -> None:
    assert client.get(f"{lineage_path()}?cluster=2").status_code == 404
    assert client.get(f"{lineage_path()}?cluster=x").status_code == 400


def test_round_page_says_whom_the_rule_left_out_of_which_cluster(client: Visitor) -> None:
    text = client.get("/runs/1/rounds/1").text
    outcome = dict(
        re.findall(r"<dt>(?:<bdi[^>]*>)?(cluster-1[^<]*)(?:</bdi>)?</dt><dd>(.*?)</dd>", text)
    )
    assert "/sites/2" in outcome["cluster-1"]
    assert "/sites/3" in outcome["cluster-1-left out"]
    assert "/sites/2" not in outcome["cluster-1-left out"]


def test_run_page_says_which_model_each_site_made_last(client: Visitor) -> None:
    text = client.get("/runs/1").text
    table = text[text.index("<caption>Sites that handed in updates") :]
    found = re.findall(r"/sites/(\d).*?<td class=\"n\">(\d)</td><td>", table)
    assert {int(site): int(cluster) for site, cluster in found} == {1: 0, 2: 1, 3: 1}

"""The Five Safes of a run in the explorer."""

from __future__ import annotations

import re

import pytest

from tests.unit.explorer.conftest import Visit
from tests.unit.explorer.generated import Ledger, digest
from tests.unit.explorer.visiting import Visitor

SITES = 60


@pytest.fixture(scope="module")
def client(visit: Visit) -> Visitor:
    ledger = Ledger()
    for number in range(1, SITES + 1):
        ledger.site(number, f"Hospital {number}")
    ledger.run(1, SITES, 1)
    return visit(ledger)


def test_all_five_stand_on_one_page_and_lead_to_their_records(client: Visitor) -> None:
    text = client.get("/runs/1/safes").text
    for part in ("people", "projects", "settings", "data", "outputs"):
        assert f"<h2>Safe {part}</h2>" in text
    assert "Nobody serves the plan" in text
    records = re.findall(r'/events\?transaction=([0-9a-f]{64})">block ([^<]+)<', text)
    assert len(records) > 40
    for transaction, block in records:
        assert transaction == str(digest("transaction", int(block.replace("\u202f", ""))))
    assert 'href="/runs/1/safes"' in client.get("/runs/1").text


def test_each_of_the_five_is_whole_page_by_page(client: Visitor) -> None:
    assert '<a href="/runs/1/safes/data">All 120 lines</a>' in client.get("/runs/1/safes").text
    pages = [client.get(f"/runs/1/safes/data?page={number}").text for number in (1, 2, 3)]
    assert 'rel="next"' not in pages[2]
    for site in range(1, SITES + 1):
        told = f">dataset {site} of site {site}<"
        assert sum(told in page for page in pages) == 1


def test_there_is_no_sixth(client: Visitor) -> None:
    answer = client.get("/runs/1/safes/secrets")
    assert answer.status_code == 404
    assert "people, projects, settings, data, outputs" in answer.text
    assert client.get("/runs/9/safes").status_code == 404

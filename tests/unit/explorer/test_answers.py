from __future__ import annotations

import pytest

from fednet.explorer.defences import HEADERS, MAX_TARGET_BYTES
from tests.unit.explorer.conftest import Visit
from tests.unit.explorer.generated import Ledger
from tests.unit.explorer.visiting import URL, Visitor


@pytest.fixture(scope="module")
def client(visit: Visit) -> Visitor:
    ledger = Ledger()
    for number in (1, 2):
        ledger.site(number, f"Hospital {number}")
    ledger.run(1, 2, 1)
    return visit(ledger)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/static/fednet.css", 200),
        ("/static/../window.py", 404),
        ("/static/none", 404),
        ("/nothing", 404),
        ("/runs/99", 404),
        ("/runs/1/report.pdf", 404),
        ("/runs/1/report.exe", 404),
        ("/runs/" + "9" * 40, 404),
        ("/runs/-1", 404),
        ("/runs/1/rounds/0", 404),
        ("/runs/1/rounds/" + "9" * 30, 404),
        ("/sites/0", 404),
        ("/datasets/" + "9" * 25, 404),
        ("/lineage/zz", 404),
        ("/lineage/" + "0" * 64, 404),
        ("/runs?page=" + "9" * 30, 400),
        ("/runs?page=-1", 400),
        ("/runs?page=0", 200),
        ("/events?run=x", 400),
        ("/events?transaction=12", 400),
        ("/events?since=yesterday", 400),
        ("/members?at=9999-12-31", 200),
        ("/search?q=" + "x" * MAX_TARGET_BYTES, 414),
        ("/search?q=" + "x" * 1_000, 200),
        ("/?%ff=%fe", 200),
    ],
)
def test_every_answer_is_a_safe_page(client: Visitor, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "Traceback" not in answer.text
    if status >= 400:
        assert "overview" in answer.text


def test_another_host_is_refused(client: Visitor) -> None:
    answer = client.get("/", headers={"Host": "rebound.example:8400"})
    assert answer.status_code == 421
    assert "does not answer to that name" in answer.text
    assert answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": URL, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_replay_is_not_started_from_elsewhere(client: Visitor, headers: dict[str, str]) -> None:
    for path in ("/runs/1/verify", "/runs/1/verify/afresh"):
        assert client.post(path, headers=headers).status_code == 403
    assert "not verified here" in client.get("/runs/1").text


@pytest.mark.parametrize("path", ["/", "/runs/1", "/runs/1/panel"])
def test_only_a_replay_is_posted(client: Visitor, path: str) -> None:
    assert client.post(path, headers={"Origin": URL}).status_code == 405


def test_a_look_has_no_side_effect(client: Visitor) -> None:
    for path in ("/runs/1/verify", "/runs/1/verify/afresh"):
        assert client.get(path).status_code == 405
    assert "not verified here" in client.get("/runs/1").text


def test_a_replay_that_could_not_look_is_not_called_anything_else(client: Visitor) -> None:
    answer = client.post("/runs/1/verify", headers={"Origin": URL})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/runs/1/audit#verdict"
    while "being replayed" in (text := client.get("/runs/1/audit").text):
        pass
    assert "could not be replayed" in text
    assert "What to do" in text
    assert 'class="verdict good"' not in text


def test_a_defect_is_a_page_too(client: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fednet.provenance.LedgerIndex.count_runs", None)
    answer = client.get("/runs")
    assert answer.status_code == 500
    assert "This is a defect of fednet" in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["content-security-policy"]

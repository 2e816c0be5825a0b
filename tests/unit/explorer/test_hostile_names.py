"""Names and metadata chosen to break a page: nothing runs, nothing breaks out, nothing is lost."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fednet.explorer.writing import label, said
from tests.unit.explorer.conftest import Visit
from tests.unit.explorer.generated import Ledger
from tests.unit.explorer.visiting import Visitor

NAMES = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'; DROP TABLE runs; --",
    "{{ 7 * 7 }}{% for x in () %}${7*7}#{7*7}",
    "\u202egnp.exe\u202c North \u2066Clinic",
    "</title></bdi></table></main><style>*{display:none}</style>",
    "javascript:alert(1)",
    "&lt;b&gt;&#x3c;script&#x3e;",
    "\x00\x07\x1b[2J\r\nSet-Cookie: a=b",
    "x" * 1_000_000,
    "\ud83d\ude00 مستشفى 病院 ‮",
    "<!--", "]]>", "%s%n{0}", "..//../etc/passwd", "",
]  # fmt: skip
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta"}
HANDED_ON = ("/", "/runs", "/runs/1", "/runs/1/rounds/1", "/runs/1/rounds/1/live",
             "/runs/1/updates", "/runs/1/lineage", "/runs/1/safes",
             "/runs/1/safes/people", "/sites", "/datasets", "/datasets/1", "/members",
             "/events", "/search?q=script", "/search?q=%3Cscript%3Ealert(1)%3C/script%3E",
             "/search?q=%00%E2%80%AE", "/search?q=%27%3B+DROP+TABLE+runs",
             "/events?since=%3Cscript%3E")  # fmt: skip


class Page(HTMLParser):
    """Read a page strictly: every element closed in order, no script but ours, no handler."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if len(values) != len(attrs):
            self.faults.append(f"an attribute of {tag} twice")
        for name, value in attrs:
            if name.startswith("on") or name in ("style", "srcdoc"):
                self.faults.append(f"{tag} has {name}")
            if name in ("href", "src", "action") and not (value or "").startswith(("/", "#")):
                self.faults.append(f"{tag} leads to {value!r:.80}")
        if tag == "script" and not (values.get("src") or "").startswith("/static/"):
            self.faults.append("a script that is not ours")
        if tag in ("style", "iframe", "object", "embed", "base"):
            self.faults.append(f"a stranger's {tag}")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"{tag} closes what is not open")

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if any(not each.isprintable() and each not in "\n\u202f" for each in data):
            self.faults.append(f"a letter that cannot be seen: {data!r:.60}")


def read(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    if page.open:
        page.faults.append(f"left open: {page.open}")
    return page


@pytest.fixture(scope="module")
def client(visit: Visit) -> Visitor:
    ledger = Ledger()
    for number, name in enumerate(NAMES, start=1):
        ledger.site(number, name, store_address=name)
    ledger.run(1, len(NAMES), 3)
    return visit(ledger)


def test_the_checker_finds_what_it_is_for() -> None:
    assert read("<p><b>x</p>").faults
    assert read("<script>1</script>").faults
    assert read("<a href='javascript:1'>x</a>").faults
    assert read("<p onclick='x'>\u202e</p>").faults
    assert not read("<p><a href='/x'>x</a><br></p>").faults


def test_no_page_breaks(client: Visitor) -> None:
    sites = [f"/sites/{number}" for number in range(1, len(NAMES) + 1)]
    for path in (*HANDED_ON, *sites):
        answer = client.get(path)
        if answer.status_code == 302:
            answer = client.get(answer.headers["location"])
        assert answer.status_code == (400 if path.startswith("/events?since") else 200), path
        assert read(answer.text).faults == [], path
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "set-cookie" not in answer.headers
        assert len(answer.text) < 300_000, path


def test_a_hostile_name_is_still_told(client: Visitor) -> None:
    assert "<script>alert(1)</script>" in "".join(read(client.get("/sites/1").text).text)
    assert "{{ 7 * 7 }}" in "".join(read(client.get("/sites/4").text).text)
    assert "[U+202E]gnp.exe" in "".join(read(client.get("/sites/5").text).text)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(codec=None), max_size=300))
def test_whatever_is_said_stays_text(text: str) -> None:
    for written in (said(text), label(text)):
        assert read(written).faults == []

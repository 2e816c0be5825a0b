"""The report: what it says, that hostile texts stay texts, that its bytes are stable."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fednet.audit import Finding, Severity
from fednet.domain import disclosure_events as de
from fednet.domain.disclosures import ReleaseStatus
from fednet.domain.identity import Commitment, DatasetId, RoundNumber, RunId, SiteId
from fednet.domain.sections import PrivacySection
from fednet.errors import MalformedBlobError
from fednet.exports import (
    Seal,
    SignedStatement,
    Statement,
    make_statement,
    pdf,
    write_html,
)
from fednet.exports.pdf import plain, write_pdf
from fednet.exports.texts import clean
from tests.unit.exports.made_up import NAMES, make_dossier, violation

WRITTEN = 1_700_100_000
SEAL = Seal(account="0x" + "ab" * 20, signature="cd" * 65)
HOSTILE = (
    "</td><script>alert(1)</script><img src=x onerror=alert(2)>",
    "\u202egnip\u2066 \x00\x1b[31m) Tj ET /JS (app.alert) %%EOF endobj",
    "{{ 7*7 }}{% include '/etc/passwd' %}' OR 1=1 --",
)


class Page(HTMLParser):
    """What a browser would see: elements, attributes, words."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def statement(
    names: tuple[str, ...] = NAMES, findings: tuple[Finding, ...] | None = ()
) -> Statement:
    return make_statement(make_dossier(names=names, findings=findings), WRITTEN)


def test_report_says_what_was_let_out_and_what_was_spent() -> None:
    dossier = make_dossier()
    run, log = dossier.run.run, dossier.opened.log
    place = (run, RoundNumber(1), SiteId(2), DatasetId(2))
    said = Commitment.of(b"said")
    records = (
        de.CeilingSet(log, DatasetId(2), SiteId(2), 3_000_000, 10_000_000, said),
        de.ReleaseRequested(log, *place, 1, said),
        de.ReleaseDecided(log, *place, 1, ReleaseStatus.REJECTED, said),
        de.ReleaseRequested(log, *place, 2, said),
        de.BudgetSpent(log, *place, 500_000, 0),
        de.BudgetSpent(log, *place, 1_250_000, 1),
        de.BudgetSpent(log, RunId(run + 1), *place[1:], 1_000_000, 0),
    )
    assert "What was let out" not in [
        each.title for each in make_statement(dossier, WRITTEN).sections
    ]
    statement = make_statement(replace(dossier, disclosures=records), WRITTEN)
    (section,) = (each for each in statement.sections if each.title == "What was let out")
    rows = {row[0]: row[1:] for row in section.tables[0].rows}
    assert rows["2"] == (
        "2", "0", "1", "1", "epsilon 1.25, delta 0.000000000001", "epsilon 3, delta 0.00001",
    )  # fmt: skip
    assert rows["1"] == ("0", "0", "0", "0", "epsilon 0, delta 0", "none set")


def test_report_says_whom_the_rule_left_out() -> None:
    dossier = make_dossier()
    first = min(dossier.records)
    ruled = dossier.records[first].model_copy(update={"outcome": {"chosen": [1], "left_out": [2]}})
    said = make_statement(replace(dossier, records={**dossier.records, first: ruled}), WRITTEN)
    (table,) = (
        table
        for section in said.sections
        for table in section.tables
        if table.caption == "Final rounds"
    )
    column = table.columns.index("what the rule did")
    assert [row[column] for row in table.rows] == ["chosen 1; left out 2", ""]
    assert "chosen 1; left out 2" in Page(write_html(said, None)).text


def test_report_says_what_holds() -> None:
    said = statement()
    page = Page(write_html(said, None))
    assert said.verdict == "holds"
    assert "Everything that can be checked holds." in page.text
    assert "No privacy mechanism was planned" in page.text
    assert "What the ledger cannot prove" in page.text
    assert "unanchored" in page.text
    for name in NAMES:
        assert name in page.text


def test_report_says_what_the_plan_promises_of_privacy() -> None:
    dossier = make_dossier()
    assert dossier.plan is not None
    promise = PrivacySection(
        mechanism="dp-sgd", clip_norm=Decimal(1), noise_multiplier=Decimal("1.10"),
        epsilon=Decimal(3), delta=Decimal("0.00001"),
    )  # fmt: skip
    plan = dossier.plan.model_copy(update={"privacy": promise})
    said = make_statement(replace(dossier, plan=plan), WRITTEN)
    text = Page(write_html(said, None)).text
    assert "an epsilon of 3 at a delta of 0.00001" in text
    assert "noise of 1.1 times that" in text.replace("1.10", "1.1")
    assert "No privacy mechanism was planned" not in text
    assert "were sealed" not in text
    for mechanism, promised in (("none", "asked neither for"), ("dp-sgd", "an epsilon of 3")):
        sealed = promise.model_copy(update={"mechanism": mechanism, "sealed": True})
        kept = dossier.plan.model_copy(update={"privacy": sealed})
        words = Page(write_html(make_statement(replace(dossier, plan=kept), WRITTEN), None)).text
        assert promised in words
        assert "Updates and models were sealed" in words
        assert "No privacy mechanism was planned" not in words
    unknown = Page(write_html(make_statement(replace(dossier, plan=None), WRITTEN), None)).text
    assert "what it promised of privacy is not known" in unknown
    assert "No privacy mechanism was planned" not in unknown


def test_report_with_findings_is_loud_and_names_the_accused() -> None:
    said = statement(findings=(violation(),))
    page = Page(write_html(said, None))
    assert said.verdict == "does not hold"
    assert f"DOES NOT HOLD. Accused by the evidence: site 2, {NAMES[1]}." in page.text
    assert page.text.index("DOES NOT HOLD") < page.text.index("What was trained")
    assert "is not what recomputing gives" in page.text
    assert ("class", "verdict fails") in page.attributes


def test_report_without_evidence_accuses_nobody() -> None:
    missing = violation(severity=Severity.MISSING, accused=None, duty="site 3, whose update it is")
    said = statement(findings=(missing,))
    assert said.accused == ()
    assert "convicts nobody" in said.headline
    assert "site 3, whose update it is" in Page(write_html(said, None)).text


def test_report_without_an_audit_says_so() -> None:
    said = statement(findings=None)
    assert said.verdict == "not audited"
    assert "NOT AUDITED" in Page(write_html(said, None)).text


def test_report_lists_every_commitment_block_and_transaction() -> None:
    dossier = make_dossier()
    text = Page(write_html(make_statement(dossier, WRITTEN), None)).text
    for entry in dossier.final_rounds:
        for commitment in (entry.proposed.state, entry.proposed.record):
            assert str(commitment) in text
        for update in entry.submissions:
            assert str(update.commitment) in text
    for event in dossier.history.events:
        assert str(event.log.transaction) in text


def test_page_asks_nobody_for_anything() -> None:
    data = write_html(statement(names=HOSTILE), SEAL)
    page = Page(data)
    assert not {"script", "img", "link", "iframe", "object", "embed", "form"} & set(page.elements)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert all((value or "").startswith("#") for name, value in page.attributes if name == "href")
    assert b"url(" not in data
    assert b"@import" not in data


def test_page_is_accessible() -> None:
    page = Page(write_html(statement(), None))
    assert ("lang", "en") in page.attributes
    assert page.elements.count("h1") == 1
    assert page.elements.count("table") == page.elements.count("caption")
    assert ("scope", "col") in page.attributes


def test_hostile_names_are_words_only() -> None:
    honest, hostile = Page(write_html(statement(), None)), Page(
        write_html(statement(names=HOSTILE, findings=(violation(message=HOSTILE[0]),)), None)
    )  # fmt: skip
    assert set(hostile.elements) == set(honest.elements)
    assert "<script>alert(1)</script>" in hostile.text
    assert "{{ 7*7 }}" in hostile.text
    assert "\u202e" not in hostile.text
    assert "[U+202E]" in hostile.text
    assert "\x00" not in hostile.text


def test_a_megabyte_of_text_is_cut() -> None:
    huge = "x" * 1_000_000
    said = statement(names=(huge, *NAMES[1:]), findings=(violation(message=huge, actual=huge),))
    assert len(write_html(said, None)) < 200_000
    assert len(write_pdf(said, None)) < 200_000
    assert "(1000000 characters)" in write_html(said, None).decode()


def test_more_findings_than_a_page_bears_are_counted() -> None:
    said = statement(findings=(violation(),) * 1_003)
    assert "3 further findings are left out" in Page(write_html(said, None)).text


def test_document_shows_so_many_rows_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write_pdf(statement(), None)
    monkeypatch.setattr(pdf, "MAX_ROWS", 2)
    assert len(write_pdf(statement(), None)) < len(whole)


@pytest.mark.parametrize("seal", [None, SEAL])
def test_equal_input_gives_equal_bytes(seal: Seal | None) -> None:
    assert write_html(statement(), seal) == write_html(statement(), seal)
    assert write_pdf(statement(), seal) == write_pdf(statement(), seal)


def test_signature_is_shown_in_both_forms() -> None:
    assert SEAL.account in Page(write_html(statement(), SEAL)).text
    assert "not signed" in Page(write_html(statement(), None)).text
    assert write_pdf(statement(), SEAL) != write_pdf(statement(), None)


def test_document_is_a_pdf_without_active_content() -> None:
    data = write_pdf(statement(names=HOSTILE), SEAL)
    assert data.startswith(b"%PDF-")
    assert data.rstrip().endswith(b"%%EOF")
    assert data.count(b"%%EOF") == 1
    for word in (b"/JavaScript", b"/JS", b"/Launch", b"/OpenAction /S", b"/URI", b"/EmbeddedFile"):
        assert word not in data


def test_letters_that_the_font_lacks_are_told() -> None:
    assert plain("Universitätsklinikum Süd") == "Universitätsklinikum Süd"
    assert plain("Szpital Łódź, Больница, Νοσοκομείο") == "Szpital Łódź, Больница, Νοσοκομείο"
    assert plain("東京") == "[U+6771][U+4EAC]"
    assert plain("a\nb\u202ec") == "a[U+000A]b[U+202E]c"


def test_signed_file_reads_back_and_refuses_changes() -> None:
    said = statement(findings=(violation(),))
    data = SignedStatement(digest=str(said.digest), seal=SEAL, statement=said).to_bytes()
    assert SignedStatement.from_bytes(data, "report").statement == said
    changed = data.replace(b"DOES NOT HOLD", b"DOES VERY WELL")
    with pytest.raises(MalformedBlobError, match="changed after it was signed"):
        SignedStatement.from_bytes(changed, "report")
    for other in (b"", b"[]", b"{}", b"\xff", b"[" * 100_000, data[:-1], data + b" "):
        with pytest.raises(MalformedBlobError):
            SignedStatement.from_bytes(other, "report")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=3, max_size=3), st.text(max_size=80))
def test_any_text_leaves_the_page_whole(names: list[str], message: str) -> None:
    said = make_statement(make_dossier(names=names, findings=[violation(message=message)]), WRITTEN)
    page = Page(write_html(said, None))
    assert "script" not in page.elements
    assert page.elements.count("table") == write_html(said, None).count(b"</table>")
    assert not re.search(r"[\x00-\x08\u202a-\u202e\u2066-\u2069]", page.text)
    assert json.loads(said.to_bytes())["verdict"] == "does not hold"
    assert Statement.model_validate_json(said.to_bytes()) == said


@settings(max_examples=5, deadline=None)
@given(st.text(max_size=200))
def test_any_text_fits_the_document(name: str) -> None:
    assert write_pdf(statement(names=(name, "b", "c")), None).rstrip().endswith(b"%%EOF")


def test_cleaned_text_keeps_what_shows() -> None:
    assert clean("Łódź 東京 مستشفى") == "Łódź 東京 مستشفى"
    assert clean("a" * 10, 4) == "aaaa... (10 characters)"

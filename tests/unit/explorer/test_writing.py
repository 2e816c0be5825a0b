from __future__ import annotations

import pytest

from fednet.domain.ledger import Phase, Role
from fednet.explorer import writing


def test_markup_of_a_stranger_is_text() -> None:
    assert "<script>" not in writing.said("<script>alert(1)</script>")
    assert "&lt;script&gt;" in writing.said("<script>alert(1)</script>")
    assert "{{" in writing.label("{{ 7 * 7 }}")


@pytest.mark.parametrize("letter", ["\u202e", "\u2066", "\u200b", "\x00", "\x1b", "\ufeff"])
def test_letters_that_cannot_be_seen_are_spelled_out(letter: str) -> None:
    written = writing.said(f"North{letter}Clinic")
    assert letter not in written
    assert f"[U+{ord(letter):04X}]" in written


def test_scripts_that_read_from_the_right_are_isolated_and_left_alone() -> None:
    assert writing.label("مستشفى الشمال") == '<bdi class="said">مستشفى الشمال</bdi>'


def test_long_text_is_cut_in_the_middle_and_whole_behind() -> None:
    text = "a" * 500 + "b" * 500
    written = writing.said(text)
    assert written.startswith("<details")
    assert text in written
    assert len(writing.cut(text)) == writing.SHORT_LETTERS
    assert writing.cut(text).startswith("a")
    assert writing.cut(text).endswith("b")


def test_a_megabyte_takes_a_few_kilobytes_of_page() -> None:
    written = writing.said("x" * 1_000_000)
    assert len(written) < 6_000
    assert "995,904 more letters" in written


def test_digest_is_there_in_whole() -> None:
    assert "ab" * 32 in writing.digest(bytes.fromhex("ab" * 32))
    assert "none" in writing.digest(None)


def test_cid_is_written_as_ipfs_does() -> None:
    empty_file = bytes.fromhex("bfccda787baba32b59c78450ac3d20b633360b43992c77289f9ed46d843561e6")
    assert "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH" in writing.cid(empty_file)
    assert "none" in writing.cid(bytes(32))


def test_times_and_numbers() -> None:
    written = writing.when(1_795_219_200)
    assert written == '<time datetime="2026-11-21T00:00:00Z">2026-11-21 00:00:00</time>'
    assert "never" in writing.when(0)
    assert "s" in writing.when(10**18)
    assert writing.lasting(90_061) == "1 d 1 h"
    assert writing.number(1_234_567) == "1\u202f234\u202f567"
    assert writing.size(2_500_000) == "2.5 MB"
    assert writing.word(Role.SITE | Role.AGGREGATOR) == "site, aggregator"
    assert writing.word(Phase.GATHERING) == "gathering"
    assert writing.words("UpdateSubmitted") == "update submitted"

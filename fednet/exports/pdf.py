"""Lay a statement out as a PDF that carries its own font, so that it looks the same everywhere.

DejaVu knows the alphabets of Europe and some more. A letter that it lacks is
written without its accent or as its code point, and a note says so.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files

from fontTools.ttLib import TTFont
from fpdf import FPDF, FontFace, XPos, YPos
from fpdf.enums import TableBordersLayout

from fednet.exports.layout import seal_lines
from fednet.exports.statement import Seal, Section, Statement, Table
from fednet.exports.texts import clean, when

_FONT = "dejavu"
_FONT_FILES = {"": "DejaVuSansCondensed.ttf", "B": "DejaVuSansCondensed-Bold.ttf"}
_OPEN = (110, 74, 0)
_COLOURS = {
    "holds": (17, 90, 48), "holds in part": _OPEN, "sealed": _OPEN,
    "does not hold": (160, 16, 16), "not audited": _OPEN,
}  # fmt: skip
_NOTE = (
    "Some letters of the names are not in this file's font: they are written without their accents"
    " or as [U+code]. The HTML report shows the names as they were recorded."
)
_REST = "further rows are left out of this file; the HTML report and the .sig.json have them all."
MAX_ROWS = 500
"""A table of this file shows so many rows; hundreds of pages help nobody."""
_WIDE_COLUMN = 66
_NARROW = 15
_CAPTION_SPACE = 25


def write_pdf(statement: Statement, seal: Seal | None) -> bytes:
    """Return the document's bytes, equal for equal arguments."""
    document = _Document(statement)
    document.head()
    for section in statement.sections:
        document.section(section)
    document.signature(seal_lines(statement, seal))
    return bytes(document.output())


def plain(text: str) -> str:
    """Write a text in the letters that the font has."""
    return "".join(letter if _has(letter) else _substitute(letter) for letter in clean(text, 4_000))


class _Document(FPDF):
    def __init__(self, statement: Statement) -> None:
        super().__init__(format="A4")
        self._statement = statement
        self._transliterated = not all(map(_has, _words(statement)))
        for style, name in _FONT_FILES.items():
            self.add_font(_FONT, style, _font_file(name))
        self.set_title(plain(statement.title))
        self.set_lang("en")
        self.set_producer(f"fednet {statement.fednet}")
        self.set_creation_date(datetime.fromtimestamp(statement.written_at, UTC))
        self.set_margins(18, 16)
        self.set_auto_page_break(True, 18)
        self.add_page()

    def footer(self) -> None:
        """Number the page and repeat the verdict."""
        self.set_y(-13)
        self._ink((90, 90, 90))
        self.set_font(_FONT, size=8)
        said = self._statement
        line = f"{said.title}: {said.verdict}. {str(said.digest)[:16]}... page {self.page_no()}"
        self.cell(0, 6, plain(line), align="C")

    def head(self) -> None:
        """Write title, verdict and notes."""
        said = self._statement
        self._paragraph(said.title, size=17, style="B")
        self._paragraph(
            f"Chain {said.chain_id}, block {said.block}. Written at {when(said.written_at)} by"
            f" fednet {said.fednet}; every other time is the ledger's."
        )
        self.ln(2)
        self.set_draw_color(*_COLOURS[said.verdict])
        self._ink(_COLOURS[said.verdict])
        self.set_font(_FONT, "B", 13)
        self.multi_cell(0, 8, plain(said.headline), border=1, align="L", padding=3,
                        new_x=XPos.LMARGIN, new_y=YPos.NEXT)  # fmt: skip
        self.set_draw_color(190, 190, 190)
        self.ln(2)
        if self._transliterated:
            self._paragraph(_NOTE, size=8)

    def section(self, section: Section) -> None:
        """Write a heading and what stands below it."""
        if self.will_page_break(_CAPTION_SPACE):
            self.add_page()
        self.ln(4)
        self.start_section(plain(section.title))
        self._paragraph(section.title, size=13, style="B")
        for paragraph in section.paragraphs:
            self._paragraph(paragraph)
        for point in section.points:
            self._paragraph(f"- {point}")
        for table in section.tables:
            self._table(table)

    def signature(self, lines: Sequence[str]) -> None:
        """Say who vouches."""
        self.section(Section(title="Signature", paragraphs=tuple(lines)))

    def _table(self, table: Table) -> None:
        if self.will_page_break(_CAPTION_SPACE):
            self.add_page()
        self.ln(2)
        self._paragraph(table.caption, size=9, style="B")
        self.set_font(_FONT, size=7)
        with self.table(
            col_widths=_widths(table),
            text_align="LEFT",
            line_height=3.6,
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis="BOLD"),
            padding=0.7,
        ) as grid:
            grid.row([plain(column) for column in table.columns])
            for row in table.rows[:MAX_ROWS] or (("none",) + ("",) * (len(table.columns) - 1),):
                grid.row([plain(cell) for cell in row])
        rest = len(table.rows) - MAX_ROWS
        if rest > 0:
            self._paragraph(f"{rest} {_REST}", size=8)

    def _paragraph(self, text: str, size: float = 9.5, style: str = "") -> None:
        self._ink((20, 20, 20))
        self.set_font(_FONT, style, size)
        self.multi_cell(0, size * 0.5, plain(text), align="L",
                        new_x=XPos.LMARGIN, new_y=YPos.NEXT)  # fmt: skip
        self.ln(1.2)

    def _ink(self, colour: tuple[int, int, int]) -> None:
        self.set_text_color(*colour)


def _widths(table: Table) -> tuple[int, ...]:
    """Share the width out by the longest text of each column, within bounds."""
    longest = [len(column) for column in table.columns]
    for row in table.rows:
        longest = [max(known, len(cell)) for known, cell in zip(longest, row, strict=True)]
    return tuple(min(max(length, _NARROW), _WIDE_COLUMN) for length in longest)


def _words(statement: Statement) -> str:
    cells = [
        cell
        for section in statement.sections
        for table in section.tables
        for row in table.rows
        for cell in row
    ]
    return "".join((statement.headline, *cells))


def _has(letter: str) -> bool:
    return letter >= " " and ord(letter) in _letters()


@cache
def _letters() -> frozenset[int]:
    """Collect the code points that both weights of the font can write."""
    known = [TTFont(_font_file(name)).getBestCmap() for name in _FONT_FILES.values()]
    return frozenset(set.intersection(*map(set, known)))


def _font_file(name: str) -> str:
    return str(files("fednet.exports").joinpath("fonts", name))


def _substitute(letter: str) -> str:
    bare = "".join(part for part in unicodedata.normalize("NFKD", letter) if _has(part))
    return bare or f"[U+{ord(letter):04X}]"

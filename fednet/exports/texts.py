"""Make texts of strangers harmless to read, before any format escapes them its own way.

Control characters, marks that turn the writing direction, and invisible ones
are shown by their code points, so that nobody is misled by what does not show.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

MAX_NAME_LENGTH = 120
MAX_TEXT_LENGTH = 600
_MARKDOWN = frozenset("\\`*_{}[]()#+-.!|<>&~$@:/")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LAST_TIME = 253_402_300_799
"""End of the year 9999."""


def clean(text: object, limit: int = MAX_TEXT_LENGTH) -> str:
    """Write a text with everything that does not show made visible, cut to a length."""
    whole = str(text)
    shown = "".join(
        f"[U+{ord(letter):04X}]" if unicodedata.category(letter) in _UNSEEN else letter
        for letter in whole[:limit]
    )
    return f"{shown}... ({len(whole)} characters)" if len(whole) > limit else shown


def name(text: object) -> str:
    """Write the name of an institution."""
    return clean(text, MAX_NAME_LENGTH)


def markdown(text: object, limit: int = MAX_TEXT_LENGTH) -> str:
    """Write a stranger's text so that Markdown and HTML read it as words only."""
    return "".join(f"&#{ord(c)};" if c in _MARKDOWN else c for c in clean(text, limit))


def code(text: object, limit: int = MAX_TEXT_LENGTH) -> str:
    """Write a stranger's text as code that Markdown ends only where we do, in a table, too."""
    inner = clean(text, limit).replace("`", "'").replace("\\", "[U+005C]").replace("|", "[U+007C]")
    return f"`{inner}`" if inner.strip() else "` `"


def when(seconds: int) -> str:
    """Write a time of the ledger for a person; empty if it is not known."""
    if not 0 < seconds <= _LAST_TIME:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def stamp(seconds: int) -> str:
    """Write a time of the ledger in the form of ISO 8601."""
    return datetime.fromtimestamp(min(max(seconds, 0), _LAST_TIME), UTC).strftime(
        "%Y-%m-%dT%H:%M:%S+00:00"
    )

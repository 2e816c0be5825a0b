"""How values are written on a page: whatever a stranger chose can steer nothing.

Everything that comes from the chain or from a blob passes through ``said``:
letters that are invisible or that turn the direction of reading (Unicode
TR 36) are spelled out, long texts are cut in the middle, and the markup
isolates the rest, so that no name can rearrange the line it stands in.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from decimal import Decimal

from markupsafe import Markup, escape

from fednet.blobs.cid import cid_of

SHORT_LETTERS = 48
LONG_LETTERS = 4_096
_DIGEST_BYTES = 32


def visible(text: str) -> str:
    """Spell out every letter that cannot be seen."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else f"[U+{ord(each):04X}]" for each in text)


def cut(text: str, letters: int = SHORT_LETTERS) -> str:
    """Leave out the middle of a long text."""
    if len(text) <= letters:
        return text
    tail = letters // 3
    return f"{text[: letters - tail - 1]}…{text[-tail:]}"


def label(value: object) -> Markup:
    """Write a stranger's text in one short line, for links, cells and headings."""
    text = str(value)
    short = visible(cut(text))
    title = Markup(' title="{}"').format(visible(text[:LONG_LETTERS])) if short != text else ""
    return Markup('<bdi class="said"{}>{}</bdi>').format(title, short)


def said(value: object) -> Markup:
    """Write a stranger's text with its whole length at hand, without a script."""
    text = str(value)
    if len(text) <= 2 * SHORT_LETTERS:
        return Markup('<bdi class="said">{}</bdi>').format(visible(text))
    rest = len(text) - LONG_LETTERS
    more = Markup(" <em>and {} more letters</em>").format(f"{rest:,}") if rest > 0 else ""
    return Markup(
        '<details class="long"><summary><bdi class="said">{}</bdi></summary>'
        '<bdi class="said">{}</bdi>{}</details>'
    ).format(visible(cut(text)), visible(text[:LONG_LETTERS]), more)


def digest(value: bytes | str | None, *, copy: bool = True) -> Markup:
    """Write a commitment: cut for the eye, whole for copying, printing and reading aloud."""
    if not value:
        return Markup('<span class="none">none</span>')
    text = value.hex() if isinstance(value, bytes) else str(value)
    return hashed(text, copy=copy)


def hashed(text: str, *, copy: bool = True) -> Markup:
    """Write any long name, such as an address or a CID, as ``digest`` does."""
    offer = Markup(' data-copy="{}"').format(text) if copy else ""
    return Markup(
        '<span class="hash"{}><code class="cut" aria-hidden="true">{}</code>'
        '<code class="whole">{}</code></span>'
    ).format(offer, f"{text[:8]}…{text[-4:]}" if len(text) > 14 else text, text)


def cid(value: bytes | None) -> Markup:
    """Write a locator as IPFS does."""
    if not value or len(value) != _DIGEST_BYTES or not any(value):
        return Markup('<span class="none">none</span>')
    return hashed(cid_of(value))


def when(seconds: int | float | None) -> Markup:
    """Write a block's time."""
    if not seconds:
        return Markup('<span class="none">never</span>')
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return Markup("<span>{} s</span>").format(seconds)
    return Markup('<time datetime="{}">{}</time>').format(
        moment.isoformat().replace("+00:00", "Z"), moment.strftime("%Y-%m-%d %H:%M:%S")
    )


def lasting(seconds: int | float) -> str:
    """Write a length of time in at most two units."""
    left, parts = int(seconds), []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if left >= size:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts[:2]) or "0 s"


def number(value: float) -> str:
    """Write a number with thin spaces between thousands."""
    return f"{value:,}".replace(",", "\u202f")


def decimal(value: Decimal) -> str:
    """Write a decimal number in full, without an exponent."""
    return f"{value.normalize():f}"


def size(value: int) -> str:
    """Write a number of bytes in decimal units."""
    scaled = float(value)
    for unit in ("bytes", "kB", "MB", "GB"):
        if scaled < 1_000 or unit == "GB":
            break
        scaled /= 1_000
    return f"{scaled:.0f} {unit}" if unit == "bytes" else f"{scaled:.1f} {unit}"


def word(value: object) -> str:
    """Write an enumeration's member, or a set of flags, in small letters."""
    if isinstance(value, enum.Flag):
        names = [each.name.lower() for each in type(value) if each in value and each.name]
        return ", ".join(names) or "none"
    if isinstance(value, enum.Enum):
        return value.name.lower()
    return str(value).replace("_", " ")


def words(name: str) -> str:
    """Write a class's name as words: ``UpdateSubmitted`` becomes ``update submitted``."""
    return "".join(f" {each.lower()}" if each.isupper() else each for each in name).strip()


FILTERS = {
    "cid": cid,
    "cut": cut,
    "decimal": decimal,
    "digest": digest,
    "hashed": hashed,
    "label": label,
    "lasting": lasting,
    "number": number,
    "said": said,
    "size": size,
    "visible": visible,
    "when": when,
    "word": word,
    "words": words,
}

__all__ = ["FILTERS", "Markup", "cut", "digest", "escape", "label", "said", "visible"]

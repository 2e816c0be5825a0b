"""Draw a lineage as SVG: the model's way down the middle, what went into each round beside it.

Pure and deterministic. Colours follow the reader's light or dark scheme; every
mark has a text, so that nothing is told by colour alone. Scalable Vector
Graphics 2, https://www.w3.org/TR/SVG2/; names from the chain are escaped and
held short, and what XML cannot carry is replaced.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from html import escape

from fednet.provenance.rows import Lineage, LineageStep, LineageUpdate

Link = Callable[[str, str], str | None]
"""Address of the page about a thing: its kind (state, model, update, round) and its name."""
_WIDTH = 960
_MARGIN = 24
_MODEL_X, _MODEL_WIDTH = 24, 250
_SITE_X, _SITE_WIDTH, _SITE_GAP = 330, 140, 10
_PER_LINE = 4
_BOX, _LINE, _ROUND_GAP = 46, 34, 26
_MOST_DRAWN = 12
"""Sites that a round is drawn with one by one; more are told in groups."""
_MOST_LETTERS = 20
_SHORT = 12
_STYLE = """
svg{--ink:#1c2430;--faint:#5b6675;--line:#b9c2cd;--paper:#fff;--model:#e8eef7;--site:#f3f5f2;
--out:#fbeeea;--mark:#8c2f1b;font:13px system-ui,sans-serif}
@media (prefers-color-scheme:dark){svg{--ink:#e6eaf0;--faint:#a3aebb;--line:#4a5665;
--paper:#12161c;--model:#1d2a3d;--site:#1e2622;--out:#3a211b;--mark:#f0a38f}}
.paper{fill:var(--paper)}text{fill:var(--ink)}.faint{fill:var(--faint);font-size:11px}
.code{font-family:ui-monospace,monospace;font-size:11px}.way{stroke:var(--line);fill:none;
stroke-width:1.5}.model{fill:var(--model);stroke:var(--line)}.site{fill:var(--site);
stroke:var(--line)}.out{fill:var(--out);stroke:var(--mark);stroke-dasharray:4 3}
a text{text-decoration:underline}a:focus{outline:2px solid var(--mark)}
"""


def draw(lineage: Lineage, link: Link | None = None) -> str:
    """Draw a lineage, newest round first, the initial model last.

    Args:
        lineage: What to draw.
        link: Names the page about a thing; where it names none, nothing is linked.

    Returns:
        A complete SVG document that asks for nothing from outside.
    """
    pen = _Pen(lineage, link or (lambda kind, name: None))
    body: list[str] = []
    top = _MARGIN + 44
    for step in lineage.steps:
        body.append(pen.step(step, top))
        top += pen.height(step)
    body.append(pen.initial(top))
    height = top + _BOX + _MARGIN
    count = len(lineage.steps)
    told = f"{count} round{'' if count == 1 else 's'} of run {lineage.run}"
    of = "" if lineage.cluster is None else f", cluster {lineage.cluster}"
    title = f"Lineage of {lineage.subject}{of}"
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" aria-labelledby="lineage-title lineage-desc">',
            f'<title id="lineage-title">{_safe(title)}</title>',
            f'<desc id="lineage-desc">{_safe(_described(lineage, told))}</desc>',
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
            _text(_MARGIN, _MARGIN + 8, f"Model {str(lineage.subject)[:_SHORT]}{of}: {told}"),
            _text(_MARGIN, _MARGIN + 26, f"plan {lineage.plan}", "code faint"),
            *body,
            "</svg>\n",
        )
    )


class _Pen:
    """Draw the parts of one lineage."""

    def __init__(self, lineage: Lineage, link: Link) -> None:
        self._lineage, self._link = lineage, link

    def height(self, step: LineageStep) -> int:
        """Return how far below the next round stands, in pixels."""
        return max(_BOX, len(self._rows(step)) * _LINE) + _ROUND_GAP

    def step(self, step: LineageStep, top: int) -> str:
        """Draw a round: its state, the way to the state before, its updates."""
        below = top + self.height(step)
        middle = _MODEL_X + _MODEL_WIDTH // 2
        name = str(step.state)
        standing = "final" if step.final else "not final"
        label = f"Round {step.round}, {standing}"
        parts = [
            f'<path class="way" d="M{middle} {top + _BOX}V{below}"/>',
            self._linked("state", name, self._model_box(top, label, name)),
        ]
        for line, row in enumerate(self._rows(step)):
            at = top + line * _LINE
            bend = at + _LINE // 2 - 3
            start = _MODEL_X + _MODEL_WIDTH
            parts.append(f'<path class="way" d="M{start} {top + _BOX // 2}L{_SITE_X} {bend}"/>')
            for place, (kind, key, text, hint, style) in enumerate(row):
                left = _SITE_X + place * (_SITE_WIDTH + _SITE_GAP)
                box = _box(left, at, _SITE_WIDTH, _LINE - 6, style, text, hint)
                parts.append(self._linked(kind, key, box))
        described = _safe(f"{label}: {_counted(step.updates)}; proposed by site {step.proposer}")
        return f'<g role="group" aria-label="{described}">' + "\n".join(parts) + "</g>"

    def initial(self, top: int) -> str:
        """Draw the initial model."""
        name = str(self._lineage.initial_model)
        return self._linked("model", name, self._model_box(top, "Initial model", name))

    def _model_box(self, top: int, label: str, name: str) -> str:
        return (
            f'<rect class="model" x="{_MODEL_X}" y="{top}" width="{_MODEL_WIDTH}" '
            f'height="{_BOX}" rx="4"><title>{_safe(name)}</title></rect>'
            + _text(_MODEL_X + 12, top + 19, label)
            + _text(_MODEL_X + 12, top + 36, name[:24], "code faint")
        )

    def _rows(self, step: LineageStep) -> list[list[tuple[str, str, str, str, str]]]:
        cells = [self._cell(update) for update in step.updates]
        if len(cells) > _MOST_DRAWN:
            place = f"{self._lineage.run}/{step.round}"
            cells = [
                ("round", place, f"{len(group)} {verdict}", _sites(group), _style(verdict))
                for verdict, group in _groups(step.updates)
            ]
        return [cells[at : at + _PER_LINE] for at in range(0, len(cells), _PER_LINE)]

    def _cell(self, update: LineageUpdate) -> tuple[str, str, str, str, str]:
        name = self._lineage.names.get(update.site, "")
        hint = f"site {update.site} {name}: {update.verdict}, {update.weight} examples, "
        hint += f"update {update.commitment}"
        if update.grant is not None:
            hint += f", grant {update.grant}, dataset {update.dataset}"
        text = f"{update.site} {name}".strip()
        if update.cluster is not None:
            hint += f", into the model of cluster {update.cluster}"
            text = f"{update.cluster}: {text}"
        text = text if update.verdict == "included" else f"{update.verdict}: {text}"
        return "update", str(update.commitment), text, hint, _style(update.verdict)

    def _linked(self, kind: str, name: str, drawn: str) -> str:
        address = self._link(kind, name)
        return drawn if address is None else f'<a href="{_safe(address, 2_000)}">{drawn}</a>'


def _style(verdict: str) -> str:
    return "site" if verdict == "included" else "out"


def _groups(updates: Sequence[LineageUpdate]) -> list[tuple[str, list[LineageUpdate]]]:
    order = ("included", "invalid", "unavailable", "unreadable")
    found = [(each, [one for one in updates if one.verdict == each]) for each in order]
    return [(verdict, group) for verdict, group in found if group]


def _sites(group: Sequence[LineageUpdate]) -> str:
    listed = ", ".join(str(update.site) for update in group)
    return f"{sum(update.weight for update in group)} examples of sites {listed}"


def _counted(updates: Sequence[LineageUpdate]) -> str:
    counts = Counter(update.verdict for update in updates)
    return ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())) or "nothing"


def _described(lineage: Lineage, told: str) -> str:
    sites = {update.site for step in lineage.steps for update in step.updates}
    return (
        f"{told}, from the newest state down to the initial model {lineage.initial_model}; "
        f"updates of {len(sites)} sites under the plan {lineage.plan}."
    )


def _box(left: int, top: int, width: int, height: int, style: str, text: str, hint: str) -> str:
    shown = text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 1] + "…"
    return (
        f'<rect class="{style}" x="{left}" y="{top}" width="{width}" height="{height}" rx="3">'
        f"<title>{_safe(hint)}</title></rect>" + _text(left + 8, top + 18, shown)
    )


def _text(left: int, base: int, text: str, style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text x="{left}" y="{base}"{kind}>{_safe(text)}</text>'


def _safe(text: str, most: int = 1_000) -> str:
    """Escape, with control and format characters (right-to-left marks among them) replaced."""
    held = "".join("?" if unicodedata.category(each)[0] == "C" else each for each in text[:most])
    return escape(held, quote=True)

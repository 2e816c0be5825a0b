"""Drawings as inline SVG: no script, no style of their own, colours by the page's classes.

Every drawing carries a title for readers who do not see it, every mark one
for the pointer, and what differs in colour differs in shape or hatching too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fednet.explorer.writing import cut, visible

MAX_BARS = 120
_WIDTH, _LEFT, _RIGHT, _TOP = 720, 40, 8, 10
_HALF = 440
"""Width of a drawing that shares its line with another."""
_HATCH = Markup(
    '<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)"><rect width="5" height="5" class="paper"/>'
    '<rect width="2" height="5" class="missing"/></pattern></defs>'
)


@dataclass(frozen=True, slots=True)
class Turnout:
    """What became of a round's cohort, in numbers of sites."""

    round: int
    included: int
    left_out: int
    """Submitted, and excluded by the proposal."""
    absent: int
    """Of the frozen cohort, and never submitted."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What sites measured of a run's models; every point is (round, value), rounds ascending."""

    name: str
    pooled: Sequence[tuple[int, float]]
    """Mean over examples; at least one."""
    sites: Mapping[int, Sequence[tuple[int, float]]]
    best_round: int
    target: float | None
    lowest: float
    """Bottom of the drawing; values beyond it are drawn on its edge."""
    highest: float


@dataclass(frozen=True, slots=True)
class Mark:
    """One act on a time line."""

    lane: str
    place: int
    """Rank among the acts' blocks: a round's hours of waiting would press its acts into a blot."""
    shape: str
    """``submitted``, ``closed``, ``proposed``, ``attested``, ``objected`` or ``final``."""
    title: str


def participation(rounds: Sequence[Turnout]) -> Markup:
    """Draw one bar for each of the latest rounds: included, left out, absent."""
    shown = rounds[-MAX_BARS:]
    if not shown:
        return Markup("")
    top = max(1, *(each.included + each.left_out + each.absent for each in shown))
    height, inner = 150, _WIDTH - _LEFT - _RIGHT
    base = height - 22
    unit = (base - _TOP) / top
    step = inner / max(len(shown), 12)
    width = max(1.0, step * 0.72)
    parts = [_HATCH, _axis(top, base, unit)]
    every = max(1, -(-len(shown) // 15))
    for at, each in enumerate(shown):
        left, floor = _LEFT + at * step + (step - width) / 2, float(base)
        title = (
            f"round {each.round}: {each.included} included,"
            f" {each.left_out} left out, {each.absent} absent"
        )
        bars = []
        for count, look in (
            (each.included, Markup('class="included"')),
            (each.left_out, Markup('class="left-out" fill="url(#hatch)"')),
            (each.absent, Markup('class="absent"')),
        ):
            if count:
                tall = count * unit
                floor -= tall
                bars.append(
                    Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" ').format(
                        left, floor, width, tall
                    )
                    + look
                    + Markup("/>")
                )
        parts.append(Markup("<g><title>{}</title>{}</g>").format(title, Markup("").join(bars)))
        if at % every == 0:
            parts.append(_text(left + width / 2, height - 6, str(each.round), "middle"))
    span = f"rounds {shown[0].round} to {shown[-1].round}"
    name = f"Sites by round, {span}: included, left out, absent"
    return _svg("participation", name, height, parts)


def line(name: str, points: Sequence[tuple[int, float]]) -> Markup:
    """Draw a value that grows with the rounds, as steps.

    Args:
        name: What is drawn, for readers who do not see it.
        points: (round, value), ascending by round, values not negative.
    """
    shown = points[-2_000:]
    if not shown:
        return Markup("")
    top = max(1.0, *(value for _, value in shown))
    height, inner = 130, _HALF - _LEFT - _RIGHT
    base = height - 22
    unit = (base - _TOP) / top
    first, last = shown[0][0], shown[-1][0]
    across = inner / max(1, last - first + 1)
    path = f"M{_LEFT:.1f} {base:.1f}"
    for number, value in shown:
        x, y = _LEFT + (number - first) * across, base - value * unit
        path += f"V{y:.1f}H{x + across:.1f}"
    parts = [_axis(top, base, unit, _HALF), Markup('<path class="curve" d="{}"/>').format(path)]
    labelled = [shown[0], shown[-1]] if len(shown) > 1 else [shown[0]]
    parts += [
        _text(_LEFT + (number - first + 0.5) * across, height - 6, str(number), "middle")
        for number, _ in labelled
    ]
    return _svg("curve", name, height, parts, _HALF)


def metric(said: Metric) -> Markup:
    """Draw a metric by round: the mean as a thick line with dots, each site as a thin one."""
    height, inner = 190, _WIDTH - _LEFT - _RIGHT
    base, low = height - 22, said.lowest
    span = said.highest - low or 1.0
    first, last = said.pooled[0][0], said.pooled[-1][0]
    across = inner / max(1, last - first)

    def place(number: int, value: float) -> tuple[float, float]:
        share_of_span = min(1.0, max(0.0, (value - low) / span))
        return _LEFT + (number - first) * across, base - share_of_span * (base - _TOP)

    def path(points: Sequence[tuple[int, float]]) -> str:
        return "M" + "L".join("{:.1f} {:.1f}".format(*place(*point)) for point in points)

    parts = []
    for share_of_axis in (0.0, 0.5, 1.0):
        value = low + share_of_axis * span
        y = place(first, value)[1]
        parts.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
                _LEFT, _WIDTH - _RIGHT, y, y
            )
        )
        parts.append(_text(_LEFT - 6, y + 4, f"{value:.3g}", "end"))
    if said.target is not None:
        y = place(first, said.target)[1]
        parts.append(
            Markup(
                '<line class="target" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}">'
                "<title>target {:g}</title></line>"
            ).format(_LEFT, _WIDTH - _RIGHT, y, y, said.target)
        )
    parts += [
        Markup('<path class="thin" d="{}"><title>site {}</title></path>').format(path(own), site)
        for site, own in said.sites.items()
        if own
    ]
    parts.append(Markup('<path class="curve" d="{}"/>').format(path(said.pooled)))
    for number, value in said.pooled:
        x, y = place(number, value)
        is_best = number == said.best_round
        after = f"after round {number}" if number else "at the start"
        parts.append(
            Markup(
                '<circle class="dot{}" cx="{:.1f}" cy="{:.1f}" r="{}"><title>{}</title></circle>'
            ).format(
                " best" if is_best else "",
                x,
                y,
                5 if is_best else 2.4,
                f"{value:g} {after}" + (", the best" if is_best else ""),
            )
        )
    ends = [first, last] if last > first else [first]
    parts += [_text(place(number, low)[0], height - 6, str(number), "middle") for number in ends]
    return _svg("metric", f"{said.name}, rounds {first} to {last}", height, parts)


def timeline(name: str, lanes: Sequence[str], marks: Iterable[Mark], lasted: str) -> Markup:
    """Draw in what order actors acted: one lane for each, blocks from left to right.

    Args:
        name: What is drawn, for readers who do not see it.
        lanes: Actors from top to bottom.
        marks: Their acts.
        lasted: Time from the first act to the last one, in words.
    """
    marks = list(marks)
    left, high = 130, 22
    height = _TOP + high * len(lanes) + 24
    across = (_WIDTH - left - 24) / max([1, *(each.place for each in marks)])
    parts = []
    for at, lane in enumerate(lanes):
        y = _TOP + at * high + high / 2
        parts.append(_text(left - 10, y + 4, visible(cut(lane, 18)), "end"))
        parts.append(
            Markup('<line class="lane" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
                left, _WIDTH - 8, y, y
            )
        )
    rows = {lane: _TOP + at * high + high / 2 for at, lane in enumerate(lanes)}
    for each in marks:
        if each.lane in rows:
            parts.append(_mark(each, left + 8 + each.place * across, rows[each.lane]))
    end = height - 6
    parts += [_text(left, end, "first act", "start"), _text(_WIDTH - 8, end, lasted, "end")]
    return _svg("timeline", name, height, parts)


def share(part: float, whole: float) -> Markup:
    """Draw a share as a small bar beside its number."""
    wide = 60 * min(1.0, part / whole) if whole > 0 else 0.0
    return Markup(
        '<svg class="share" viewBox="0 0 60 8" width="60" height="8" aria-hidden="true"'
        ' focusable="false"><rect class="track" width="60" height="8"/>'
        '<rect class="included" width="{:.1f}" height="8"/></svg>'
    ).format(wide)


_SHAPES = {
    "submitted": Markup('<circle cx="0" cy="0" r="4.5" class="mark"/>'),
    "closed": Markup('<path d="M-1 -7H1V7H-1Z" class="mark quiet"/>'),
    "proposed": Markup('<path d="M0 -6.5L6.5 0L0 6.5L-6.5 0Z" class="mark strong"/>'),
    "attested": Markup('<path d="M-5 0L-1.5 4L5 -4.5" class="stroke good"/>'),
    "objected": Markup('<path d="M-4.5 -4.5L4.5 4.5M-4.5 4.5L4.5 -4.5" class="stroke bad"/>'),
    "final": Markup('<path d="M-5 -5H5V5H-5Z" class="mark strong"/>'),
}


def symbol(shape: str) -> Markup:
    """Draw a mark by itself, for a legend."""
    return Markup(
        '<svg class="symbol" viewBox="-8 -8 16 16" width="14" height="14" aria-hidden="true"'
        ' focusable="false">{}</svg>'
    ).format(_SHAPES[shape])


def _mark(each: Mark, x: float, y: float) -> Markup:
    return Markup('<g transform="translate({:.1f} {:.1f})"><title>{}</title>{}</g>').format(
        x, y, visible(each.title), _SHAPES[each.shape]
    )


def _axis(top: float, base: float, unit: float, width: int = _WIDTH) -> Markup:
    parts = []
    for value in sorted({0, round(top / 2), round(top)}):
        y = base - value * unit
        parts.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
                _LEFT, width - _RIGHT, y, y
            )
        )
        parts.append(_text(_LEFT - 6, y + 4, f"{value:,}".replace(",", "\u202f"), "end"))
    return Markup("").join(parts)


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        x, y, anchor, text
    )


def _svg(
    look: str, name: str, height: float, parts: Iterable[Markup], width: int = _WIDTH
) -> Markup:
    return Markup(
        '<svg class="plot {}" role="img" aria-label="{}" viewBox="0 0 {} {:.0f}">'
        "<title>{}</title>{}</svg>"
    ).format(look, name, width, height, name, Markup("").join(parts))

"""Draw what several variants reached, round by round, as a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fednet.errors import SettingsError
from fednet.simulation.comparison import Outcome

_STYLES = ("-", "--", "-.", ":")
_WIDTH_INCHES, _HEIGHT_INCHES, _DOTS_PER_INCH = 8.0, 4.5, 150


def draw_curves(outcomes: Sequence[Outcome], title: str, path: Path) -> None:
    """Write one line for each outcome; lines differ in colour and in dashes.

    Raises:
        SettingsError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as exc:
        raise SettingsError(
            "curves need matplotlib", actual=exc, hint='pip install "fednet[simulate]"'
        ) from exc
    figure = Figure(figsize=(_WIDTH_INCHES, _HEIGHT_INCHES), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, outcome in enumerate(outcomes):
        rounds = range(1, len(outcome.series) + 1)
        style = _STYLES[number // 10 % len(_STYLES)]
        axes.plot(rounds, outcome.series, style, marker=".", label=outcome.name)
    axes.set(title=title, xlabel="round", ylabel=outcomes[0].metric if outcomes else "")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, alpha=0.3)
    if outcomes:
        axes.legend(loc="best", fontsize="small")
    try:
        figure.savefig(path, dpi=_DOTS_PER_INCH)
    except OSError as exc:
        raise SettingsError("cannot write", subject=str(path), actual=exc.strerror) from exc

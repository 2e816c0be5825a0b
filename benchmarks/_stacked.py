"""Each rule as one would write it in NumPy at first: on one stacked array, a row an update."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fednet.domain.tensors import FloatArray

STEPS = 8
"""Of the geometric median."""
CLIPPINGS = 3
NORM = 3_000.0
"""Where norms are bounded; about two thirds of an update's of ten million elements."""


def hostile_among(updates: int) -> int:
    """Return how many hostile updates rules reckon with: few enough for every rule."""
    return updates // 5


def median(stacked: FloatArray) -> FloatArray:
    """Take the median of each column."""
    middle: FloatArray = np.median(stacked, axis=0)
    return middle


def trimmed_mean(stacked: FloatArray) -> FloatArray:
    """Sort each column and average the middle."""
    trim = hostile_among(len(stacked))
    middle: FloatArray = np.sort(stacked, axis=0)[trim : len(stacked) - trim].mean(axis=0)
    return middle


def krum(stacked: FloatArray) -> FloatArray:
    """Take the row with the nearest neighbours."""
    chosen: FloatArray = stacked[_scores(_squares(stacked)).argmin()]
    return chosen


def multi_krum(stacked: FloatArray) -> FloatArray:
    """Average the rows with the nearest neighbours."""
    keep = len(stacked) - hostile_among(len(stacked)) - 2
    middle: FloatArray = stacked[_scores(_squares(stacked)).argsort()[:keep]].mean(axis=0)
    return middle


def bulyan(stacked: FloatArray) -> FloatArray:
    """Choose rows by Krum, then average what is nearest to each column's median."""
    count, hostile = len(stacked), hostile_among(len(stacked))
    squares, left = _squares(stacked), list(range(count))
    chosen: list[int] = []
    while len(chosen) < count - 2 * hostile:
        chosen.append(left.pop(int(_scores(squares[np.ix_(left, left)], hostile).argmin())))
    stacked = stacked[chosen]
    away = np.abs(stacked - np.median(stacked, axis=0))
    nearest = np.argsort(away, axis=0)[: count - 4 * hostile]
    middle: FloatArray = np.take_along_axis(stacked, nearest, axis=0).mean(axis=0)
    return middle


def geometric_median(stacked: FloatArray) -> FloatArray:
    """Take steps of Weiszfeld on vectors."""
    centre: FloatArray = stacked.mean(axis=0)
    for _ in range(STEPS):
        weights = 1 / np.maximum(np.linalg.norm(stacked - centre, axis=1), 1e-6)
        centre = np.matmul((weights / weights.sum()).astype(np.float32), stacked)
    return centre


def norm_bounding(stacked: FloatArray) -> FloatArray:
    """Cut rows to a norm and average them."""
    shares = np.minimum(1, NORM / np.linalg.norm(stacked, axis=1))
    middle: FloatArray = (stacked * shares[:, None]).mean(axis=0)
    return middle


def centred_clipping(stacked: FloatArray) -> FloatArray:
    """Step towards the rows, none of which pulls too far."""
    centre: FloatArray = np.zeros_like(stacked[0])
    for _ in range(CLIPPINGS):
        away = stacked - centre
        shares = np.minimum(1, NORM / np.linalg.norm(away, axis=1))
        centre = centre + (away * shares[:, None]).mean(axis=0)
    return centre


def _squares(stacked: FloatArray) -> npt.NDArray[np.float64]:
    count = len(stacked)
    squares = np.zeros((count, count))
    for one in range(count):
        for other in range(one + 1, count):
            squares[one, other] = np.linalg.norm(stacked[one] - stacked[other]) ** 2
            squares[other, one] = squares[one, other]
    return squares


def _scores(squares: npt.NDArray[np.float64], hostile: int | None = None) -> FloatArray:
    count = len(squares)
    near = max(1, count - (hostile_among(count) if hostile is None else hostile) - 2)
    scores: FloatArray = np.sort(squares, axis=1)[:, 1 : near + 1].sum(axis=1)
    return scores


STACKED: dict[str, Callable[[FloatArray], FloatArray]] = {
    "median": median,
    "trimmed-mean": trimmed_mean,
    "krum": krum,
    "multi-krum": multi_krum,
    "bulyan": bulyan,
    "geometric-median": geometric_median,
    "norm-bounding": norm_bounding,
    "centred-clipping": centred_clipping,
}

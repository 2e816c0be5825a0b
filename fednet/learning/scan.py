"""Look for single records in an update: stretches of it that point where one row of the data does.

A first layer's gradient is a sum of rows, each weighted by its example's error;
where one example stands alone in it, its row can be read off (Zhu et al., 2019,
https://arxiv.org/abs/1906.08935; Geiping et al., 2020,
https://arxiv.org/abs/2003.14053). Likeness is the cosine between a stretch of the
update and a row, measured where the data spreads alike in all directions
(whitened by its second moments), so that what all rows have in common counts
for little. How like two things are by chance is told by rows that nobody has:
the data's own with each column shuffled.

Honest training betrays records, too: a hidden unit that is active for one example
has that example's row for its change, however small. No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fednet.domain.tensors import FloatArray
from fednet.learning.values import Likeness

Wide = npt.NDArray[np.float64]

RIDGE = 1e-2
"""Added to each second moment, as a share of their mean: directions without spread say little."""
MOST_WORK = 1 << 37
"""Multiplications after which further stretches are left out."""
_BLOCK_ELEMENTS = 1 << 20
_TAIL_SHARE = 0.02
_LEAST_TAIL = 20
_TINY = 1e-12


def scan(
    rows: FloatArray, tensors: Mapping[str, FloatArray], seed: int, least_weight: float = 0.0
) -> Likeness:
    """Compare every stretch of an update that is as long as a row with every row.

    Stretches that begin where a row of a weight matrix does come first, then all
    others, until the work is done or too much.

    Args:
        rows: Records, (n, d), finite.
        tensors: The update.
        seed: Of the shuffling.
        least_weight: Stretches count from this share of their tensor's typical length on,
            in the update's own units; with 0 all do that are not zero.
    """
    found = _Comparison(rows, seed, least_weight)
    for name in sorted(tensors):
        found.take_rows(tensors[name])
    for name in sorted(tensors):
        found.take_stretches(tensors[name].reshape(-1))
    return found.result()


class _Comparison:
    """Keep the best match of each row, and of each shuffled one."""

    def __init__(self, rows: FloatArray, seed: int, least_weight: float) -> None:
        self._least_weight = least_weight
        wide = np.asarray(rows, np.float64).reshape(len(rows), -1)
        # A column's scale is a matter of units.
        self._scale = np.sqrt(np.mean(wide * wide, axis=0))
        self._scale[self._scale == 0] = 1.0
        wide = wide / self._scale
        self._d = wide.shape[1]
        moments = wide.T @ wide / len(wide)
        moments[np.diag_indices(self._d)] += RIDGE * max(np.trace(moments) / self._d, _TINY)
        self._metric: Wide = np.linalg.inv(moments)
        draw = np.random.default_rng(seed)
        shuffled = draw.permuted(wide, axis=0)
        self._real, self._made = (self._directions(each) for each in (wide, shuffled))
        self._best = np.zeros(self._real.shape[1])
        self._best_made = np.zeros(self._made.shape[1])
        self._influence = 0.0
        self._stretches = 0
        self._left_out = 0
        self._work = 0

    def _directions(self, rows: Wide) -> Wide:
        """Return M x / |x| by column, so that a stretch u has the cosine u . that / |u|."""
        applied = rows @ self._metric
        lengths = np.sqrt(np.maximum(np.einsum("ij,ij->i", rows, applied), 0.0))
        kept = lengths > _TINY
        return np.ascontiguousarray((applied[kept] / lengths[kept, None]).T)

    def take_rows(self, tensor: FloatArray) -> None:
        """Compare the rows and the columns of a matrix that are as long as a record."""
        if tensor.ndim < 2:
            return
        flat = tensor.reshape(tensor.shape[0], -1)
        for matrix in (flat, flat.T):
            if matrix.shape[1] == self._d:
                self._influence = max(self._influence, self._explained(matrix))
                self._compare(matrix, _root_mean_square(flat))

    def take_stretches(self, flat: FloatArray) -> None:
        """Compare every stretch of a vector, wherever it begins."""
        if len(flat) < self._d:
            return
        windows = np.lib.stride_tricks.sliding_window_view(flat, self._d)
        self._compare(windows, _root_mean_square(flat))

    def _compare(self, stretches: npt.NDArray[Any], typical: float) -> None:
        """Compare stretches, given the typical size of a value of their tensor."""
        least = self._least_weight * typical * self._d**0.5
        height = max(1, _BLOCK_ELEMENTS // max(self._d, self._real.shape[1], 1))
        for start in range(0, len(stretches), height):
            block = stretches[start : start + height]
            self._work += len(block) * self._d * (self._d + 2 * self._real.shape[1])
            if self._work > MOST_WORK:
                self._left_out += len(stretches) - start
                return
            self._stretches += len(block)
            unit = self._units(block, least)
            if len(unit):
                self._best = np.maximum(self._best, np.abs(unit @ self._real).max(axis=0))
                self._best_made = np.maximum(self._best_made, np.abs(unit @ self._made).max(axis=0))

    def _units(self, block: npt.NDArray[Any], least: float) -> Wide:
        """Bring stretches to the data's scale and to unit length; drop those that are too short."""
        wide = np.asarray(block, np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", wide, wide))
        kept = (lengths > 0) & (lengths >= least)
        wide = wide[kept] / self._scale
        wide /= np.abs(wide).max(axis=1, keepdims=True, initial=0.0)
        lengths = np.sqrt(np.maximum(np.einsum("ij,ij->i", wide @ self._metric, wide), _TINY))
        unit: Wide = wide / lengths[:, None]
        return unit

    def _explained(self, matrix: npt.NDArray[Any]) -> float:
        wide = np.asarray(matrix, np.float64) / self._scale
        total = float(np.einsum("ij,ij->", wide @ self._metric, wide))
        if total <= 0 or not self._real.size:
            return 0.0
        return float(((wide @ self._real) ** 2).sum(axis=0).max() / total)

    def result(self) -> Likeness:
        """Sum up."""
        likeness = float(min(self._best.max(initial=0.0), 1.0))
        return Likeness(
            likeness,
            chance_of(likeness, self._best_made, len(self._best)),
            float(min(self._best_made.max(initial=0.0), 1.0)),
            min(self._influence, 1.0),
            self._stretches,
            self._left_out,
        )


def _root_mean_square(values: npt.NDArray[Any]) -> float:
    flat = values.reshape(-1)
    total = sum(
        float(np.square(flat[start : start + _BLOCK_ELEMENTS], dtype=np.float64).sum())
        for start in range(0, flat.size, _BLOCK_ELEMENTS)
    )
    return float(np.sqrt(total / max(flat.size, 1)))


def chance_of(likeness: float, made: Wide | Sequence[float], rows: int) -> float:
    """Return how likely one of so many made-up rows comes as close, by the tail of those there are.

    Between directions drawn at random, -log(1 - cosine^2) has an exponential
    tail; its rate is taken from the closest of the made-up rows (the peaks over a
    threshold, Pickands, 1975, https://doi.org/10.1214/aos/1176343003).
    """
    if not len(made) or not rows:
        return 1.0
    peaks = np.sort(_peak(np.asarray(made, np.float64)))
    count = min(len(peaks) - 1, max(_LEAST_TAIL, int(_TAIL_SHARE * len(peaks))))
    if count < 1:
        return 1.0
    threshold = peaks[-count - 1]
    rate = float(np.mean(peaks[-count:] - threshold))
    above = float(_peak(np.asarray(likeness))) - threshold
    if above <= 0 or rate <= 0:
        return 1.0
    share = count / len(peaks) * np.exp(-above / rate)
    return float(-np.expm1(rows * np.log1p(-min(share, 1.0 - _TINY))))


def _peak(cosine: Wide) -> Wide:
    return np.asarray(-np.log(np.maximum(1.0 - cosine * cosine, _TINY)))

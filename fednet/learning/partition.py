"""Split the bundled records into sites that differ, as real hospitals do; no torch.

`hospitals` deals the breast-cancer records in unequal shares, with unequal
rates of malignancy and masses of different size (roughly in order of
perimeter), so that no hospital alone has seen what the others see. `even`
deals either data set at random in equal shares; `dirichlet` deals each class in
shares of its own, as Hsu et al., 2019, https://arxiv.org/abs/1909.06335. One
test set with the class rates of the whole, or drawn at random, stays apart.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

_FILES = {"breast-cancer": "breast_cancer.csv", "digits": "digits.csv.gz"}
_ORDER_COLUMN = "mean_perimeter"
_LABEL_COLUMN = "malignant"
_LABELS = {"breast-cancer": _LABEL_COLUMN, "digits": "digit"}
_ORDER_NOISE = 20.0
"""Standard deviation in the column's unit: the larger, the more alike the hospitals."""
_LOWEST_RATE, _HIGHEST_RATE = 0.15, 0.75

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Split:
    """Hold the records of several sites as lines of CSV, values untouched."""

    header: str
    sites: tuple[tuple[str, ...], ...]
    held_out: tuple[str, ...]

    def write(self, folder: Path) -> tuple[tuple[Path, ...], Path]:
        """Write ``site-1.csv`` and so on, and ``held-out.csv``; return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number, lines in enumerate(self.sites, start=1):
            paths.append(folder / f"site-{number}.csv")
            _write(paths[-1], self.header, lines)
        _write(folder / "held-out.csv", self.header, self.held_out)
        return tuple(paths), folder / "held-out.csv"


def hospitals(count: int = 4, seed: int = 0, held_out_share: float = 0.3) -> Split:
    """Deal the 569 breast-cancer records to unlike hospitals, largest first.

    Hospital *i* of *k*, counted from 0, gets a share in proportion to *k - i*,
    and a rate of malignancy that rises from the first to the last.

    Raises:
        ValueError: Not between 2 and 20 hospitals, or a share outside (0, 1).
    """
    if not 2 <= count <= 20 or not 0 < held_out_share < 1:
        raise ValueError("2 to 20 hospitals, and a held-out share between 0 and 1")
    header, *body = bundled_csv("breast-cancer").splitlines()
    names = header.split(",")
    values = np.array([line.split(",") for line in body], dtype=np.float64)
    size = values[:, names.index(_ORDER_COLUMN)]
    malignant = values[:, names.index(_LABEL_COLUMN)] == 1
    draw = np.random.default_rng(seed)
    shares = np.arange(count, 0, -1, dtype=np.float64)
    rates = np.linspace(_LOWEST_RATE, _HIGHEST_RATE, count)
    parts: list[list[Rows]] = [[] for _ in range(count)]
    apart: list[Rows] = []
    for rows, weights in (
        (np.flatnonzero(malignant), shares * rates),
        (np.flatnonzero(~malignant), shares * (1 - rates)),
    ):
        shuffled = draw.permutation(rows)
        cut = round(len(shuffled) * held_out_share)
        apart.append(shuffled[:cut])
        kept = shuffled[cut:]
        dealt = kept[np.argsort(size[kept] + draw.normal(0, _ORDER_NOISE, len(kept)))]
        ends = np.round(np.cumsum(weights / weights.sum()) * len(dealt)).astype(np.intp)
        for part, piece in zip(parts, np.split(dealt, ends[:-1]), strict=True):
            part.append(piece)
    return Split(header, tuple(_pick(body, part, draw) for part in parts), _pick(body, apart, draw))


def even(name: str, count: int, seed: int = 0, held_out_share: float = 0.3) -> Split:
    """Deal a bundled data set to sites at random, in shares that differ by one at most.

    Raises:
        ValueError: No such data set, fewer than 1 site, or a share outside (0, 1).
    """
    if name not in _FILES or count < 1 or not 0 < held_out_share < 1:
        raise ValueError("breast-cancer or digits, 1 site or more, and a share between 0 and 1")
    header, *body = bundled_csv(name).splitlines()
    order = np.random.default_rng(seed).permutation(len(body))
    cut = round(len(body) * held_out_share)
    sites = np.array_split(order[cut:], count)
    return Split(
        header,
        tuple(tuple(body[row] for row in site) for site in sites),
        tuple(body[row] for row in order[:cut]),
    )


def dirichlet(
    name: str,
    count: int,
    alpha: float,
    seed: int = 0,
    held_out_share: float = 0.3,
    least: int = 2,
) -> Split:
    """Deal each class of a bundled data set in shares drawn from a Dirichlet distribution.

    Args:
        name: ``breast-cancer`` or ``digits``.
        count: Sites.
        alpha: Concentration: 100 deals nearly evenly, 0.1 leaves most sites a class or two.
        seed: Of everything that is drawn.
        held_out_share: Share of the records that no site gets, in (0, 1).
        least: Records that every site gets at least; the richest ones give them up.

    Raises:
        ValueError: No such data set, too few records for the sites, or a number out of range.
    """
    if name not in _FILES or count < 1 or not alpha > 0 or not 0 < held_out_share < 1:
        raise ValueError("breast-cancer or digits, 1 site or more, alpha above 0, a share below 1")
    header, *body = bundled_csv(name).splitlines()
    column = header.split(",").index(_LABELS[name])
    labels = np.array([line.split(",")[column] for line in body])
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(body))
    cut = round(len(body) * held_out_share)
    kept = order[cut:]
    if least * count > len(kept):
        raise ValueError(f"{len(kept)} records are too few for {count} sites")
    parts: list[list[int]] = [[] for _ in range(count)]
    for label in sorted(set(labels)):
        rows = kept[labels[kept] == label]
        shares = np.cumsum(draw.dirichlet(np.full(count, alpha)))
        ends = np.round(shares * len(rows)).astype(np.intp)
        for part, piece in zip(parts, np.split(rows, ends[:-1]), strict=True):
            part.extend(int(row) for row in piece)
    _level(parts, least, draw)
    sites = [np.array(part, np.intp) for part in parts]
    return Split(
        header,
        tuple(_pick(body, [site], draw) for site in sites),
        tuple(body[row] for row in order[:cut]),
    )


def with_flipped_labels(split: Split, name: str, sites: Iterable[int]) -> Split:
    """Give some sites, counted from 0, every label's opposite; ``hostile.flipped`` says which."""
    column = split.header.split(",").index(_LABELS[name])
    every = {line.split(",")[column] for site in split.sites for line in site}
    classes = sorted(every, key=float)
    opposite = dict(zip(classes, reversed(classes), strict=True))
    changed = frozenset(sites)

    def flip(line: str) -> str:
        cells = line.split(",")
        cells[column] = opposite[cells[column]]
        return ",".join(cells)

    dealt = tuple(
        tuple(flip(line) for line in lines) if number in changed else lines
        for number, lines in enumerate(split.sites)
    )
    return replace(split, sites=dealt)


def _level(parts: list[list[int]], least: int, draw: np.random.Generator) -> None:
    """Move records from the richest site to the poorest until each has the least."""
    while True:
        poorest = min(range(len(parts)), key=lambda at: (len(parts[at]), at))
        if len(parts[poorest]) >= least:
            return
        richest = max(range(len(parts)), key=lambda at: (len(parts[at]), -at))
        moved = int(draw.integers(len(parts[richest])))
        parts[poorest].append(parts[richest].pop(moved))


def bundled_csv(name: str) -> str:
    """Return all records of ``breast-cancer`` or ``digits`` as CSV with a header."""
    data = (resources.files("fednet.learning") / "bundled" / _FILES[name]).read_bytes()
    return (gzip.decompress(data) if _FILES[name].endswith(".gz") else data).decode("utf-8")


def _pick(body: list[str], pieces: list[Rows], draw: np.random.Generator) -> tuple[str, ...]:
    return tuple(body[row] for row in draw.permutation(np.concatenate(pieces)))


def _write(path: Path, header: str, lines: tuple[str, ...]) -> None:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")

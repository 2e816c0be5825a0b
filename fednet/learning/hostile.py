"""What hostile sites send: for rehearsals and benchmarks of the rules that must withstand it.

Hostile sites know every honest update of the round and act together. "A little
is enough": Baruch et al., 2019, https://arxiv.org/abs/1902.06156; inner-product
manipulation: Xie et al., "Fall of Empires", 2019, https://arxiv.org/abs/1903.03936.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fednet.domain.tensors import FloatArray

Arrays = Mapping[str, FloatArray]
Labels = npt.NDArray[np.int64]
Strike = Callable[[Arrays, Sequence[Arrays], np.random.Generator], dict[str, FloatArray]]
"""From a site's own honest update and those of the honest sites to what it sends."""

_NOISE_DEVIATION = 1.0
_CONSTANT = 100.0
_DEVIATIONS = 1.5
"""Standard deviations that "a little is enough" moves away from the honest mean."""
_REVERSAL = 0.5
"""Share of the honest mean that inner-product manipulation sends with its sign reversed."""
_FACTOR = 10.0
_CLAIMED = 1_000


def _honest(
    own: Arrays, honest: Sequence[Arrays], draw: np.random.Generator
) -> dict[str, FloatArray]:
    return dict(own)


@dataclass(frozen=True, slots=True)
class Attack:
    """One way to be hostile; the default is to be honest."""

    strike: Strike = _honest
    flips_labels: bool = False
    """Whether the site trains on wrong labels; see `flipped`."""
    claimed: int = 1
    """How many times its examples the site claims to have."""


def flipped(labels: Labels, classes: int) -> Labels:
    """Return every label's opposite: the last class for the first, and so on."""
    return classes - 1 - labels


def _scaled(factor: float) -> Strike:
    def strike(
        own: Arrays, honest: Sequence[Arrays], draw: np.random.Generator
    ) -> dict[str, FloatArray]:
        return {name: array * np.float32(factor) for name, array in own.items()}

    return strike


def _noise(
    own: Arrays, honest: Sequence[Arrays], draw: np.random.Generator
) -> dict[str, FloatArray]:
    return {
        name: draw.normal(0.0, _NOISE_DEVIATION, own[name].shape).astype(np.float32)
        for name in sorted(own)
    }


def _constant(
    own: Arrays, honest: Sequence[Arrays], draw: np.random.Generator
) -> dict[str, FloatArray]:
    return {name: array + np.float32(_CONSTANT) for name, array in own.items()}


def _little(
    own: Arrays, honest: Sequence[Arrays], draw: np.random.Generator
) -> dict[str, FloatArray]:
    sent = {}
    for name in own:
        stacked = np.stack([each[name] for each in honest])
        moved = stacked.mean(axis=0) - _DEVIATIONS * stacked.std(axis=0)
        sent[name] = moved.astype(np.float32)
    return sent


def _reversed(
    own: Arrays, honest: Sequence[Arrays], draw: np.random.Generator
) -> dict[str, FloatArray]:
    return {
        name: (-_REVERSAL * np.stack([each[name] for each in honest]).mean(axis=0)).astype(
            np.float32
        )
        for name in own
    }


def _not_a_number(
    own: Arrays, honest: Sequence[Arrays], draw: np.random.Generator
) -> dict[str, FloatArray]:
    sent = {name: array.copy() for name, array in own.items()}
    first = sent[min(sent)]
    first.flat[0] = np.nan
    return sent


ATTACKS: Mapping[str, Attack] = {
    "none": Attack(),
    "label-flip": Attack(flips_labels=True),
    "sign-flip": Attack(_scaled(-1.0)),
    "sign-flip-10": Attack(_scaled(-_FACTOR)),
    "noise": Attack(_noise),
    "constant": Attack(_constant),
    "alie": Attack(_little),
    "inner-product": Attack(_reversed),
    "claims": Attack(flips_labels=True, claimed=_CLAIMED),
    "nan": Attack(_not_a_number),
}
"""Every attack by its name. ``sign-flip-10`` sends ten times the reversed update, ``constant``
adds 100 to every value, ``claims`` has wrong labels and claims a thousand times its examples."""

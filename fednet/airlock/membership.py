"""Measure how well an attacker tells who was trained on, by the losses that an update changes.

An example counts as a member if its loss fell by more than a threshold, or is
below one afterwards (Yeom et al., 2018, https://arxiv.org/abs/1709.01604; by the
fall also Watson et al., 2022, https://arxiv.org/abs/2111.08440). The advantage is
the rate of true alarms less that of false ones: 0 for guessing, 1 for certainty.
Each half of the examples is judged by the threshold that was best on the other,
because the best threshold on the examples themselves always finds something.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fednet.airlock.exposure import Losses

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Advantage:
    """What the better of the two attackers achieves."""

    advantage: float
    """True alarms less false ones, between 0 and 1, on examples it has not seen."""
    area: float
    """Area under the curve of true alarms over false ones; 0.5 for guessing."""
    by: str
    """What the attacker looks at: "fall" or "loss"."""


def attack(losses: Losses) -> Advantage:
    """Attack, with both scores, and return the better outcome; needs two examples on each side."""
    scores = {
        "fall": (
            _wide(losses.members_before) - _wide(losses.members_after),
            _wide(losses.others_before) - _wide(losses.others_after),
        ),
        "loss": (-_wide(losses.members_after), -_wide(losses.others_after)),
    }
    found = [
        Advantage(advantage(members, others), area(members, others), name)
        for name, (members, others) in scores.items()
    ]
    return max(found, key=lambda each: (each.advantage, each.area))


def advantage(members: Scores, others: Scores) -> float:
    """Return true alarms less false ones, each half judged by the other's best threshold."""
    halves = [(members[at::2], others[at::2]) for at in (0, 1)]
    rates = []
    for learnt, judged in (halves, halves[::-1]):
        threshold = _best(*learnt)
        rates.append(_share(judged[0], threshold) - _share(judged[1], threshold))
    return max(0.0, float(np.mean(rates)))


def area(members: Scores, others: Scores) -> float:
    """Return the probability that a member scores above another; ties count half."""
    order = np.sort(others)
    below = np.searchsorted(order, members, "left")
    upto = np.searchsorted(order, members, "right")
    return float((below + upto).sum() / (2 * len(members) * len(others)))


def _best(members: Scores, others: Scores) -> float:
    thresholds = np.unique(np.concatenate((members, others)))
    true = 1 - np.searchsorted(np.sort(members), thresholds, "left") / len(members)
    false = 1 - np.searchsorted(np.sort(others), thresholds, "left") / len(others)
    return float(thresholds[int(np.argmax(true - false))])


def _share(scores: Scores, threshold: float) -> float:
    return float(np.mean(scores >= threshold))


def _wide(values: npt.NDArray[np.float32]) -> Scores:
    return np.asarray(values, np.float64)

"""Read what a visiting task measured of an update; every number is checked on its way in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fednet.domain.tensors import FloatArray
from fednet.errors import TaskError
from fednet.learning import wire
from fednet.learning.values import Likeness, Probed

MEASURED = ("members_before", "members_after", "others_before", "others_after")
_GRADIENTS = "gradients"
_ROUNDING = 1e-6


def read(answer: wire.Message, arrays: Mapping[str, FloatArray]) -> Probed:
    """Read an answer.

    Raises:
        TaskError: It is no such answer, or a number in it is out of its range.
    """
    losses = {name: arrays[name] for name in MEASURED if name in arrays}
    if losses and (len(losses) != len(MEASURED) or not _pairs(losses)):
        raise _strange("losses", "as many losses before as after")
    if arrays.keys() - losses.keys() - {_GRADIENTS}:
        raise _strange("arrays", "losses and gradients")
    gradients = arrays.get(_GRADIENTS, np.empty(0, np.float32))
    if gradients.ndim != 1 or bool((gradients < 0).any()):
        raise _strange(_GRADIENTS, "lengths")
    return Probed(wire.count(answer, "examples"), losses, gradients, _likeness(answer))


def _pairs(losses: Mapping[str, FloatArray]) -> bool:
    return all(each.ndim == 1 for each in losses.values()) and all(
        len(losses[f"{who}_before"]) == len(losses[f"{who}_after"]) for who in ("members", "others")
    )


def _likeness(answer: wire.Message) -> Likeness | None:
    if "likeness" not in answer:
        return None
    shares = wire.numbers(answer, "likeness")
    if shares.keys() != set(wire.LIKENESS) or not all(
        0 <= share <= 1 + _ROUNDING for share in shares.values()
    ):
        raise _strange("likeness", "shares between 0 and 1")
    return Likeness(
        **shares,
        stretches=wire.count(answer, "stretches"),
        left_out=wire.count(answer, "left_out"),
    )


def _strange(subject: str, expected: str) -> TaskError:
    return TaskError("the task answered with something else", subject=subject, expected=expected)

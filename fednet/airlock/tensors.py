"""Bounds on single tensors, by patterns of their names."""

from __future__ import annotations

from fnmatch import fnmatchcase

from fednet.airlock.measuring import Measured
from fednet.airlock.policy import AirlockPolicy
from fednet.airlock.report import Check, judged


def check_tensors(policy: AirlockPolicy, found: Measured) -> list[Check]:
    """Compare each pattern's largest tensor with its bound; one that matches none is refused."""
    return [
        _check(pattern, bound, found) for pattern, bound in sorted(policy.update.tensors.items())
    ]


def _check(pattern: str, bound: float, found: Measured) -> Check:
    norms = {name: norm for name, norm in found.norms.items() if fnmatchcase(name, pattern)}
    line = f"update.tensors.{pattern}"
    if not norms:
        # A bound on a misspelt name would bound nothing.
        return judged(
            "tensors",
            False,
            f"{line} matches no tensor",
            expected=", ".join(sorted(found.norms))[:400],
            remedy="correct the pattern in the airlock's policy, or take it out",
        )
    largest = max(norms, key=lambda name: (norms[name], name))
    return judged(
        "tensors",
        norms[largest] <= bound,
        f"Euclidean norm of {largest}, by {line}",
        expected=f"at most {bound:g}",
        actual=f"{norms[largest]:g}",
        figure=norms[largest],
        bound=bound,
        remedy="check the data for outliers; the plan's learning rate may be too high",
    )

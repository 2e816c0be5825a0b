"""Each server optimiser against its formula in plain Python, element by element, for two rounds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from fednet.aggregation import Contribution, aggregate, rule_for
from fednet.codec import TensorFile, write_state
from fednet.domain.identity import SiteId
from fednet.domain.plan import Plan
from fednet.domain.sections import AggregationSection, ServerSection
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, decode_tensors

MODEL = {"w": np.array([1.0, -2.0, 0.5, 3e-5], np.float32)}
DELTAS = (
    np.array([0.25, -1.5, 0.0, 1e-6], np.float32),
    np.array([-0.125, 0.75, 2.0, -1e-6], np.float32),
)
SERVER = ServerSection.model_validate(
    {"learning_rate": "0.1", "momentum": "0.9", "second_momentum": "0.99", "adaptivity": "0.001"}
)


class Values:
    """A vector in memory."""

    def __init__(self, values: FloatArray) -> None:
        self._values = values
        self.element_count = values.size

    def read_into(self, start: int, out: FloatArray) -> None:
        out[:] = self._values[start : start + out.size]


def f32(value: float) -> float:
    """Round to float32 once."""
    return float(np.float32(value))


def reference(optimizer: str, x: float, m: float, v: float, d: float) -> tuple[float, ...]:
    """Do one element's step in float64, in the order of the module's formulas."""
    rate, b1, b2, tau = 0.1, 0.9, 0.99, 0.001
    if optimizer == "none":
        return (f32(x + rate * d),)
    if optimizer == "fedavgm":
        first = b1 * m + d
        return f32(x + rate * first), f32(first)
    first, square = b1 * m + (1.0 - b1) * d, d * d
    if optimizer == "fedadam":
        second = b2 * v + (1.0 - b2) * square
    elif optimizer == "fedyogi":
        sign = (v > square) - (v < square)
        second = v - (1.0 - b2) * square * sign
    else:
        second = v + square
    return f32(x + (rate * first) / (math.sqrt(second) + tau)), f32(first), f32(second)


@pytest.mark.parametrize("optimizer", ["none", "fedavgm", "fedadam", "fedyogi", "fedadagrad"])
def test_a_server_optimizer_does_what_its_formula_says(tmp_path: Path, optimizer: str) -> None:
    server = SERVER.model_copy(update={"optimizer": optimizer})
    plan = Plan.validated(
        {
            "name": "server",
            "rounds": 2,
            "task": {"source": "digits", "digest": "0" * 64},
            "model": {"commitment": "0" * 64, "size_bytes": 1},
        },
        "plan",
    ).model_copy(update={"server": server})
    shape = StateShape.of_model(plan, Layout.of(MODEL))
    state = {
        spec.name: MODEL["w"] if spec.name == "w" else np.zeros(spec.shape, np.float32)
        for spec in shape.state.tensors
    }
    names = [name for name in ("w", "~momentum/w", "~second/w") if name in state]
    expected = [[float(x), 0.0, 0.0][: len(names)] for x in MODEL["w"]]
    for number, delta in enumerate(DELTAS):
        write_state(tmp_path / "base", state)
        with TensorFile(tmp_path / "base", "base") as base:
            aggregate(
                lambda count: rule_for(AggregationSection(), count),
                shape,
                base,
                [Contribution(SiteId(1), 7, Values(delta))],
                tmp_path / f"next-{number}",
                server=server,
            )
        state = decode_tensors((tmp_path / f"next-{number}").read_bytes(), "next")[0]
        expected = [
            list(reference(optimizer, *[*each, 0.0, 0.0][:3], float(d)))
            for each, d in zip(expected, delta, strict=True)
        ]
        for at, name in enumerate(names):
            assert state[name].tolist() == [each[at] for each in expected], (number, name)


def test_yogi_and_adam_part_ways() -> None:
    adam, yogi = (reference(name, 0.0, 0.0, 4.0, 1.0) for name in ("fedadam", "fedyogi"))
    assert adam[2] == pytest.approx(3.97)
    assert yogi[2] == pytest.approx(3.99)

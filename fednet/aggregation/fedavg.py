"""Weighted federated averaging.

McMahan et al., "Communication-Efficient Learning of Deep Networks from
Decentralized Data", 2017, https://arxiv.org/abs/1602.05629. With updates as
differences u_i of weight w_i from the base state:

    combined = (sum_i w_i * u_i) / (sum_i w_i)

in float64, over i in ascending order of site. A late update counts by a factor
f_i of its staleness, as in FedBuff (Nguyen et al., "Federated Learning with
Buffered Asynchronous Aggregation", 2022, https://arxiv.org/abs/2106.06639):

    combined = (sum_i w_i * f_i * u_i) / (sum_i w_i)

so that it shortens the step and gives no weight away to the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from fednet.aggregation.interface import Emit, Outcome
from fednet.aggregation.vector import Contribution
from fednet.aggregation.weighted import weighted_sum


class FedAvg:
    """Average by examples; see the module."""

    name = "fedavg"

    def __init__(self, kernel: str | None = None) -> None:
        self._kernel = kernel

    def combine(self, contributions: Sequence[Contribution], emit: Emit, threads: int) -> Outcome:
        coefficients = [entry.coefficient for entry in contributions]
        total = float(sum(entry.weight for entry in contributions))
        weighted_sum(contributions, coefficients, total, emit, threads, self._kernel)
        return {}

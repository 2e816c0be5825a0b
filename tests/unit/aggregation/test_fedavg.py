from __future__ import annotations

import hashlib
import itertools
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fednet.aggregation import Contribution, aggregate, recomputation_digest, rule_for, rule_of
from fednet.aggregation.centres import NormBounding
from fednet.aggregation.fedavg import FedAvg
from fednet.aggregation.kernels import choose_kernel
from fednet.aggregation.rule import RULES
from fednet.codec import TensorFile, write_state
from fednet.domain.identity import SiteId
from fednet.domain.sections import AggregationSection
from fednet.domain.shape import StateShape
from fednet.domain.tensors import Layout, TensorSpec, decode_tensors, encode_tensors
from fednet.domain.update import STATE_METADATA
from fednet.errors import AggregationError, PlanError, QuorumError, ShapeMismatchError

VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "fedavg.json").read_text("utf-8"))


class Values:
    """A vector in memory."""

    def __init__(self, *values: Any) -> None:
        self.values = np.array(values, np.float32)
        self.element_count = self.values.size

    def read_into(self, start: int, out: Any) -> None:
        out[:] = self.values[start : start + out.size]


def layout_of(vector: Any) -> Layout:
    return Layout((TensorSpec("w", (vector.element_count,)),))


def averaged(
    path: Path, base: Any, updates: Any, rule: Any = None, threads: int = 1
) -> tuple[list[float], bytes]:
    entries = [Contribution(SiteId(site), weight, u) for site, weight, u in updates]
    rule = rule or FedAvg()
    shape = StateShape.plain(layout_of(base))
    written, outcome = aggregate(lambda _: (rule, {}), shape, base, entries, path, threads)
    data = path.read_bytes()
    assert outcome == {}
    assert hashlib.sha256(data).digest() == written.commitment
    assert len(data) == written.size_bytes
    arrays, metadata = decode_tensors(data, "next")
    assert metadata == STATE_METADATA
    return arrays["w"].tolist(), data


def seeded(number: int) -> Values:
    """Bit patterns over every exponent below 2, subnormal numbers among them."""
    at = np.arange(VECTOR["elements"], dtype=np.uint64)
    bits = (at * 2654435761 + number * 40503 * 65537 + 12345) % (1 << 32)
    return Values(*(bits.astype(np.uint32) & np.uint32(0xBFFFFFFF)).view(np.float32))


def test_fedavg_weighs_updates_by_examples(tmp_path: Path) -> None:
    # (1*4 + 3*8) / 4 = 7; (1*-2 + 3*2) / 4 = 1; (1*0 + 3*4) / 4 = 3
    got, _ = averaged(
        tmp_path / "s",
        Values(10, 20, 0.5),
        [(1, 1, Values(4, -2, 0)), (2, 3, Values(8, 2, 4))],
    )
    assert got == [17.0, 21.0, 3.5]


@pytest.mark.parametrize("kernel", ["numpy", "numba"])
@pytest.mark.parametrize("rule", [FedAvg, partial(NormBounding, 100.0)])
def test_late_update_shortens_the_step(tmp_path: Path, rule: Any, kernel: str) -> None:
    base, first, second = Values(10, 20), Values(4, -2), Values(8, 2)
    entries = [
        Contribution(SiteId(1), 1, first),
        Contribution(SiteId(2), 3, second, factor=5_000),
    ]
    shape = StateShape.plain(layout_of(base))
    aggregate(lambda _: (rule(kernel=kernel), {}), shape, base, entries, tmp_path / "s", 2)
    arrays, _ = decode_tensors((tmp_path / "s").read_bytes(), "next")
    # (1*4 + 3*0.5*8) / 4 = 4; (1*-2 + 3*0.5*2) / 4 = 0.25: the divisor stays whole
    assert arrays["w"].tolist() == [14.0, 20.25]


def test_whole_factor_changes_no_coefficient() -> None:
    assert Contribution(SiteId(1), (1 << 40) - 1, Values(0)).coefficient == float((1 << 40) - 1)
    # 0.5774 * 3, rounded once
    assert Contribution(SiteId(1), 3, Values(0), factor=5_774).coefficient == 1.7322


def test_fedavg_rounds_once_at_the_end(tmp_path: Path) -> None:
    # 2**24 + 1.5 lies between 2**24 and 2**24 + 2 and is nearer to the latter; adding
    # 0.75 twice in float32 would never leave 2**24.
    got, _ = averaged(tmp_path / "s", Values(2.0**24), [(1, 1, Values(0.75)), (2, 1, Values(2.25))])
    assert got == [2.0**24 + 2]


def test_fedavg_of_one_update_adds_it(tmp_path: Path) -> None:
    got, _ = averaged(tmp_path / "s", Values(1, -1), [(5, 99, Values(0.25, 0.5))])
    assert got == [1.25, -0.5]


def test_fedavg_keeps_subnormal_numbers(tmp_path: Path) -> None:
    smallest = float(np.finfo(np.float32).smallest_subnormal)
    got, _ = averaged(tmp_path / "s", Values(0), [(1, 7, Values(smallest))])
    assert got == [smallest]


def test_fedavg_does_not_see_the_order_of_arrival(tmp_path: Path) -> None:
    # 2**60 swallows 1 in float64, so a sum in another order would come out otherwise.
    updates = [(1, 1, Values(2.0**60)), (2, 1, Values(-(2.0**60))), (3, 2, Values(1))]
    seen = {
        averaged(tmp_path / "s", Values(0), order)[1] for order in itertools.permutations(updates)
    }
    assert len(seen) == 1
    assert averaged(tmp_path / "s", Values(0), updates)[0] == [0.5]


@pytest.mark.parametrize("kernel", ["numpy", "numba"])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_fedavg_gives_the_golden_bytes(tmp_path: Path, kernel: str, threads: int) -> None:
    updates = [(s, s * 1000 + 7, seeded(s)) for s in range(1, VECTOR["sites"] + 1)]
    updates = updates[threads:] + updates[:threads]
    _, data = averaged(tmp_path / "s", seeded(0), updates, FedAvg(kernel), threads)
    assert hashlib.sha256(data).hexdigest() == VECTOR["state"]


def test_fedavg_reads_files(tmp_path: Path) -> None:
    base = seeded(0)
    for number in range(3):
        write_state(tmp_path / str(number), {"w": seeded(number).values})
    files = [TensorFile(tmp_path / str(number), "file") for number in range(3)]
    _, data = averaged(tmp_path / "s", files[0], [(1, 5, files[1]), (2, 6, files[2])], threads=2)
    _, same = averaged(tmp_path / "t", base, [(1, 5, seeded(1)), (2, 6, seeded(2))])
    for file in files:
        file.close()
    assert data == same


def test_aggregate_writes_what_encode_tensors_would(tmp_path: Path) -> None:
    _, data = averaged(tmp_path / "s", Values(1, 2), [(1, 1, Values(1, 1))])
    assert data == encode_tensors({"w": np.array([2, 3], np.float32)}, STATE_METADATA)


def test_aggregate_refuses_no_update(tmp_path: Path) -> None:
    with pytest.raises(QuorumError) as caught:
        averaged(tmp_path / "s", Values(1), [])
    assert caught.value.actual == 0


def test_aggregate_refuses_another_length(tmp_path: Path) -> None:
    with pytest.raises(ShapeMismatchError) as caught:
        averaged(tmp_path / "s", Values(1, 2), [(4, 1, Values(1))])
    assert caught.value.subject == "site 4"


@pytest.mark.parametrize("updates", [[(1, 0, Values(1))], [(1, 1, Values(1)), (1, 1, Values(1))]])
def test_aggregate_refuses_zero_weights_and_second_updates(tmp_path: Path, updates: Any) -> None:
    with pytest.raises(AggregationError):
        averaged(tmp_path / "s", Values(1), updates)


@pytest.mark.parametrize("kernel", ["numpy", "numba"])
def test_aggregate_refuses_to_overflow(tmp_path: Path, kernel: str) -> None:
    largest = float(np.finfo(np.float32).max)
    with pytest.raises(AggregationError):
        averaged(tmp_path / "s", Values(largest), [(1, 1, Values(largest))], FedAvg(kernel))


def test_rules_have_names(tmp_path: Path) -> None:
    for name in RULES:
        section = AggregationSection.model_validate({"rule": name})
        assert rule_of(section).name == name
    unknown = AggregationSection.model_construct(rule="median-of-nothing")
    with pytest.raises(PlanError) as caught:
        rule_of(unknown)
    assert caught.value.actual == "median-of-nothing"


def test_too_few_updates_for_a_rule_fail_the_attempt() -> None:
    section = AggregationSection(rule="krum", hostile=2)
    with pytest.raises(QuorumError) as caught:
        rule_for(section, 6)
    assert caught.value.expected == "at least 7"


def test_small_work_needs_no_compiler() -> None:
    assert choose_kernel(1_000_000) == "numpy"


def test_digest_covers_updates_and_then_the_state(tmp_path: Path) -> None:
    for name in ("a", "b", "state"):
        (tmp_path / name).write_bytes(name.encode() * 3)
    digest = recomputation_digest([tmp_path / "a", tmp_path / "b"], tmp_path / "state")
    assert digest == hashlib.sha256(b"aaabbbstatestatestate").digest()


def test_fedavg_equals_plain_python(tmp_path: Path) -> None:
    vectors = [seeded(number).values[:300].tolist() for number in range(4)]
    weights = [3, 5, 1 << 39]
    expected = []
    for base, *updates in zip(*vectors, strict=True):
        total = 0.0
        for weight, value in zip(weights, updates, strict=True):
            total += float(weight) * value
        expected.append(float(np.float32(base + total / float(sum(weights)))))
    updates = [(s, weights[s - 1], Values(*vectors[s])) for s in (1, 2, 3)]
    assert averaged(tmp_path / "s", Values(*vectors[0]), updates)[0] == expected

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fednet.airlock import Airlock, AirlockPolicy, Passage, Verdict, policy_of
from fednet.codec import open_update
from fednet.domain.identity import Address, Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, encode_tensors
from fednet.domain.update import Manifest, Place
from fednet.errors import AirlockRefusedError

PLAN = Plan.validated(
    {
        "name": "airlock",
        "rounds": 1,
        "task": {"source": "digits", "digest": "0" * 64},
        "model": {"commitment": "1" * 64, "size_bytes": 100},
        "update": {"minimum_examples": 10, "maximum_examples": 50, "maximum_norm": 5},
    },
    "plan",
)
PLACE = Place(31337, Address("0x" + "ab" * 20), RunId(1), RoundNumber(1), 1)
MANIFEST = Manifest(PLACE, SiteId(3), Commitment(bytes(32)), 20, Digest(b"\x07" * 32))
ARRAYS: dict[str, FloatArray] = {
    "bias": np.array([3.0], np.float32),
    "weight": np.array([[0.0, 4.0]], np.float32),
}
SMALL = policy_of({"update": {"maximum_size_bytes": 64}}, "policy")
SHAPE = StateShape.plain(Layout.of(ARRAYS))


def write(path: Path, arrays: dict[str, FloatArray], manifest: Manifest = MANIFEST) -> Path:
    file = path / "update"
    file.write_bytes(encode_tensors(arrays, manifest.to_metadata()))
    return file


def refused(
    path: Path, manifest: Manifest = MANIFEST, policy: AirlockPolicy | None = None
) -> AirlockRefusedError:
    with pytest.raises(AirlockRefusedError) as caught:
        check(path, manifest, policy)
    return caught.value


def check(
    path: Path, manifest: Manifest = MANIFEST, policy: AirlockPolicy | None = None
) -> Passage:
    size = path.stat().st_size
    passage = Airlock(policy).examine(
        lambda: open_update(path, "update", PLAN, SHAPE), size, SHAPE, PLAN, manifest
    )
    passage.require()
    return passage


def test_airlock_lets_a_good_update_out(tmp_path: Path) -> None:
    file = write(tmp_path, ARRAYS)
    passage = check(file)
    assert passage.figure("norm") == 5.0
    assert passage.figure("size") == file.stat().st_size
    assert passage.figure("examples") == 20
    assert {check.verdict for check in passage.checks} == {Verdict.PASSED}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_airlock_refuses_what_is_not_finite(tmp_path: Path, value: float) -> None:
    bad = ARRAYS | {"bias": np.array([value], np.float32)}
    assert refused(write(tmp_path, bad)).check == "finite"


def test_airlock_measures_the_largest_floats_without_overflow(tmp_path: Path) -> None:
    huge = ARRAYS | {"bias": np.array([3e38], np.float32)}
    assert refused(write(tmp_path, huge)).check == "norm"


def test_airlock_refuses_a_norm_above_the_plans_bound(tmp_path: Path) -> None:
    longer = ARRAYS | {"bias": np.array([3.001], np.float32)}
    error = refused(write(tmp_path, longer))
    assert (error.check, error.exit_code) == ("norm", 4)


def test_airlock_refuses_a_norm_above_the_sites_bound(tmp_path: Path) -> None:
    policy = policy_of({"update": {"maximum_norm": 4.9}}, "policy")
    assert refused(write(tmp_path, ARRAYS), policy=policy).check == "norm"


@pytest.mark.parametrize("examples", [9, 51])
def test_airlock_refuses_too_few_and_too_many_examples(tmp_path: Path, examples: int) -> None:
    manifest = replace(MANIFEST, examples=examples)
    assert refused(write(tmp_path, ARRAYS, manifest), manifest).check == "examples"


def test_airlock_refuses_fewer_examples_than_the_site_demands(tmp_path: Path) -> None:
    policy = AirlockPolicy().tightened(minimum_examples=21, maximum_norm=math.inf)
    assert refused(write(tmp_path, ARRAYS), policy=policy).check == "data.minimum_examples"


def test_airlock_keeps_to_the_stricter_of_two_bounds(tmp_path: Path) -> None:
    policy = policy_of({"update": {"maximum_norm": 4}, "data": {"minimum_examples": 7}}, "policy")
    for tightened in (policy.tightened(5, 9.0), policy.tightened(1, math.inf)):
        assert tightened == policy
    assert policy.tightened(8, 3.0).data.minimum_examples == 8
    assert policy.tightened(8, 3.0).update.maximum_norm == 3.0


@pytest.mark.parametrize(
    ("bounds", "refuses"),
    [
        ({"bias": 2.9}, True),
        ({"bias": 3.0, "weight": 4.0}, False),
        ({"*": 3.9}, True),
        ({"wieght": 9.0}, True),  # a bound on a misspelt name would bound nothing
    ],
)
def test_airlock_bounds_single_tensors(
    tmp_path: Path, bounds: dict[str, float], refuses: bool
) -> None:
    policy = policy_of({"update": {"tensors": bounds}}, "policy")
    file = write(tmp_path, ARRAYS)
    if refuses:
        assert refused(file, policy=policy).check == "tensors"
    else:
        assert [c.figure for c in check(file, policy=policy).checks[-2:]] == [3.0, 4.0]


def test_airlock_measures_everything_although_a_check_said_no(tmp_path: Path) -> None:
    policy = policy_of({"update": {"maximum_norm": 1}, "data": {"minimum_examples": 99}}, "policy")
    file = write(tmp_path, ARRAYS)
    passage = Airlock(policy).examine(
        lambda: open_update(file, "update", PLAN, SHAPE),
        file.stat().st_size, SHAPE, PLAN, MANIFEST,
    )  # fmt: skip
    said_no = [c.name for c in passage.checks if c.verdict is Verdict.REFUSED]
    assert said_no == ["data.minimum_examples", "norm"]
    assert passage.figure("norm") == 5.0


def test_airlock_refuses_other_shapes_than_the_models(tmp_path: Path) -> None:
    bad = ARRAYS | {"bias": np.zeros((1, 1), np.float32)}
    error = refused(write(tmp_path, bad))
    assert (error.check, error.expected, error.actual) == ("layout", "(1,)", "(1, 1)")


def test_airlock_refuses_another_place_in_the_manifest(tmp_path: Path) -> None:
    other = replace(MANIFEST, place=replace(PLACE, attempt=2))
    assert refused(write(tmp_path, ARRAYS, other)).check == "manifest"


def test_airlock_refuses_bytes_that_are_no_tensors(tmp_path: Path) -> None:
    file = tmp_path / "update"
    file.write_bytes(b"\x80\x04pickled, for example")
    assert refused(file).check == "form"


def test_airlock_refuses_a_truncated_file(tmp_path: Path) -> None:
    file = write(tmp_path, ARRAYS)
    file.write_bytes(file.read_bytes()[:-1])
    assert refused(file).check == "form"


def test_airlock_refuses_more_bytes_than_the_site_lets_out(tmp_path: Path) -> None:
    assert refused(write(tmp_path, ARRAYS), policy=SMALL).check == ("size")

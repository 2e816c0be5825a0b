from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fednet.airlock import Airlock, AirlockPolicy, Passage
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
    return Airlock(policy).check(
        lambda: open_update(path, "update", PLAN, SHAPE), size, SHAPE, PLAN, manifest
    )


def test_airlock_lets_a_good_update_out(tmp_path: Path) -> None:
    file = write(tmp_path, ARRAYS)
    passage = check(file)
    assert passage.norm == 5.0
    assert passage.size_bytes == file.stat().st_size
    assert passage.examples == 20


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
    policy = AirlockPolicy(maximum_norm=4.9)
    assert refused(write(tmp_path, ARRAYS), policy=policy).check == "norm"


@pytest.mark.parametrize(("examples", "minimum"), [(9, 1), (51, 1), (20, 21)])
def test_airlock_refuses_too_few_and_too_many_examples(
    tmp_path: Path, examples: int, minimum: int
) -> None:
    manifest = replace(MANIFEST, examples=examples)
    file = write(tmp_path, ARRAYS, manifest)
    assert refused(file, manifest, AirlockPolicy(minimum_examples=minimum)).check == "examples"


def test_airlock_refuses_other_shapes_than_the_models(tmp_path: Path) -> None:
    bad = ARRAYS | {"bias": np.zeros((1, 1), np.float32)}
    error = refused(write(tmp_path, bad))
    assert (error.check, error.expected, error.actual) == ("layout", (1,), (1, 1))


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
    assert refused(write(tmp_path, ARRAYS), policy=AirlockPolicy(maximum_size_bytes=64)).check == (
        "size"
    )

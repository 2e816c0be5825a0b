"""Every way in which bytes can fail, each on its own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fednet.codec import (
    Expected,
    Reason,
    Verdict,
    judge_update,
    update_size_limit_bytes,
    write_state,
    write_update,
)
from fednet.codec.norm import squared_norm
from fednet.domain.identity import Address, Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.domain.ledger import Inclusion
from fednet.domain.plan import Plan
from fednet.domain.sections import ModelSection, TaskSection, UpdateSection
from fednet.domain.shape import StateShape
from fednet.domain.tensors import Layout, encode_tensors
from fednet.domain.update import STATE_METADATA, Manifest, Place
from fednet.errors import PlanError, SettingsError

VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "update.json").read_text("utf-8"))
PLACE = Place(1337, Address("0x" + "11" * 20), RunId(1), RoundNumber(2), 1)
BASE = Commitment(bytes([7]) * 32)
ARRAYS = {"a": np.array([3.0, 0.0], np.float32), "b": np.array([[4.0]], np.float32)}
LAYOUT = Layout.of(ARRAYS)
MANIFEST = Manifest(PLACE, SiteId(4), BASE, 30, Digest(bytes([9]) * 32))
EXPECTED = Expected(PLACE, SiteId(4), 30, {BASE: 0}, StateShape.plain(LAYOUT))
STATE_SIZE = len(encode_tensors(ARRAYS, STATE_METADATA))


def plan_with(maximum_norm: Any = "5", minimum_examples: Any = 10) -> Plan:
    return Plan(
        name="p",
        rounds=1,
        task=TaskSection(source="digits", digest="0" * 64),
        model=ModelSection(commitment="0" * 64, size_bytes=STATE_SIZE),
        update=UpdateSection(maximum_norm=maximum_norm, minimum_examples=minimum_examples),
    )


def judged(
    tmp_path: Path,
    arrays: Any = ARRAYS,
    manifest: Any = MANIFEST,
    plan: Any = None,
    expected: Any = EXPECTED,
) -> Verdict:
    write_update(tmp_path / "u", arrays, manifest)
    return judge_update(tmp_path / "u", plan or plan_with(), expected)


def judged_bytes(tmp_path: Path, data: Any) -> Verdict:
    (tmp_path / "u").write_bytes(data)
    return judge_update(tmp_path / "u", plan_with(), EXPECTED)


def test_intake_includes_an_update_at_its_bounds(tmp_path: Path) -> None:
    # The norm is sqrt(9 + 16) = 5, the plan's bound exactly.
    verdict = judged(tmp_path, plan=plan_with("5", 30))
    assert verdict == Verdict(Inclusion.INCLUDED, "", SiteId(4), MANIFEST)


def test_intake_refuses_a_norm_just_above_the_bound(tmp_path: Path) -> None:
    verdict = judged(tmp_path, plan=plan_with("4.999999999999999999"))
    assert verdict == Verdict(Inclusion.INVALID, "norm-exceeded", SiteId(4))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"site": SiteId(5)}, Reason.WRONG_AUTHOR),
        ({"place": replace(PLACE, chain_id=1)}, Reason.WRONG_PLACE),
        ({"place": replace(PLACE, contract=Address("0x" + "12" * 20))}, Reason.WRONG_PLACE),
        ({"place": replace(PLACE, run=RunId(2))}, Reason.WRONG_PLACE),
        ({"place": replace(PLACE, round=RoundNumber(1))}, Reason.WRONG_PLACE),
        ({"place": replace(PLACE, attempt=2)}, Reason.WRONG_PLACE),
        ({"base": Commitment(bytes(32))}, Reason.WRONG_BASE),
        ({"examples": 31}, Reason.WRONG_WEIGHT),
    ],
)
def test_intake_refuses_another_manifest(tmp_path: Path, change: Any, reason: Any) -> None:
    verdict = judged(tmp_path, manifest=replace(MANIFEST, **change))
    assert (verdict.inclusion, verdict.reason) == (Inclusion.INVALID, reason)
    assert verdict.author == change.get("site", SiteId(4))


def test_intake_says_how_late_an_update_is(tmp_path: Path) -> None:
    older, oldest = Commitment(bytes([8]) * 32), Commitment(bytes([9]) * 32)
    expected = replace(EXPECTED, bases={BASE: 0, older: 3})
    assert judged(tmp_path, expected=expected).staleness == 0
    late = judged(tmp_path, manifest=replace(MANIFEST, base=older), expected=expected)
    assert (late.inclusion, late.staleness) == (Inclusion.INCLUDED, 3)
    too_late = judged(tmp_path, manifest=replace(MANIFEST, base=oldest), expected=expected)
    assert (too_late.reason, too_late.staleness) == (Reason.WRONG_BASE, 0)


def test_intake_refuses_too_few_examples(tmp_path: Path) -> None:
    assert judged(tmp_path, plan=plan_with("5", 31)).reason == "too-few-examples"


@pytest.mark.parametrize(
    "arrays",
    [
        {"a": ARRAYS["a"]},
        ARRAYS | {"c": np.zeros(1, np.float32)},
        {"a": ARRAYS["a"], "z": ARRAYS["b"]},
        {"a": ARRAYS["a"], "b": np.array([4.0], np.float32)},
    ],
)
def test_intake_refuses_another_layout(tmp_path: Path, arrays: Any) -> None:
    assert judged(tmp_path, arrays=arrays).reason == "wrong-layout"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_intake_refuses_values_that_are_not_finite(tmp_path: Path, value: Any) -> None:
    arrays = {"a": np.array([1, value], np.float32), "b": ARRAYS["b"]}
    assert judged(tmp_path, arrays=arrays).reason == "not-finite"


GOOD = encode_tensors(ARRAYS, MANIFEST.to_metadata())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:5],
        GOOD[:-1],
        GOOD + b"\0",
        GOOD[:8] + b" " + GOOD[9:],
        b"\xff" * 8 + GOOD[8:],
        encode_tensors(ARRAYS, STATE_METADATA),
        encode_tensors(ARRAYS, MANIFEST.to_metadata() | {"extra": 1}),
        encode_tensors(ARRAYS, MANIFEST.to_metadata() | {"site": "4"}),
        GOOD.replace(b'"F32"', b'"F16"'),
        b"\x80\x04cos\nsystem\n",
    ],
)
def test_intake_refuses_bytes_that_are_no_update(tmp_path: Path, data: Any) -> None:
    assert judged_bytes(tmp_path, data) == Verdict(Inclusion.INVALID, "malformed")


def test_intake_refuses_a_large_file_without_reading_it(tmp_path: Path) -> None:
    with (tmp_path / "u").open("wb") as file:
        file.truncate(1 << 40)
    assert judge_update(tmp_path / "u", plan_with(), EXPECTED).reason == "malformed"


def test_intake_does_not_blame_the_update_for_a_lost_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        judge_update(tmp_path / "none", plan_with(), EXPECTED)


def test_size_limit_leaves_room_for_the_largest_manifest(tmp_path: Path) -> None:
    most = (1 << 64) - 1
    place = Place(most, Address("0x" + "11" * 20), RunId(most), RoundNumber(most), most)
    manifest = Manifest(place, SiteId(most), BASE, most, Digest(bytes(32)))
    write_update(tmp_path / "u", ARRAYS, manifest)
    assert (tmp_path / "u").stat().st_size <= update_size_limit_bytes(plan_with())


def test_update_has_the_golden_bytes(tmp_path: Path) -> None:
    commitment = write_update(tmp_path / "u", ARRAYS, MANIFEST)
    assert (tmp_path / "u").read_bytes() == GOOD
    assert str(commitment) == VECTOR["update"]
    assert str(write_state(tmp_path / "s", ARRAYS)) == VECTOR["state"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s", "u"]


def test_update_refuses_other_codecs_and_other_dtypes(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as caught:
        write_update(
            tmp_path / "u", ARRAYS, MANIFEST, UpdateSection.model_construct(codec="float8")
        )
    assert caught.value.actual == "float8"
    with pytest.raises(TypeError):
        write_update(tmp_path / "u", {"a": np.zeros(2)}, MANIFEST)


class Counting:
    """The values 0, 1, 2, ... modulo 1009, more than one chunk of them."""

    element_count = 200_003

    def read_into(self, start: int, out: Any) -> None:
        out[:] = np.arange(start, start + out.size) % 1009


def test_squared_norm_adds_every_square_once() -> None:
    values = [at % 1009 for at in range(Counting.element_count)]
    assert squared_norm(Counting()) == sum(value * value for value in values)

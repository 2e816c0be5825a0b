"""One suite over every codec: what a file says, however it is read, and whatever is done to it."""

from __future__ import annotations

import hashlib
import json
import math
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from fednet.audit import PreviousRound, RoundInputs, combine
from fednet.codec import Expected, judge_update, update_size_limit_bytes, write_update
from fednet.codec.sparse import kept_count
from fednet.codec.update import open_update
from fednet.domain.blobs import FileSpan
from fednet.domain.identity import Digest, SiteId
from fednet.domain.ledger import Inclusion
from fednet.domain.shape import StateShape
from fednet.domain.tensors import Layout, decode_tensors
from fednet.errors import MalformedBlobError, TrainingError
from tests.codec_fixtures import (
    CODEC_NAMES,
    LOSSY,
    MANIFEST,
    SPARSE,
    Written,
    joined,
    plan_of,
    read_all,
    sample_arrays,
    section_of,
)
from tests.unit.audit.books import CREDITS
from tests.unit.audit.world import World, work_of

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "codecs.json").read_text("utf-8"))
QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(params=CODEC_NAMES)
def codec(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def written(codec: str, tmp_path: Path) -> Written:
    return Written(tmp_path, codec)


def bound_of(codec: str, arrays: dict[str, Any]) -> Any:
    """Return how far each value may be off, for the dense codecs."""
    if codec == "float32":
        return np.zeros_like(joined(arrays))
    if codec == "bfloat16":
        return np.abs(joined(arrays)) * 2.0**-8
    largest = 127 if codec == "int8" else 7
    bounds = []
    for name in sorted(arrays):
        array = arrays[name]
        has_rows = array.ndim > 1 and math.prod(array.shape[1:]) >= 8
        rows = np.abs(array).reshape(array.shape[0] if has_rows else 1, -1)
        peak = rows.max(axis=1, keepdims=True)
        bounds.append(np.broadcast_to(peak / largest * (1 + 2**-14), rows.shape).reshape(-1))
    return np.concatenate(bounds)


def test_values_come_back_within_the_bound_of_the_codec(codec: str, written: Written) -> None:
    wanted, got = joined(written.arrays), written.decoded()
    if codec not in SPARSE:
        assert np.all(np.abs(wanted - got) <= bound_of(codec, written.arrays))
        return
    kept = kept_count(wanted.size, written.plan.update)
    assert kept == math.ceil(wanted.size / 10)
    chosen = np.argsort(-np.abs(wanted), kind="stable")[:kept]
    others = np.setdiff1d(np.arange(wanted.size), chosen)
    assert not got[others].any()
    step = {"topk": 0, "topk-int8": 1 / 127, "topk-int4": 1 / 7}[codec]
    assert np.all(np.abs(wanted - got)[chosen] <= np.abs(wanted).max() * step * (1 + 2**-14))


def test_same_update_has_the_same_bytes_and_another_salt_others(
    codec: str, written: Written, tmp_path: Path
) -> None:
    again = Written(tmp_path, codec)
    assert again.commitment == written.commitment
    other = replace(MANIFEST, salt=Digest(bytes(32)))
    path = tmp_path / "salted"
    write_update(path, written.arrays, other, written.plan.update)
    with open_update(path, "salted", written.plan, written.shape) as file:
        is_rounded_at_random = "int" in codec
        assert np.array_equal(read_all(file), written.decoded()) is not is_rounded_at_random


def test_what_was_decoded_is_written_as_it_is(codec: str, written: Written, tmp_path: Path) -> None:
    first = written.decoded()
    arrays, start = {}, 0
    for spec in written.layout.tensors:
        arrays[spec.name] = first[start : start + spec.element_count].reshape(spec.shape)
        start += spec.element_count
    assert np.array_equal(Written(tmp_path, codec, arrays).decoded(), first)


def test_bytes_are_the_golden_ones(codec: str, tmp_path: Path) -> None:
    vector = VECTORS[codec]
    arrays = {name: np.asarray(values, np.float32) for name, values in VECTORS["arrays"].items()}
    written = Written(tmp_path, codec, arrays)
    data = written.path.read_bytes()
    assert data[-len(bytes.fromhex(vector["data"])) :].hex() == vector["data"]
    assert str(written.commitment) == hashlib.sha256(data).hexdigest() == vector["commitment"]
    assert written.decoded().tolist() == vector["decoded"]


def test_any_safetensors_reader_reads_it(codec: str, written: Written) -> None:
    with safetensors.safe_open(written.path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        assert json.loads(file.metadata()["fednet"]) == MANIFEST.to_metadata()
    if codec in {"float32", "bfloat16", "int8"}:
        for name, array in written.arrays.items():
            assert tuple(tensors[name].shape) == array.shape
    if codec == "int8":
        dense = tensors["dense"].float() * tensors["~scale/dense"][:, None]
        start = 7 + 36
        assert np.array_equal(dense.numpy().reshape(-1), written.decoded()[start : start + 527])


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_any_stretch_reads_like_the_whole(written: Written, chunk: int) -> None:
    whole = written.decoded()
    with written.open() as file:
        assert file.layout == written.layout
        assert np.array_equal(read_all(file, chunk), whole)
        for start in range(0, whole.size - 50, 13):
            part = np.empty(50, np.float32)
            file.read_into(start, part)
            assert np.array_equal(part, whole[start : start + 50])


def test_threads_read_one_file_at_once_and_after_it_was_closed(written: Written) -> None:
    whole, file = written.decoded(), written.open()

    def read(start: int) -> bool:
        part = np.empty(40, np.float32)
        file.read_into(start, part)
        return bool(np.array_equal(part, whole[start : start + 40]))

    starts = [start % (whole.size - 40) for start in range(0, 40_000, 37)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, starts))
        file.close()
        assert all(pool.map(read, starts))


def test_file_is_read_where_it_stands_in_an_archive(written: Written, tmp_path: Path) -> None:
    data, archive = written.path.read_bytes(), tmp_path / "archive"
    archive.write_bytes(b"before" + data + b"after")
    span = FileSpan(archive, 6, len(data))
    with open_update(span, "update", written.plan, written.shape) as file:
        assert np.array_equal(read_all(file), written.decoded())


@pytest.mark.parametrize("name", LOSSY)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_packing_refuses_what_is_not_finite(tmp_path: Path, name: str, value: float) -> None:
    arrays = sample_arrays()
    arrays["bias"][2] = value
    with pytest.raises(TrainingError):
        Written(tmp_path, name, arrays)
    assert not list(tmp_path.iterdir())


def test_size_limit_is_checked_before_anything_is_read(written: Written) -> None:
    limit = update_size_limit_bytes(written.plan)
    with written.path.open("wb") as file:
        file.truncate(limit + 1)
    with pytest.raises(MalformedBlobError) as caught:
        written.open()
    assert caught.value.expected == f"at most {limit} bytes"


SHAPES = st.lists(
    arrays_of.array_shapes(min_dims=0, max_dims=3, max_side=12), min_size=1, max_size=5
)


@given(shapes=SHAPES, seed=st.integers(0, 1 << 30), spread=st.integers(0, 30))
@QUICK
def test_every_update_fits_its_limit_and_opens(
    codec: str, tmp_path: Path, shapes: Any, seed: int, spread: int
) -> None:
    random = np.random.default_rng(seed)
    arrays = {
        f"t{number}": np.asarray(
            random.normal(size=shape) * 10.0 ** random.uniform(-spread, spread), np.float32
        )
        for number, shape in enumerate(shapes)
    }
    written = Written(tmp_path, codec, arrays)
    assert written.path.stat().st_size <= update_size_limit_bytes(written.plan)
    assert np.all(np.isfinite(written.decoded()))


@st.composite
def damage(draw: Any) -> Any:
    """Return a function that spoils some bytes, mostly where values stand."""
    kind = draw(st.sampled_from(["flip", "set", "cut", "grow", "drop", "swap"]))
    at, other = draw(st.floats(0, 1, exclude_max=True)), draw(st.floats(0, 1, exclude_max=True))
    byte = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    from_end = draw(st.booleans())

    def spoil(data: bytes) -> bytes:
        if not data:
            return bytes([byte])
        size = len(data)
        place = size - 1 - int(at * min(size, 120)) if from_end else int(at * size)
        there = int(other * size)
        if kind == "cut":
            return data[:place]
        if kind == "grow":
            return data + bytes([byte])
        if kind == "drop":
            return data[:place] + data[place + 1 :]
        changed = bytearray(data)
        if kind == "swap":
            changed[place], changed[there] = changed[there], changed[place]
        else:
            changed[place] = changed[place] ^ (1 << byte % 8) if kind == "flip" else byte
        return bytes(changed)

    return spoil


@given(spoils=st.lists(damage(), min_size=1, max_size=3))
@QUICK
def test_damaged_bytes_are_refused_or_mean_something(
    codec: str, written: Written, spoils: Any
) -> None:
    data = written.data
    for spoil in spoils:
        data = spoil(data)
    try:
        values = written.decoded(data)
    except MalformedBlobError:
        return
    assert values.size == written.layout.element_count
    # A float of sixteen or more bits can say "not finite", which the intake refuses.
    assert np.all(np.isfinite(values)) or codec in {"float32", "bfloat16"}
    expected = Expected(MANIFEST.place, SiteId(4), 30, {MANIFEST.base: 0}, written.shape)
    verdict = judge_update(written.path, written.plan, expected)
    assert verdict.inclusion is not Inclusion.INCLUDED or np.all(np.isfinite(values))


@given(data=st.binary(max_size=300), head=st.integers(0, 900))
@QUICK
def test_any_other_bytes_are_refused(written: Written, data: Any, head: int) -> None:
    whole = written.data
    if whole == whole[:head] + data:
        return
    with pytest.raises(MalformedBlobError):
        written.open(whole[:head] + data)


def test_reading_a_large_update_takes_little_memory(codec: str, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    arrays = {"w": random.standard_normal((1_000, 2_000), np.float32)}
    written = Written(tmp_path, codec, arrays)
    tracemalloc.start()
    with written.open() as file:
        chunk = np.empty(1 << 16, np.float32)
        for start in range(0, 2_000_000 - chunk.size, chunk.size):
            file.read_into(start, chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Dense files need a few chunks; sparse ones, on opening, 80 bytes for each of 200,000 values.
    assert peak < (16_000_000 if codec in SPARSE else 1_500_000)


def world_of(folder: Path, codec: str) -> World:
    class Packed(World):
        sections: ClassVar = {"update": section_of(codec)}

    return Packed(folder)


@pytest.fixture
def played(codec: str, tmp_path: Path) -> World:
    world = world_of(tmp_path, codec)
    world.play(2)
    return world


def test_audit_verifies_a_run(played: World) -> None:
    report = played.audit()
    assert report.findings == ()
    assert [entry.verdict for entry in report.rounds] == ["verified", "verified"]


def test_round_combines_what_the_files_decode_to(codec: str, tmp_path: Path) -> None:
    world = world_of(tmp_path, codec)
    world.collect()
    inputs = RoundInputs(
        plan=world.plan,
        place=world.place,
        previous=PreviousRound(world.previous_record, world.base, world.base_path, world.earned),
        submissions=world.submissions(),
        paths={site: path for (_, _, site), path in world.updates.items()},
        credits_contract=CREDITS,
        cohort=3,
    )
    out = [tmp_path / "one", tmp_path / "two"]
    for folder in out:
        folder.mkdir()
    results = [combine(inputs, world.store.locate, out[at], at + 1) for at in range(2)]
    assert results[0].state == results[1].state
    assert results[0].digest == results[1].digest
    arrays, _ = decode_tensors(results[0].state_path.read_bytes(), "state")
    shape = StateShape.plain(Layout.of(work_of(1, 1)))
    total = np.zeros(16)
    for (_, _, site), path in world.updates.items():
        with open_update(path, "update", world.plan, shape) as file:
            total += read_all(file).astype(np.float64) * site * 10
    assert np.array_equal(joined(arrays), (total / 60).astype(np.float32))


def test_update_names_the_cluster_that_it_changes(codec: str, tmp_path: Path) -> None:
    arrays = sample_arrays()
    plan = plan_of(codec, Layout.of(arrays), clusters=3)
    shape = StateShape.of_model(plan, Layout.of(arrays))
    theirs = {f"~cluster-2/{name}": array for name, array in arrays.items()}
    write_update(tmp_path / "u", theirs, MANIFEST, plan.update)
    with open_update(tmp_path / "u", "update", plan, shape) as file:
        part = shape.part_of(file.layout)
        assert part is not None
        assert part.number == 2

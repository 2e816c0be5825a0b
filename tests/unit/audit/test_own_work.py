"""Copies, repetitions and unchanged models, and honest runs in which nobody is accused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from fednet.audit import AuditReport, Severity
from fednet.audit.likeness import (
    MOST_SAMPLE_ELEMENTS,
    SAMPLE_ELEMENTS,
    compare,
    is_telling,
    sample_places,
    sample_size,
    take_sample,
)
from fednet.codec import TensorFile, write_state
from fednet.domain.identity import Digest
from fednet.domain.sections import UpdateSection
from fednet.domain.tensors import FloatArray
from tests.codec_fixtures import Written
from tests.unit.audit.world import SHAPES, World, filled, work_of

SEED = Digest(bytes(range(32)))
Held = list[tuple[str, Severity, int | None]]


def held(report: AuditReport) -> Held:
    return [(each.code, each.severity, each.accused) for each in report.findings]


def finish(world: World) -> None:
    world.close()
    world.propose()
    world.attest(*world.sites)
    world.finalize()


def touched(arrays: dict[str, FloatArray], by: float) -> dict[str, FloatArray]:
    return {name: (array * np.float32(1 + by)).astype(np.float32) for name, array in arrays.items()}


def play_second_round(world: World, arrays: dict[str, FloatArray]) -> AuditReport:
    """Let site 1 hand something in for round 2, among honest ones."""
    world.play(1)
    world.submit(1, arrays=arrays)
    world.submit(2)
    world.submit(3)
    finish(world)
    return world.audit()


def test_update_of_another_from_an_earlier_round_convicts_who_took_it(world: World) -> None:
    report = play_second_round(world, work_of(2, 1))
    assert held(report) == [("update-copied", Severity.VIOLATION, 1)]
    [finding] = report.findings
    assert finding.subject == "update of site 1 in round 2, attempt 1"
    assert "update of site 2 in round 1" in finding.message
    assert not report.verified


def test_touched_up_copy_is_found_but_convicts_nobody(world: World) -> None:
    report = play_second_round(world, touched(work_of(2, 1), 5e-7))
    assert held(report) == [("update-copied", Severity.VIOLATION, None)]


def test_near_copy_is_a_notice(world: World) -> None:
    report = play_second_round(world, touched(work_of(2, 1), 5e-4))
    assert held(report) == [("update-copied", Severity.NOTICE, None)]
    assert report.verified


def test_same_work_in_one_attempt_names_both_and_accuses_neither(world: World) -> None:
    world.submit(1)
    world.submit(3, arrays=work_of(1, 1))
    world.submit(2)
    finish(world)
    [finding] = world.audit().findings
    assert (finding.code, finding.accused) == ("update-copied", None)
    assert finding.duty == "sites 1 and 3, to explain it"


def test_site_that_repeats_itself_has_to_explain_it(world: World) -> None:
    report = play_second_round(world, work_of(1, 1))
    assert held(report) == [("update-repeated", Severity.VIOLATION, None)]
    assert report.findings[0].duty.startswith("site 1")


def test_same_training_for_the_next_attempt_is_honest(world: World) -> None:
    world.collect()
    world.propose()
    world.end_proposal()
    world.begin(1, attempt=2)
    world.collect()
    world.propose()
    world.attest(*world.sites)
    world.finalize()
    assert world.audit().findings == ()


@pytest.mark.parametrize("unchanged", ["zero", "base"])
def test_unchanged_model_is_found(world: World, unchanged: str) -> None:
    world.play(1)
    if unchanged == "zero":
        arrays = filled(0.0)
    else:
        flat = np.frombuffer(world.base_path.read_bytes()[-64:], "<f4").astype(np.float32)
        arrays = {"bias": flat[:1].reshape(()), "weights": flat[1:].reshape(SHAPES["weights"])}
    world.submit(1, arrays=arrays)
    world.submit(2)
    world.submit(3)
    finish(world)
    report = world.audit()
    assert held(report) == [("update-unchanged", Severity.VIOLATION, None)]
    assert report.findings[0].subject.startswith("update of site 1 in round 2")


def test_equal_values_that_say_nothing_are_a_notice(world: World) -> None:
    for site in world.sites:
        world.submit(site, fill=0.5)
    finish(world)
    assert {(code, severity) for code, severity, _ in held(world.audit())} == {
        ("update-copied", Severity.NOTICE)
    }


@settings(max_examples=12, deadline=None)
@given(data=st.data(), sites=st.integers(2, 4))
def test_honest_runs_accuse_nobody(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, sites: int
) -> None:
    """Whatever sites learn, different data or the same: nothing is held against anybody."""
    world = World(tmp_path_factory.mktemp("honest"), sites=sites, rounds=2)
    values = st.floats(-100, 100, width=32)
    for _ in range(2):
        for site in world.sites:
            arrays = {
                name: data.draw(arrays_of.arrays(np.float32, shape, elements=values))
                for name, shape in SHAPES.items()
            }
            world.submit(site, arrays=arrays)
        world.close()
        world.propose(by=data.draw(st.sampled_from(world.sites)))
        world.attest(*world.sites)
        world.finalize()
    assert world.audit().accused == ()


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1 << 32), rounds=st.integers(1, 3), sites=st.integers(2, 4))
def test_runs_of_independent_work_give_no_finding(
    tmp_path_factory: pytest.TempPathFactory, seed: int, rounds: int, sites: int
) -> None:
    world = World(tmp_path_factory.mktemp("honest"), sites=sites, rounds=rounds)
    for number in range(1, rounds + 1):
        for site in world.sites:
            world.submit(site, arrays=work_of(seed + site, number))
        finish(world)
    assert world.audit().findings == ()


def test_sample_is_a_function_of_bytes_and_seed(tmp_path: object) -> None:
    places = sample_places(SEED, 100_000)
    assert len(places) == SAMPLE_ELEMENTS
    assert places == sorted(set(places))
    assert places[:4] == sample_places(SEED, 100_000)[:4]
    assert places != sample_places(Digest(bytes(32)), 100_000)
    assert sample_places(SEED, 3) == [0, 1, 2]
    assert len(sample_places(SEED, SAMPLE_ELEMENTS + 1)) == SAMPLE_ELEMENTS


def test_files_are_compared_to_the_last_element(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("files")
    values = np.random.default_rng(1).standard_normal(200_000).astype(np.float32)
    write_state(folder / "one", {"a": values})
    changed = values.copy()
    changed[-1] = np.nextafter(changed[-1], np.float32(9))
    write_state(folder / "other", {"a": changed})
    with TensorFile(folder / "one", "one") as one, TensorFile(folder / "other", "other") as two:
        same, other = compare(one, one), compare(one, two)
        sample = take_sample(one, SEED)
    assert (same.is_identical, same.distance) == (True, 0.0)
    assert not other.is_identical
    assert 0 < other.distance < 1e-9
    assert np.array_equal(sample, values[sample_places(SEED, len(values))])


def test_sparse_updates_are_looked_at_in_more_places(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal(50_000, np.float32)
    written = Written(tmp_path, "topk-int8", {"w": values}, Decimal("0.002"))
    section = written.plan.update
    assert sample_size(section) == MOST_SAMPLE_ELEMENTS
    assert sample_size(UpdateSection()) == SAMPLE_ELEMENTS
    with written.open() as file:
        assert not is_telling(take_sample(file, SEED))
        assert is_telling(take_sample(file, SEED, sample_size(section)))

"""Check 27: samples that are drawn again from the hashes of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fednet.domain.identity import RoundNumber
from fednet.domain.samples import BLOCKS_REMEMBERED, sampled_positions, seed_of
from tests.unit.audit.books import RUN
from tests.unit.audit.modules import Sampling
from tests.unit.audit.test_replay import codes

SAMPLED = 2
SITES = 4


class SampledWorld(Sampling):
    """A run whose module draws two of four sites for each attempt."""

    sections: ClassVar[Mapping[str, Any]] = {
        "module": {"name": "sampled", "sampled_sites": SAMPLED}
    }

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, sites=SITES, rounds=1)

    def finish(self, seed: int, sites: set[int] | None = None) -> None:
        """Let the sample of a seed submit, or others, and the round become final."""
        for site in sorted(sites or self.sample(seed)):
            self.submit(site)
        self.close()
        self.propose()
        self.attest(*self.sites)
        self.finalize()


@pytest.fixture
def world(tmp_path: Path) -> SampledWorld:
    return SampledWorld(tmp_path)


def test_sample_of_the_attempts_block_is_right(world: SampledWorld) -> None:
    world.finish(world.draw(world.block).seed)
    assert codes(world) == []


def test_sample_of_another_block_is_found(world: SampledWorld) -> None:
    world.finish(world.draw(world.block - 1).seed)
    assert codes(world) == ["sample-differs"]


def test_sample_of_another_seed_is_found(world: SampledWorld) -> None:
    world.finish(world.draw(world.block, seed=5).seed)
    assert codes(world) == ["sample-differs"]


def test_second_draw_is_found(world: SampledWorld) -> None:
    source = world.block
    world.draw(source)
    world.finish(world.draw(source).seed)
    assert codes(world) == ["sample-differs"]


def test_submission_from_outside_is_found(world: SampledWorld) -> None:
    seed = world.draw(world.block).seed
    place = (RoundNumber(1), 1)
    chosen = {at + 1 for at in sampled_positions(RUN, place, seed, SITES, SAMPLED)}
    outside = min(set(range(1, SITES + 1)) - chosen)
    world.finish(seed, {outside, max(chosen)})
    report = world.audit()
    assert [(each.code, each.check) for each in report.findings] == [
        ("submission-outside-sample", 27)
    ]
    assert f"site {outside} " in report.findings[0].subject
    assert report.accused == ()


def test_submission_before_the_draw_is_found(world: SampledWorld) -> None:
    seed = seed_of(world.blocks([world.block])[0].block_hash)
    source = world.block
    place = (RoundNumber(1), 1)
    first, second = sorted(sampled_positions(RUN, place, seed, SITES, SAMPLED))
    world.submit(first + 1)
    world.draw(source)
    world.finish(seed, {second + 1})
    assert codes(world) == ["submission-outside-sample"]


def test_draw_is_put_off_once_the_block_is_forgotten(world: SampledWorld) -> None:
    for block in range(world.block, world.block + BLOCKS_REMEMBERED + 1):
        world.times[block + 1] = world.now
    world.block += BLOCKS_REMEMBERED
    put_off = world.draw(world.block + 1, seed=0)
    assert put_off.source == put_off.log.block
    world.finish(world.draw(put_off.source).seed)
    assert codes(world) == []


def test_draw_that_is_put_off_too_early_is_found(world: SampledWorld) -> None:
    put_off = world.draw(world.block + 1, seed=0)
    world.finish(world.draw(put_off.source).seed)
    assert codes(world) == ["sample-differs"]

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any, cast

import numpy as np
import pytest

from fednet.domain.identity import Address, RoundNumber, RunId, SiteId
from fednet.domain.update import Place
from fednet.learning.partition import even, with_flipped_labels
from fednet.node.ports import TrainingResult
from fednet.simulation.crowd import Member
from fednet.simulation.hostility import HonestFirstError, Hostility
from fednet.simulation.scenario import Attack

PLACE = Place(1, Address("0x" + "11" * 20), RunId(1), RoundNumber(1), 1)


class FixedTrainer:
    """Gives every site its own number as its update."""

    def digest(self, plan: Any) -> Any:
        raise AssertionError("nobody asks")

    def train(
        self,
        plan: Any,
        base: Any,
        place: Any,
        site: SiteId,
        out: Any,
        kept: Any,
        part: Any,
        halt: Any,
    ) -> TrainingResult:
        return TrainingResult({"w": np.full(3, site, np.float32)}, 10)


def members(count: int) -> list[Member]:
    nothing = cast("Any", None)
    return [
        Member(SiteId(number), nothing, nothing, nothing, nothing) for number in range(1, count + 1)
    ]


def trained(trainer: Any, site: int) -> TrainingResult:
    result = trainer.train(None, Path(), PLACE, SiteId(site), Path(), {}, None, Event())
    assert isinstance(result, TrainingResult)
    return result


def test_hostile_sites_wait_for_the_honest_ones_and_then_use_what_they_know() -> None:
    crowd = members(3)
    hostility = Hostility(Attack("inner-product", 1), crowd, seed=0)
    trainers = [hostility.equip(member, FixedTrainer())[0] for member in crowd]
    trained(trainers[0], 1)
    with pytest.raises(HonestFirstError) as caught:
        trained(trainers[2], 3)
    assert caught.value.retryable
    trained(trainers[1], 2)
    # Minus half the honest mean of 1 and 2.
    assert trained(trainers[2], 3).arrays["w"].tolist() == [-0.75] * 3


def test_only_hostile_sites_lie() -> None:
    crowd = members(2)
    hostility = Hostility(Attack("claims", 1), crowd, seed=0)
    honest, liar = (hostility.equip(member, FixedTrainer())[0] for member in crowd)
    assert trained(honest, 1).examples == 10
    assert trained(liar, 2).examples == 10_000
    calm = Hostility(None, crowd, seed=0)
    for member in crowd:
        assert trained(calm.equip(member, FixedTrainer())[0], member.site).examples == 10


def test_flipped_labels_are_opposite_at_the_named_sites_alone() -> None:
    split = even("digits", 3)
    changed = with_flipped_labels(split, "digits", [2])
    assert changed.sites[:2] == split.sites[:2]
    for before, after in zip(split.sites[2], changed.sites[2], strict=True):
        assert before.rpartition(",")[0] == after.rpartition(",")[0]
        assert float(before.rpartition(",")[2]) + float(after.rpartition(",")[2]) == 9

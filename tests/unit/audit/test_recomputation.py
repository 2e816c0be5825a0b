"""Aggregator, attestor and auditor must get the same bytes, however they got there."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fednet.audit import PreviousRound, RoundInputs, combine, recompute, settle
from fednet.domain.identity import SiteId
from fednet.domain.ledger import Inclusion, unpack_inclusion
from fednet.domain.record import RoundRecord
from fednet.domain.tensors import encode_tensors
from fednet.errors import MalformedBlobError, QuorumError
from tests.unit.audit.world import CREDITS, World


def inputs_of(world: World) -> RoundInputs:
    return RoundInputs(
        plan=world.plan,
        place=world.place,
        previous=PreviousRound(world.previous_record, world.base, world.base_path, world.earned),
        submissions=world.submissions(),
        paths={site: path for (_, _, site), path in world.updates.items()},
        credits_contract=CREDITS,
        cohort=len(world.submissions()),
    )


def test_recomputation_does_not_see_threads_or_order(world: World, tmp_path: Path) -> None:
    world.collect()
    inputs = inputs_of(world)
    shuffled = replace(inputs, submissions=inputs.submissions[::-1])
    results = [
        recompute(given, 1, SiteId(2), world.store.locate, tmp_path, threads)
        for given, threads in ((inputs, 1), (inputs, 2), (shuffled, 2))
    ]
    assert len({result.record_bytes for result in results}) == 1
    assert len({result.digest for result in results}) == 1


def test_recomputed_record_is_canonical_and_settles_what_it_says(world: World) -> None:
    world.collect()
    result = world.recomputed(2)
    record = RoundRecord.from_bytes(result.record_bytes, "record")
    assert record == result.record
    assert record.state == hashlib.sha256(result.state_path.read_bytes()).hexdigest()
    assert (
        record.state_size_bytes == result.state_path.stat().st_size == world.plan.model.size_bytes
    )
    assert record.credits_total == world.plan.credits.per_round
    assert result.settlement.record == result.commitment


def test_digest_covers_included_updates_by_site_and_the_state(world: World) -> None:
    world.collect()
    result = world.recomputed(2, without=[2])
    updates = [world.updates[(world.place.round, 1, SiteId(site))] for site in (1, 3)]
    data = b"".join(path.read_bytes() for path in [*updates, result.state_path])
    assert result.digest == hashlib.sha256(data).digest()


def test_second_proposal_needs_only_another_record(world: World, tmp_path: Path) -> None:
    world.collect()
    combined = combine(inputs_of(world), world.store.locate, tmp_path)
    first, second = settle(combined, 1, SiteId(2)), settle(combined, 2, SiteId(3))
    assert first.commitment == world.recomputed(2, 1).commitment
    assert second.commitment == world.recomputed(3, 2).commitment
    assert first.witness(SiteId(1)) != second.witness(SiteId(1))
    assert first.witness(SiteId(1)) != first.witness(SiteId(3))


def test_inclusion_tells_every_submission_by_position(world: World) -> None:
    world.submit(1, fill=1e6)
    world.submit(2)
    world.submit(3)
    result = world.recomputed(2)
    packed = result.inclusion({SiteId(1): 4, SiteId(2): 0, SiteId(3): 2})
    assert unpack_inclusion(packed, (4, 0, 2)) == {
        0: Inclusion.INCLUDED,
        2: Inclusion.INCLUDED,
        4: Inclusion.INVALID,
    }
    assert [result.count(kind) for kind in Inclusion] == [2, 1, 0]


def test_agreement_needs_all_that_the_contract_was_told(world: World) -> None:
    world.collect()
    proposed = world.propose()
    result = world.recomputed(2)
    inclusion = result.inclusion({site: site - 1 for site in world.sites})
    assert result.agrees_with(proposed, inclusion)
    assert not result.agrees_with(proposed, bytes([0b1000]))
    assert not result.agrees_with(replace(proposed, credits_total=1), inclusion)


def test_too_few_valid_updates_make_no_round(world: World) -> None:
    world.collect()
    with pytest.raises(QuorumError) as caught:
        world.recomputed(2, without=[1, 3])
    assert (caught.value.expected, caught.value.actual) == ("at least 2", 1)


def test_previous_state_that_is_no_state_is_refused(world: World) -> None:
    world.collect()
    world.base_path = world.folder / "other"
    arrays = {"w": np.zeros(1, np.float32)}
    world.base_path.write_bytes(encode_tensors(arrays, {"format": "x"}))
    with pytest.raises(MalformedBlobError):
        world.recomputed(2)


def test_recomputation_leaves_only_the_state(world: World, tmp_path: Path) -> None:
    world.collect()
    out = tmp_path / "out"
    out.mkdir()
    result = recompute(inputs_of(world), 1, SiteId(2), world.store.locate, out)
    assert list(out.iterdir()) == [result.state_path]
    assert result.state_path.name == f"{result.record.state}.safetensors"

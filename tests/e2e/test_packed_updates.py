"""Nodes whose plan packs updates: less travels, nothing is lost for good, the audit holds."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fednet.codec import open_update
from fednet.domain.shape import StateShape
from fednet.domain.tensors import Layout, TensorSpec, decode_tensors
from tests.codec_fixtures import plan_of, read_all
from tests.e2e.fleet import assert_audit_passes, assert_one_record_each, running_fleet

ELEMENTS = 20_000
ROUNDS = 3
KEEP_RATIO = Decimal("0.05")


def trained(site: int, round_number: int) -> npt.NDArray[np.float64]:
    """Return what the node process of a site gives for training; see ``NoTraining``."""
    drawn = np.random.default_rng([site, round_number, 1]).random(ELEMENTS, np.float32)
    return (drawn * np.float32(0.01)).astype(np.float64)


def test_sparse_updates_are_made_combined_and_audited(tmp_path: Path) -> None:
    update = {"codec": "topk-int8", "keep_ratio": str(KEEP_RATIO)}
    with running_fleet(tmp_path, 3, ROUNDS, elements=ELEMENTS, update=update) as (fleet, _, run):
        for site in fleet.consortium.sites:
            fleet.start(site)
        fleet.finish(run)
        assert_one_record_each(fleet, run, ROUNDS)
        assert_audit_passes(fleet, run)
        history = fleet.consortium.history(run)
        layout = Layout((TensorSpec("weight", (ELEMENTS,)),))
        plan = plan_of("topk-int8", layout, keep_ratio=KEEP_RATIO)
        for site in fleet.consortium.sites:
            sent = np.zeros(ELEMENTS)
            for number in history.rounds:
                said = history.rounds[number].attempts[1].submissions[site]
                path = next(tmp_path.glob(f"*/cache/{said.commitment}"))
                assert path.stat().st_size < 4 * ELEMENTS // 20
                with open_update(path, "update", plan, StateShape.plain(layout)) as file:
                    sent += read_all(file)
            wanted = sum(trained(site, number) for number in history.rounds)
            (kept,) = fleet.consortium.home(site).rglob(f"kept/{ROUNDS}-1.safetensors")
            arrays, _ = decode_tensors(kept.read_bytes(), "kept")
            assert np.allclose(sent + arrays["residual/weight"], wanted, atol=1e-6)
            assert np.linalg.norm(sent) < np.linalg.norm(wanted) / 2

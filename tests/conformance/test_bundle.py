"""A bundle and the live chain it was made from: one audit, the same findings."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fednet.audit import AuditReport, audit_run
from fednet.blobs.bundled import BundledStore
from fednet.ledger.bundle.export import Exported, export_run
from fednet.ledger.bundle.reader import BundleReader
from tests.chain_fixtures import ChainWorld
from tests.handmade import HandmadeRun


def audit_live(made: HandmadeRun, world: ChainWorld) -> AuditReport:
    with closing(made.store()) as store:
        return audit_run(world.reader, store, made.run, work_dir=made.folder)


def audit_bundle(path: Path) -> AuditReport:
    reader = BundleReader(path)
    with closing(BundledStore(reader.spans())) as store:
        return audit_run(reader, store, reader.run_id)


def export(made: HandmadeRun, world: ChainWorld, path: Path, **options: Any) -> Exported:
    with closing(made.store()) as store:
        return export_run(world.reader, made.run, path, store, fetch_seconds=1.0, **options)


@pytest.fixture
def made(chain_world: ChainWorld, tmp_path: Path) -> HandmadeRun:
    folder = tmp_path / "made"
    folder.mkdir()
    made = HandmadeRun(chain_world, folder, sites=3, rounds=3, elements=1_000)
    made.play(2)
    made.claim(1)
    return made


def test_bundle_is_audited_as_the_live_chain_is(
    made: HandmadeRun, chain_world: ChainWorld, tmp_path: Path
) -> None:
    path = tmp_path / "run.fednet"
    exported = export(made, chain_world, path)
    assert exported.complete
    assert exported.unproven == ""
    live, offline = audit_live(made, chain_world), audit_bundle(path)
    assert live.verified, [each.to_json() for each in live.findings]
    assert live.proof.proven
    assert len(live.rounds) >= 2
    assert json.dumps(live.to_json()) == json.dumps(offline.to_json())

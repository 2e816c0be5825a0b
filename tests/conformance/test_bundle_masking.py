"""Masked rounds in a bundle: told and proven without a chain, with the shares among its blobs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fednet.domain.masking_events import MASKING_EVENTS
from fednet.ledger.bundle.export import export_run
from fednet.ledger.bundle.reader import BundleReader
from tests import ledger_acts as acts
from tests.chain_fixtures import ChainWorld
from tests.conformance.test_ledger_proofs import claims_of


def test_masked_rounds_are_told_and_proven_offline(chain_world: ChainWorld, tmp_path: Path) -> None:
    live, path = chain_world.reader, tmp_path / "run.fednet"
    run, hospitals = acts.masked_run(chain_world)
    acts.mask_round(chain_world, run, hospitals, b"")
    proposal = acts.propose(chain_world, run, hospitals)
    for hospital in hospitals[:2]:
        acts.attest(proposal, hospital)
    exported = export_run(live, run, path, None, fetch_seconds=0.1)
    offline = BundleReader(path)
    assert offline.masking_times(run) == acts.MASKING_TIMES
    assert offline.masking_state(run) == live.masking_state(run)
    assert offline.masking_log() == live.masking_log()
    records = offline.masking_events(run)
    assert records == live.masking_events(run)
    assert len(records) == offline.masking_log().records

    claims = claims_of(offline, run)
    kinds, events = (*claims.kinds, *MASKING_EVENTS), [*claims.events, *records]
    proof = offline.prove(replace(claims, kinds=kinds, events=events))
    assert (proof.problems, proof.proven) == ((), True)
    assert "running hash of masked rounds" in proof.stored
    forged = replace(claims, kinds=kinds, events=events[:-1], masking=claims.running_hash)
    assert sorted(each.code for each in offline.prove(forged).problems) == [
        "log-dropped",
        "storage-differs",
    ]
    wanted = {entry.what: entry.needed for entry in exported.missing}
    for hospital in hospitals:
        for kind in ("dealt", "disclosed"):
            name = f"shares {kind} by site {hospital.site} in round 1, attempt 1"
            assert wanted[name], name

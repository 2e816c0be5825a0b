from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from fednet.domain.identity import RoundNumber, RunId, SiteId
from fednet.errors import DataError
from fednet.node import Progress, SaltedData, StatusFile, create_salt


def test_data_commitment_is_the_hash_of_salt_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"1,2,3\n")
    create_salt(tmp_path / "keys" / "salt")
    salt = (tmp_path / "keys" / "salt").read_bytes()
    data = SaltedData(tmp_path / "data.csv", tmp_path / "keys" / "salt")
    assert data.commitment() == hashlib.sha256(salt + b"1,2,3\n").digest()


def test_data_commitment_changes_with_one_byte(tmp_path: Path) -> None:
    create_salt(tmp_path / "salt")
    data = SaltedData(tmp_path / "data", tmp_path / "salt")
    data.path.write_bytes(b"1,2,3\n")
    before = data.commitment()
    data.path.write_bytes(b"1,2,4\n")
    assert data.commitment() != before


def test_salt_is_private_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "salt"
    create_salt(path)
    first = path.read_bytes()
    create_salt(path)
    assert path.read_bytes() == first
    assert path.stat().st_mode & 0o777 == 0o600


def test_data_that_is_missing_is_a_data_error(tmp_path: Path) -> None:
    create_salt(tmp_path / "salt")
    with pytest.raises(DataError, match="private data"):
        SaltedData(tmp_path / "none", tmp_path / "salt").commitment()


def test_a_salt_that_is_missing_or_short_is_a_data_error(tmp_path: Path) -> None:
    data = SaltedData(tmp_path / "data", tmp_path / "salt")
    data.path.write_bytes(b"1")
    with pytest.raises(DataError, match="salt"):
        data.commitment()
    data.salt_path.write_bytes(b"short")
    with pytest.raises(DataError, match="not a salt"):
        data.commitment()


def test_status_file_keeps_the_latest_of_every_run(tmp_path: Path) -> None:
    status = StatusFile(tmp_path / "status.json", SiteId(7))
    for run, act in ((1, "train"), (2, "wait"), (1, "submit")):
        status(Progress(RunId(run), RoundNumber(1), 1, "collecting", act))
    read = json.loads((tmp_path / "status.json").read_text())
    assert read["site"] == 7
    assert {run: entry["act"] for run, entry in read["runs"].items()} == {
        "1": "submit",
        "2": "wait",
    }


def test_status_file_on_a_disk_that_refuses_does_not_stop_the_node(tmp_path: Path) -> None:
    status = StatusFile(tmp_path / "gone" / "status.json", SiteId(7))
    status(Progress(RunId(1), RoundNumber(1), 1, "collecting", "wait"))
    assert not (tmp_path / "gone").exists()

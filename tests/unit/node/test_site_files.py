from __future__ import annotations

import hashlib
import json
import subprocess
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


def folder_of(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def test_a_folder_is_committed_to_by_the_listing_that_sha256sum_gives(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path / "data", {"state.json": b"{}", "part/b.arrow": b"2", "part/a.arrow": b"1"}
    )
    create_salt(tmp_path / "salt")
    listed = subprocess.run(
        "find * -type f | LC_ALL=C sort | xargs sha256sum",
        shell=True, cwd=folder, capture_output=True, check=True,
    ).stdout  # fmt: skip
    salt = (tmp_path / "salt").read_bytes()
    expected = hashlib.sha256(salt + b"fednet data folder\n" + listed).digest()
    assert SaltedData(folder, tmp_path / "salt").commitment() == expected


@pytest.mark.parametrize(
    "files",
    [
        {"a": b"1", "b": b"3"},
        {"a": b"1", "c": b"2"},
        {"a": b"2", "b": b"1"},
        {"a": b"1", "b": b"2", "sub/c": b""},
        {"a": b"1", "sub/b": b"2"},
    ],
)
def test_a_folders_commitment_follows_every_name_and_byte(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    create_salt(tmp_path / "salt")
    one = folder_of(tmp_path / "one", {"b": b"2", "a": b"1"})
    same = folder_of(tmp_path / "same", {"a": b"1", "b": b"2"})
    (same / "empty").mkdir()
    other = folder_of(tmp_path / "other", files)
    found = [SaltedData(each, tmp_path / "salt").commitment() for each in (one, same, other)]
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_a_folder_with_a_link_or_without_a_file_is_refused(tmp_path: Path) -> None:
    create_salt(tmp_path / "salt")
    folder = folder_of(tmp_path / "data", {"a": b"1"})
    (folder / "link").symlink_to(tmp_path / "salt")
    with pytest.raises(DataError, match="something else than files") as caught:
        SaltedData(folder, tmp_path / "salt").commitment()
    assert caught.value.actual == "'link'"
    (tmp_path / "empty" / "sub").mkdir(parents=True)
    with pytest.raises(DataError, match="holds no file"):
        SaltedData(tmp_path / "empty", tmp_path / "salt").commitment()


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

"""The archive's form, and files that only look like one: each gives one clear error."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fednet.errors import FednetError, MalformedBlobError
from fednet.ledger.bundle.archive import ALIGNMENT_BYTES, Archive, writing

BLOB = "blobs/" + "0a" * 32
MEMBERS = {"bundle.json": b"{}", BLOB: bytes(range(256)) * 100, "headers.rlp": b""}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "sound.fednet"
    with writing(path) as (archive, _):
        for name, data in MEMBERS.items():
            archive.add(name, data)
        archive.finish()
    return path


def zipped(write: Callable[[zipfile.ZipFile], None]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        write(archive)
    return buffer.getvalue()


def refused(path: Path, data: bytes) -> MalformedBlobError:
    path.write_bytes(data)
    with pytest.raises(MalformedBlobError, match="the bundle is not sound") as caught:
        Archive(path)
    assert caught.value.hint
    return caught.value


def test_members_are_read_where_they_stand_on_pages_of_their_own(path: Path) -> None:
    archive = Archive(path)
    assert archive.names() == list(MEMBERS)
    for name, data in MEMBERS.items():
        span = archive.span(name)
        assert span is not None
        assert span.offset % ALIGNMENT_BYTES == 0
        assert span.read_bytes() == archive.read(name, 1 << 20) == data


def test_any_unzip_program_reads_it(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {each: archive.read(each) for each in archive.namelist()} == MEMBERS


def test_same_members_give_the_same_bytes(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.fednet"
    with writing(again) as (archive, _):
        for name, data in MEMBERS.items():
            archive.add(name, data)
        archive.finish()
    assert again.read_bytes() == path.read_bytes()


def test_no_file_is_left_of_an_export_that_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with writing(tmp_path / "half.fednet") as (archive, _):
            archive.add("bundle.json", b"{}")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_truncation_anywhere_is_refused(path: Path) -> None:
    data = path.read_bytes()
    for length in (0, 1, 21, 22, 100, len(data) // 2, len(data) - 23, len(data) - 1):
        refused(path, data[:length])
    refused(path, data + b"\0")
    refused(path, data[1:])


def test_a_damaged_byte_never_leads_to_another_kind_of_error(path: Path) -> None:
    data = path.read_bytes()
    directory = data.index(b"PK\1\2")
    refusals = []
    for at in [*range(80), *range(directory, len(data))]:
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            archive = Archive(path)
            for name in archive.names():
                archive.read(name, 1 << 20)
        except FednetError as exc:
            refusals.append(exc.message)
    assert len(refusals) > 100
    assert {each.startswith("the bundle is not sound") for each in refusals} == {True}


def test_large_member_is_not_read(path: Path) -> None:
    with pytest.raises(MalformedBlobError, match="larger than 100 bytes"):
        Archive(path).read(BLOB, 100)
    with pytest.raises(MalformedBlobError, match="it is missing"):
        Archive(path).read("state.json", 100)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "blobs/../bundle.json", "blobs/0A", "x" * 60_000]
)
def test_foreign_name_is_refused(path: Path, name: str) -> None:
    assert (
        "which no bundle holds"
        in refused(path, zipped(lambda archive: archive.writestr(name, b""))).message
    )


def test_member_that_is_there_twice_is_refused(path: Path) -> None:
    def twice(archive: zipfile.ZipFile) -> None:
        archive.writestr("bundle.json", b"{}")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("bundle.json", b"[]")

    assert "twice" in refused(path, zipped(twice)).message


def test_bomb_is_refused_unopened(path: Path) -> None:
    def bomb(archive: zipfile.ZipFile) -> None:
        archive.writestr(BLOB, bytes(10_000_000), zipfile.ZIP_DEFLATED)

    assert "no plain stored file" in refused(path, zipped(bomb)).message


def test_symbolic_link_is_refused(path: Path) -> None:
    def link(archive: zipfile.ZipFile) -> None:
        entry = zipfile.ZipInfo(BLOB)
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")

    assert "no plain stored file" in refused(path, zipped(link)).message


def test_overlapping_members_are_refused(path: Path) -> None:
    data = path.read_bytes()
    entry = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    size = len(MEMBERS[BLOB]) + 100_000
    larger = bytearray(data)
    larger[entry + 20 : entry + 28] = size.to_bytes(4, "little") * 2
    assert "overlap" in refused(path, bytes(larger)).message

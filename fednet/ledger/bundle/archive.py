"""A ZIP archive in its plainest form: members stored, page-aligned, read where they stand.

Any unzip program opens it. This reader takes only what this writer makes: no
compression (so no bomb), no encryption, no member twice, no overlap, no link, no
name but the known ones (so no path leads anywhere). Format:
https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO

from fednet.domain.blobs import FileSpan
from fednet.errors import MalformedBlobError, SettingsError

ALIGNMENT_BYTES = 4_096
BLOB_FOLDER = "blobs/"
_NAME = re.compile(
    r"(bundle|deployment|state)\.json|(headers|receipts|storage)\.rlp|blobs/[0-9a-f]{64}"
)
_CHUNK_SIZE_BYTES = 1 << 20
_MOST_MEMBERS = 1 << 20
_MAX_DIRECTORY_SIZE_BYTES = 256 << 20
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_SHORT, _LONG = 0xFFFF, 0xFFFFFFFF
_EXTRA_64, _EXTRA_PADDING = 0x0001, 0xD935
_HINT = "export the bundle again, or ask for another copy of it"


@dataclass(frozen=True, slots=True)
class Member:
    """One member, by where its bytes stand."""

    name: str
    offset: int
    size_bytes: int
    crc: int


class ArchiveWriter:
    """Write members one after the other."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._file = file

    def add(self, name: str, data: bytes) -> None:
        """Write a member from memory."""
        with self.member(name) as target:
            target.write(data)

    @contextmanager
    def member(self, name: str) -> Iterator[BinaryIO]:
        """Write a member part by part; its data begins on a page."""
        entry = zipfile.ZipInfo(name)
        entry.external_attr = (stat.S_IFREG | 0o644) << 16
        # The writer itself adds 20 bytes that hold sizes beyond 4 GB.
        start = self._file.tell() + _LOCAL.size + len(name) + 4 + 20
        padding = -start % ALIGNMENT_BYTES
        entry.extra = struct.pack("<2H", _EXTRA_PADDING, padding) + bytes(padding)
        with self._zip.open(entry, "w", force_zip64=True) as target:
            yield target  # type: ignore[misc]
        entry.extra = b""

    def finish(self) -> None:
        """Write the directory."""
        self._zip.close()


@contextmanager
def writing(path: Path) -> Iterator[tuple[ArchiveWriter, Path]]:
    """Write an archive that appears whole and durable under its name, or not at all.

    Gives the writer and the file's name until it is complete.

    Raises:
        SettingsError: It cannot be written.
    """
    unfinished: Path | None = None
    try:
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            unfinished = Path(file.name)
            writer = ArchiveWriter(file)  # type: ignore[arg-type]
            try:
                yield writer, unfinished
            finally:
                writer.finish()
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        unfinished.replace(path)
        unfinished = None
    except OSError as exc:
        raise SettingsError(
            f"cannot be written: {exc.strerror}", subject=str(path),
            hint="check that the folder exists and that the disk has room",
        ) from exc  # fmt: skip
    finally:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)


class Archive:
    """Read an archive's directory; members are read when they are asked for.

    Raises:
        MalformedBlobError: It is damaged, cut short, or not of this form.
        SettingsError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._members = _read_members(file, str(path))
        except OSError as exc:
            raise SettingsError(f"cannot be read: {exc.strerror}", subject=str(path)) from exc
        except (struct.error, UnicodeDecodeError, OverflowError) as exc:
            raise damaged(str(path), "its directory cannot be read") from exc

    def names(self) -> list[str]:
        """List the members."""
        return list(self._members)

    def span(self, name: str) -> FileSpan | None:
        """Say where a member's bytes stand; None if there is no such member."""
        member = self._members.get(name)
        return FileSpan(self.path, member.offset, member.size_bytes) if member else None

    def read(self, name: str, size_cap_bytes: int) -> bytes:
        """Read a member whole, and check its check sum.

        Raises:
            MalformedBlobError: It is missing, too large, or damaged.
        """
        member, subject = self._members.get(name), f"{self.path}: {name}"
        if member is None:
            raise damaged(subject, "it is missing")
        if member.size_bytes > size_cap_bytes:
            raise damaged(subject, f"it is larger than {size_cap_bytes} bytes")
        data = FileSpan(self.path, member.offset, member.size_bytes).read_bytes()
        if len(data) != member.size_bytes or zlib.crc32(data) != member.crc:
            raise damaged(subject, "its check sum is wrong")
        return data


def damaged(subject: str, why: str) -> MalformedBlobError:
    """Make the one error for every way in which a bundle can be unreadable."""
    return MalformedBlobError(f"the bundle is not sound: {why}", subject=subject, hint=_HINT)


def _read_members(file: BinaryIO, subject: str) -> dict[str, Member]:
    size_bytes = os.fstat(file.fileno()).st_size
    count, length, start = _find_directory(file, size_bytes, subject)
    if count > _MOST_MEMBERS or length > min(_MAX_DIRECTORY_SIZE_BYTES, size_bytes):
        raise damaged(subject, "its directory is too large")
    directory = _at(file, start, length, subject)
    members: dict[str, Member] = {}
    at, ends = 0, []
    for _ in range(count):
        at, member, header = _read_entry(file, directory, at, subject)
        if member.name in members:
            raise damaged(subject, f"{member.name} is there twice")
        members[member.name] = member
        ends.append((header, member.offset + member.size_bytes))
    if at != length:
        raise damaged(subject, "its directory has another length than it says")
    ends.sort()
    limits = [begin for begin, _ in ends[1:]] + [start]
    if any(end > limit for (_, end), limit in zip(ends, limits, strict=False)):
        raise damaged(subject, "its members overlap or are cut short")
    return members


def _find_directory(file: BinaryIO, size_bytes: int, subject: str) -> tuple[int, int, int]:
    """Return number of entries, length and start of the directory."""
    end_at = size_bytes - _END.size
    if end_at < 0:
        raise damaged(subject, "it is cut short, or no bundle at all")
    mark, disk, _, _, count, length, start, comment = _END.unpack(
        _at(file, end_at, _END.size, subject)
    )
    if mark != b"PK\5\6" or disk or comment:
        raise damaged(subject, "it is cut short, or no bundle at all")
    if _LONG not in (length, start) and count != _SHORT:
        return count, length, start
    at = end_at - _LOCATOR_64.size
    mark, _, end_64, _ = _LOCATOR_64.unpack(_at(file, max(at, 0), _LOCATOR_64.size, subject))
    if mark != b"PK\6\7":
        raise damaged(subject, "its directory cannot be found")
    fields = _END_64.unpack(_at(file, end_64, _END_64.size, subject))
    if fields[0] != b"PK\6\6":
        raise damaged(subject, "its directory cannot be found")
    return fields[7], fields[8], fields[9]


def _read_entry(file: BinaryIO, directory: bytes, at: int, subject: str) -> tuple[int, Member, int]:
    (mark, _, _, flags, method, _, _, crc, packed, size, name_length, extra_length,
     comment_length, _, _, attributes, header) = _ENTRY.unpack_from(directory, at)  # fmt: skip
    at += _ENTRY.size
    name = directory[at : at + name_length].decode("ascii", "replace")
    extra = directory[at + name_length : at + name_length + extra_length]
    at += name_length + extra_length + comment_length
    if mark != b"PK\1\2" or not _NAME.fullmatch(name):
        raise damaged(subject, f"it holds {name[:80]!r}, which no bundle holds")
    kind = stat.S_IFMT(attributes >> 16)
    if method or flags & 1 or flags & 8 or kind not in (0, stat.S_IFREG):
        raise damaged(subject, f"{name} is no plain stored file")
    large = _sizes_64(extra, [size, packed, header])
    size, packed, header = large
    if packed != size:
        raise damaged(subject, f"{name} has two sizes")
    fields = _LOCAL.unpack(_at(file, header, _LOCAL.size, subject))
    own = _at(file, header + _LOCAL.size, fields[9], subject)
    if fields[0] != b"PK\3\4" or own != name.encode() or fields[3]:
        raise damaged(subject, f"{name} stands elsewhere than the directory says")
    offset = header + _LOCAL.size + fields[9] + fields[10]
    return at, Member(name, offset, size, crc), header


def _sizes_64(extra: bytes, values: list[int]) -> list[int]:
    """Put in the sizes and the offset that do not fit into 32 bits."""
    while len(extra) >= 4:
        tag, length = struct.unpack_from("<2H", extra)
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if tag == _EXTRA_64:
            found = iter(struct.unpack(f"<{len(body) // 8}Q", body[: len(body) // 8 * 8]))
            values = [next(found, value) if value == _LONG else value for value in values]
    return values


def _at(file: BinaryIO, offset: int, size: int, subject: str) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) != size:
        raise damaged(subject, "it is cut short")
    return data

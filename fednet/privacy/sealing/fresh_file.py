"""A file that is there whole or not at all, even if the process is killed meanwhile.

What is being written has no name in any folder (``O_TMPFILE``, Linux), so that
the kernel forgets it with the process. Where the file system cannot do that,
it has a hidden name that ends in ``PARTIAL_SUFFIX``; then a kill can leave it.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from fednet.errors import SettingsError
from fednet.privacy.sealing.folders import sync_folder

PARTIAL_SUFFIX = ".partial"
_HANDLES = Path("/proc/self/fd")
_NO_UNNAMED_FILES = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}


@contextmanager
def fresh_file(target: Path) -> Iterator[IO[bytes]]:
    """Write a private file; at the end of the block it takes the target's name, durably.

    Whatever had the name is replaced at once. If the block raises, nothing was there.

    Raises:
        SettingsError: The disk does not take it.
    """
    hidden = target.with_name(f".{secrets.token_hex(8)}{PARTIAL_SUFFIX}")
    try:
        file, is_named = _open(target.parent, hidden)
        with file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                if is_named or not _link(file.fileno(), target):
                    if not is_named:
                        _link(file.fileno(), hidden)
                    hidden.replace(target)
            except BaseException:
                with suppress(OSError):
                    hidden.unlink(missing_ok=True)
                raise
        sync_folder(target.parent)
    except OSError as exc:
        raise SettingsError(
            f"cannot be written: {exc.strerror}",
            subject=target.name,
            hint="check that the folder exists and that the disk has room",
        ) from exc


def _open(folder: Path, hidden: Path) -> tuple[IO[bytes], bool]:
    """Open a file without a name, or else with a hidden one; say whether it has one."""
    flags = os.O_WRONLY | os.O_CLOEXEC
    if _HANDLES.exists():  # by which alone it could get a name
        try:
            return os.fdopen(os.open(folder, flags | os.O_TMPFILE, 0o600), "wb"), False
        except OSError as exc:
            if exc.errno not in _NO_UNNAMED_FILES:
                raise
    return os.fdopen(os.open(hidden, flags | os.O_CREAT | os.O_EXCL, 0o600), "wb"), True


def _link(handle: int, name: Path) -> bool:
    """Give a file its name; return False if another has it."""
    # linkat(2) follows the link only when it is given a folder to start from.
    folder = os.open(name.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.link(_HANDLES / str(handle), name.name, dst_dir_fd=folder, follow_symlinks=True)
    except FileExistsError:
        return False
    finally:
        os.close(folder)
    return True

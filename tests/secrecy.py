"""Look for secrets where they must not be: in what was said, and in every byte that is kept.

A secret is looked for as it is and as people and programs write bytes: hexadecimal in
both cases, base64 in both alphabets, wherever it begins in what is written. What is compressed
or encrypted is not looked into; a stretch of a secret is not found. Where a secret belongs,
it is allowed, by file.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fednet.ledger.rpc import JsonRpc

LEAST_BYTES = 8
"""A shorter secret is found anywhere by chance; as many bytes are compared first."""
_BLOCK_SIZE_BYTES = 1 << 22
_ODD, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(42)
"""Spread what stands in eight bytes over a table."""
_TO_ADDRESS = bytes.maketrans(b"+/", b"-_")
"""From the alphabet of base64 to the one for addresses."""


@dataclass(frozen=True)
class Secret:
    """What nobody may read, and the files in which it belongs."""

    name: str
    value: bytes = field(repr=False)
    homes: frozenset[Path] = frozenset()

    def __post_init__(self) -> None:
        if len(self.value) < LEAST_BYTES:
            raise ValueError(f"{self.name} is too short to be looked for")

    def forms(self) -> list[bytes]:
        """Write the secret in every way in which it is looked for."""
        digits = self.value.hex().encode()
        found = [self.value, digits, digits.upper()]
        for before in range(3):
            wide = base64.b64encode(bytes(before) + self.value).rstrip(b"=")
            # The letters at both ends of base64 depend on what stands beside them.
            inner = wide[before and before + 1 : -1]
            found += [inner, inner.translate(_TO_ADDRESS)]
        return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Leak:
    """Where a secret was found."""

    secret: str
    place: str


def secret_in_file(name: str, path: Path, value: bytes | None = None, *also: Path) -> Secret:
    """Name a secret that is kept in a file: its content unless it is given."""
    held = path.read_bytes().strip() if value is None else value
    return Secret(name, held, frozenset((path, *also)))


def rows_of(name: str, path: Path, count: int) -> Iterator[Secret]:
    """Give some rows of a table: their text, and their numbers as programs hold them."""
    lines = path.read_text("utf-8").splitlines()[1:]
    for at in np.linspace(0, len(lines) - 1, count).astype(int):
        line = lines[at]
        numbers = np.array([float(each) for each in line.split(",")])
        yield Secret(f"{name}, row {at}", line.encode())
        for kind in (np.float32, np.float64):
            # The last column is the label, which a task may hold apart.
            held = numbers[:-1].astype(kind).tobytes()
            yield Secret(f"{name}, row {at} as {np.dtype(kind)}", held)


def leaks(
    secrets: Collection[Secret], said: Mapping[str, bytes], folders: Iterable[Path]
) -> list[Leak]:
    """List every secret that is said, or that stands in a file where it does not belong."""
    search = _Search(secrets)
    found = [
        Leak(each.name, place) for place, words in said.items() for each in search.find_in(words)
    ]
    for folder in folders:
        for path in files(folder):
            # Read, not mapped: a running chain may cut its files short meanwhile.
            kept = search.find_in(_read(path))
            found += [Leak(each.name, str(path)) for each in kept if path not in each.homes]
    return found


class _Search:
    """Look for all forms of all secrets in one passage over the bytes."""

    def __init__(self, secrets: Collection[Secret]) -> None:
        self._secrets = list(secrets)
        self._table = np.zeros(1 << (64 - int(_SHIFT)), np.bool_)
        self._begun: dict[bytes, list[tuple[bytes, int]]] = {}
        for number, secret in enumerate(self._secrets):
            for form in secret.forms():
                head = form[:LEAST_BYTES]
                self._begun.setdefault(head, []).append((form, number))
                self._table[self._places(head, 0)] = True

    def find_in(self, words: bytes) -> list[Secret]:
        """List the secrets that stand in some bytes."""
        found: set[int] = set()
        for start in range(0, len(words), _BLOCK_SIZE_BYTES):
            block = words[start : start + _BLOCK_SIZE_BYTES + LEAST_BYTES - 1]
            for shift in range(LEAST_BYTES):
                for hit in np.flatnonzero(self._table[self._places(block, shift)]):
                    at = start + shift + LEAST_BYTES * int(hit)
                    begun = self._begun.get(words[at : at + LEAST_BYTES], ())
                    found |= {number for form, number in begun if words.startswith(form, at)}
        return [self._secrets[number] for number in sorted(found)]

    @staticmethod
    def _places(data: bytes, shift: int) -> npt.NDArray[np.uint64]:
        """Hash every eighth run of eight bytes."""
        count = max(0, len(data) - shift) // LEAST_BYTES
        runs = np.frombuffer(data, "<u8", count, shift if count else 0)
        return (runs * _ODD) >> _SHIFT


def files(folder: Path) -> Iterator[Path]:
    """Walk over every regular file."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def processes() -> bytes:
    """Read arguments and environment of every process below this one."""
    found, waiting = b"", [os.getpid()]
    while waiting:
        for thread in _read(Path(f"/proc/{waiting[-1]}/task"), listing=True).split():
            waiting_for = _read(Path(f"/proc/{waiting[-1]}/task/{thread.decode()}/children"))
            waiting[:0] = [int(each) for each in waiting_for.split()]
        process = waiting.pop()
        if process != os.getpid():
            found += _read(Path(f"/proc/{process}/cmdline"))
            found += _read(Path(f"/proc/{process}/environ"))
    return found


def _read(path: Path, listing: bool = False) -> bytes:
    """Read of a process, which may be gone."""
    try:
        return " ".join(os.listdir(path)).encode() if listing else path.read_bytes()
    except OSError:
        return b""


def on_chain(url: str) -> bytes:
    """Read every byte that anybody ever wrote to a chain: calls, and what contracts logged."""
    rpc, found = JsonRpc(url), b""
    for number in range(int(rpc.call("eth_blockNumber"), 16) + 1):
        block = rpc.call("eth_getBlockByNumber", hex(number), True)
        found += b"".join(bytes.fromhex(each["input"][2:]) for each in block["transactions"])
    for log in rpc.call("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"}):
        found += bytes.fromhex("".join(part[2:] for part in (*log["topics"], log["data"])))
    rpc.close()
    return found

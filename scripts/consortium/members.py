"""A member of the consortium: its home, its password, and the commands it types."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from scripts.consortium import processes

_COMMAND_SECONDS = 120.0
_T = TypeVar("_T")


class StoryError(Exception):
    """A member's command failed; says which, and what it said."""


@dataclass(frozen=True, slots=True)
class Member:
    """One institution, with a home directory of its own."""

    name: str
    home: Path

    @classmethod
    def new(cls, name: str, folder: Path) -> Member:
        """Give a member a home with a password file in it."""
        home = folder / name.lower().replace(" ", "-")
        home.mkdir(parents=True, mode=0o700)
        password = os.open(home / "password", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(password, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(16) + "\n")
        return cls(name, home)

    def fednet(self, *arguments: object) -> str:
        """Type a command, wait for it, return what it printed.

        Raises:
            StoryError: It failed or took too long.
        """
        text, status = self.try_fednet(*arguments)
        if status:
            raise StoryError(
                f"{self.name}: fednet {_shown(arguments)}: ended with {status}\n{text}"
            )
        return text

    def try_fednet(self, *arguments: object) -> tuple[str, int]:
        """Type a command; return what it printed and its exit status."""
        try:
            done = subprocess.run(
                _command(arguments),
                env=self.environment(),
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise StoryError(f"{self.name}: fednet {_shown(arguments)}: no end in sight") from exc
        said = done.stdout
        if done.returncode and not said:
            said = done.stderr
        return said, done.returncode

    def start(self, *arguments: object, log: str) -> subprocess.Popen[bytes]:
        """Start a command that runs on, its words going to a log."""
        return processes.start(_command(arguments), self.environment(), self.home / log)

    def environment(self) -> dict[str, str]:
        """Return the environment of this member's commands."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("FEDNET_")}
        return inherited | {
            "FEDNET_HOME": str(self.home),
            "FEDNET_PASSWORD_FILE": str(self.home / "password"),
            "FEDNET_NODE_POLL_SECONDS": "0.2",
            # The demo's passwords have 128 random bits: stretching them adds nothing.
            "FEDNET_ACCOUNT_LIGHT_KDF": "true",
            "OMP_NUM_THREADS": "1",
        }


def together(jobs: Sequence[Callable[[], _T]]) -> list[_T]:
    """Do several things at once, as members of a consortium do; return what came of each."""
    with helpers(len(jobs)) as pool:
        futures = [pool.submit(job) for job in jobs]
        return [future.result() for future in futures]


@contextlib.contextmanager
def helpers(count: int) -> Iterator[ThreadPoolExecutor]:
    """Lend threads that wait for commands; after a failure nobody waits for them any more."""
    with ThreadPoolExecutor(count) as pool:
        try:
            yield pool
        except BaseException:
            processes.stop_descendants()
            raise


def _command(arguments: Sequence[object]) -> list[str]:
    return [sys.executable, "-m", "fednet.cli", *map(str, arguments)]


def _shown(arguments: Sequence[object]) -> str:
    return " ".join(map(str, arguments))

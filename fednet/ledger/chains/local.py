"""Start, find and stop a chain on this machine; its data and port stay the same.

The chain has no accounts of its own and so no key: ``fund`` gives money to
accounts whose keys are kept elsewhere, in keystores.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fednet.domain.identity import Address
from fednet.errors import FednetError, LedgerError, LedgerUnavailableError, SettingsError
from fednet.ledger.chains.engines import Engine
from fednet.ledger.chains.processes import Process, start_detached
from fednet.ledger.deployment import write_whole
from fednet.ledger.rpc import JsonRpc, RpcRefusedError

_START_TIMEOUT_SECONDS = 60.0
_STOP_PATIENCE_SECONDS = 15.0
_POLL_SECONDS = 0.02
_ASKING_TIMEOUT_SECONDS = 5.0
_MOST_PORTS = 3
"""Tried in turn, where any will do."""
_IN_USE = "address already in use"
"""What both engines say in some case."""
_PASSED_ON = ("PATH", "LANG", "TMPDIR", "TZ")


@dataclass(frozen=True, slots=True)
class ChainStatus:
    """What is known of a local chain."""

    engine: Engine
    url: str
    """Empty before the first start."""
    pid: int
    """0 if it does not run."""
    block: int | None
    """Height; None if it does not answer."""

    @property
    def is_running(self) -> bool:
        """Tell whether the process runs and answers."""
        return self.pid > 0 and self.block is not None


class LocalChain:
    """A chain that keeps everything below one directory.

    Args:
        engine: ``ganache`` or ``anvil``.
        home: Directory of this chain alone.
        port: 0 takes the port of the last start, or any free one.
        host: Address to listen on.
        is_brief: Whether it lives for one command: an Anvil then saves itself only when it is
            stopped, and knows the states of the last blocks only.
    """

    def __init__(
        self,
        engine: Engine | str,
        home: Path,
        port: int = 0,
        host: str = "127.0.0.1",
        is_brief: bool = False,
    ) -> None:
        try:
            self.engine = Engine(engine)
        except ValueError:
            raise SettingsError(
                "no such local chain", subject="engine",
                expected=" or ".join(Engine), actual=engine,
            ) from None  # fmt: skip
        self._home = home.absolute()
        self._port = port
        self._host = host
        self._is_brief = is_brief
        self._file = self._home / "chain.json"
        self.log = self._home / "chain.log"
        """What the engine prints."""

    @property
    def url(self) -> str:
        """Address of the running chain, or of its last start; empty before the first."""
        kept = self._kept()
        return f"http://{kept['host']}:{kept['port']}" if kept else ""

    def start(self) -> str:
        """Start the chain unless it runs; return its address once it answers.

        Raises:
            SettingsError: The port is in use, the directory holds another
                engine's chain, or the packages cannot be installed.
            LedgerUnavailableError: It ended, or did not answer in time.
        """
        self._make_home()
        with self._locked():
            process = self._process()
            # One that was being killed when we looked ends while we wait for it.
            if process is None or not self._answers(process):
                self._start_anew(int(self._port or self._kept().get("port", 0)))
        return self.url

    def status(self) -> ChainStatus:
        """Look at the process and ask the chain for its height."""
        process = self._process()
        return ChainStatus(
            engine=self.engine,
            url=self.url,
            pid=process.pid if process else 0,
            block=self._height() if process else None,
        )

    def stop(self) -> bool:
        """Stop the chain; tell whether it ran."""
        if not self._file.exists():
            return False
        with self._locked():
            process = self._process()
            if process is not None:
                process.stop(_STOP_PATIENCE_SECONDS)
            return process is not None

    def fund(self, address: Address, amount_wei: int) -> int:
        """Create money in an account, as only a chain of one's own can; return its balance.

        Raises:
            LedgerUnavailableError: The chain does not run.
        """
        rpc = self._rpc()
        try:
            balance = int(rpc.call("eth_getBalance", address, "latest"), 16) + amount_wei
            rpc.call(self.engine.balance_method, address, hex(balance))
        except RpcRefusedError as exc:
            raise LedgerError("the chain gives no money", actual=exc.text) from exc
        finally:
            rpc.close()
        return balance

    def pass_time(self, seconds: int) -> None:
        """Put the chain's clock forward and make a block, as only a chain of one's own can.

        Args:
            seconds: At least 1; later blocks keep what the clock is ahead.

        Raises:
            LedgerUnavailableError: The chain does not run.
        """
        rpc = self._rpc()
        try:
            rpc.call("evm_increaseTime", seconds)
            rpc.call("evm_mine")
        except RpcRefusedError as exc:
            raise LedgerError("the chain's clock stands", actual=exc.text) from exc
        finally:
            rpc.close()

    def _start_anew(self, wanted: int) -> None:
        for _ in range(_MOST_PORTS):
            if self._answers(self._start(self._choose_port(wanted))):
                return
            # Where any port will do, somebody else may have taken the chosen one meanwhile.
            if wanted or _IN_USE not in self._last_words().lower():
                break
        raise self._failed("the chain ended at its start")

    def _start(self, port: int) -> Process:
        command = self.engine.command(self._home, self._host, port, self._is_brief)
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment["HOME"] = str(self._home)  # engines keep caches in it
        try:
            process = start_detached(command, environment, self.log)
        except OSError as exc:
            raise SettingsError(
                "the chain cannot be started", subject=command[0], actual=str(exc)
            ) from exc
        kept = {
            "engine": str(self.engine), "host": self._host, "port": port,
            "pid": process.pid, "started": process.started,
        }  # fmt: skip
        write_whole(self._file, json.dumps(kept).encode(), mode=0o600)
        return process

    def _choose_port(self, port: int) -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As servers do, so that connections of the last run that fade away do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._host, port))
            except OSError as exc:
                raise SettingsError(
                    "the port is in use", subject=f"{self._host}:{port}", actual=exc.strerror,
                    hint="stop the other program, or choose another port (--port)",
                ) from exc  # fmt: skip
            return int(probe.getsockname()[1])

    def _answers(self, process: Process) -> bool:
        """Wait until the chain answers; false if its process ended instead."""
        until = time.monotonic() + _START_TIMEOUT_SECONDS
        while process.is_alive:
            if self._height() is not None:
                return True
            if time.monotonic() > until:
                process.stop(_STOP_PATIENCE_SECONDS)
                raise self._failed("the chain does not answer")
            time.sleep(_POLL_SECONDS)
        return False

    def _failed(self, what: str) -> LedgerUnavailableError:
        return LedgerUnavailableError(
            what, subject=str(self.engine), actual=self._last_words(), hint=f"see {self.log}"
        )

    def _height(self) -> int | None:
        rpc = self._rpc()
        try:
            return int(rpc.call("eth_blockNumber"), 16)
        except (FednetError, RpcRefusedError, TypeError, ValueError):
            return None
        finally:
            rpc.close()

    def _rpc(self) -> JsonRpc:
        url = self.url
        if not url:
            raise LedgerUnavailableError("the chain was never started", hint="fednet chain start")
        return JsonRpc(url, _ASKING_TIMEOUT_SECONDS)

    def _process(self) -> Process | None:
        kept = self._kept()
        if not kept:
            return None
        process = Process(int(kept["pid"]), str(kept["started"]))
        return process if process.started and process.is_alive else None

    def _kept(self) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = json.loads(self._file.read_text("utf-8"))
            engine = kept["engine"]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError) as exc:
            raise SettingsError(
                "the local chain's notes cannot be read", subject=str(self._file), actual=str(exc),
                hint="remove the file; if the chain still runs, end its process first",
            ) from exc  # fmt: skip
        if engine != self.engine:
            raise SettingsError(
                "the directory holds another chain", subject=str(self._home),
                expected=str(self.engine), actual=engine,
                hint=f"use --engine {engine}, or another home",
            )  # fmt: skip
        return kept

    def _make_home(self) -> None:
        try:
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as exc:
            raise SettingsError(
                "the directory cannot be made", subject=str(self._home), actual=exc.strerror
            ) from exc

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._home / "chain.lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield

    def _last_words(self) -> str:
        try:
            return self.log.read_text("utf-8", "replace").strip()[-500:] or "nothing"
        except OSError:
            return "nothing"

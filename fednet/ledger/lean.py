"""Import web3 and eth-account without what nothing here uses of them.

eth-keyfile imports py_ecc for the keystores of validators (EIP-2335); ours are
Web3 keystores. py_ecc costs every command half a second, and it raises Python's
recursion limit so far that deeply nested JSON from a stranger overflows the
stack and kills the process. web3 imports aiohttp for its asynchronous half,
which costs a fifth of a second. Both are given stand-ins while they are
imported; whoever else imports py_ecc or aiohttp gets the real ones, and web3's
asynchronous half finds the real aiohttp when it is used.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_BLS12_381_ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
_AIOHTTP = ("ClientResponse", "ClientSession", "ClientTimeout", "TCPConnector")
"""What web3 takes from aiohttp; annotations, and classes it makes objects of when asked."""


def import_keyfile() -> None:
    """Import eth-keyfile with stand-ins, or as it is if it has become another."""
    pairings: dict[str, dict[str, object]] = {
        "py_ecc.bls": {"G2ProofOfPossession": None},
        "py_ecc.bls12_381": {"curve_order": _BLS12_381_ORDER},
    }
    limit = sys.getrecursionlimit()
    if not _import("eth_keyfile", "py_ecc", pairings):
        sys.setrecursionlimit(limit)


def import_web3() -> None:
    """Import web3 with stand-ins, or as it is if it has become another."""
    classes: dict[str, object] = {name: _later("aiohttp", name) for name in _AIOHTTP}
    # Only asked which errors to try again after.
    classes["ClientError"] = Exception
    _import("web3", "aiohttp", {"aiohttp": classes})


def _import(name: str, package: str, contents: Mapping[str, Mapping[str, object]]) -> bool:
    """Import a module while some modules of a package are stood in for; say if that worked."""
    spec = find_spec(package)
    if spec is None or package in sys.modules or name in sys.modules:
        return True
    for each in (package, *contents):
        sys.modules[each] = ModuleType(each)
        vars(sys.modules[each]).update(contents.get(each, {}))
    sys.modules[package].__path__ = list(spec.submodule_search_locations or ())
    try:
        importlib.import_module(name)
    except ImportError:
        _forget(package)
        importlib.import_module(name)
        return False
    _forget(package)
    return True


def _forget(package: str) -> None:
    # A copy, as other threads may be importing.
    for name in list(sys.modules):
        if name.split(".")[0] == package:
            del sys.modules[name]


def _later(package: str, name: str) -> type:
    """Stand in for a class: whoever makes an object of it gets one of the real class."""

    def make(_: type, *given: Any, **named: Any) -> object:  # noqa: ANN401 - the real class's
        real: Callable[..., object] = getattr(importlib.import_module(package), name)
        return real(*given, **named)

    return type(name, (), {"__new__": make})

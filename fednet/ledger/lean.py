"""Import eth-account without the pairing cryptography that nothing here uses.

eth-keyfile imports py_ecc for the keystores of validators (EIP-2335); ours are
Web3 keystores. py_ecc costs every command half a second, and it raises Python's
recursion limit so far that deeply nested JSON from a stranger overflows the
stack and kills the process. So eth-keyfile is given stand-ins for the two
modules while it is imported; whoever else imports py_ecc gets the real ones.
"""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from types import ModuleType

_PACKAGE = "py_ecc"
_BLS12_381_ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001


def import_keyfile() -> None:
    """Import eth-keyfile with stand-ins, or as it is if it has become another."""
    limit = sys.getrecursionlimit()
    spec = find_spec(_PACKAGE)
    if spec is None or _PACKAGE in sys.modules or "eth_keyfile" in sys.modules:
        return
    package = ModuleType(_PACKAGE)
    package.__path__ = list(spec.submodule_search_locations or ())
    pairings, curve = ModuleType(f"{_PACKAGE}.bls"), ModuleType(f"{_PACKAGE}.bls12_381")
    vars(pairings)["G2ProofOfPossession"] = None
    vars(curve)["curve_order"] = _BLS12_381_ORDER
    sys.modules.update({module.__name__: module for module in (package, pairings, curve)})
    try:
        importlib.import_module("eth_keyfile")
        _forget()
    except ImportError:
        _forget()
        importlib.import_module("eth_keyfile")
        sys.setrecursionlimit(limit)


def _forget() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == _PACKAGE]:
        del sys.modules[name]

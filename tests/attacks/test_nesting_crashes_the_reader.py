"""The lie: JSON nested so deeply that the parser's own stack overflows and the process dies.

py_ecc, which comes with web3, raises Python's recursion limit a hundredfold and
so takes away the guard that json relies on. What must hold: canonical JSON
refuses before it parses, and the ledger's imports leave the limit alone.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from fednet.domain import canonical
from tests.attacks.lie import Liar, Lie, reader

LIE = Lie(
    "JSON is nested so deeply that whoever reads it dies",
    Liar.STRANGER,
    (reader("MalformedBlobError"),),
)


DEPTH = 90_000
DEEP = {
    "lists": b"[" * DEPTH + b"]" * DEPTH,
    "lists that never end": b"[" * DEPTH,
    "objects": b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
    "after a text with brackets": b'["]]]]",' + b"[" * DEPTH + b"]" * DEPTH + b"]",
}


@pytest.mark.parametrize("data", DEEP.values(), ids=DEEP.keys())
def test_nesting_is_refused_before_it_is_parsed(data: bytes) -> None:
    with LIE.refused("MalformedBlobError"):
        canonical.decode(data, "blob")


def test_honest_brackets_inside_a_text_are_no_nesting() -> None:
    value = {"text": '[{"' * 1_000}
    assert canonical.decode(canonical.encode(value), "blob") == value


def test_ledger_leaves_the_recursion_limit_alone() -> None:
    program = (
        "import sys; before = sys.getrecursionlimit();"
        "import fednet.ledger.keystore, fednet.ledger.reader, fednet.ledger.writer;"
        "assert sys.getrecursionlimit() == before;"
        "assert not any(name.split('.')[0] == 'py_ecc' for name in sys.modules);"
        "import py_ecc.bls; assert py_ecc.bls.G2ProofOfPossession is not None"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

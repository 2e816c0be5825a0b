from __future__ import annotations

import subprocess
import sys

_LOOK = """
import sys
import fednet.explorer
held = [name for name in sys.modules if name.startswith((
    "fednet.ledger.keystore", "fednet.ledger.writer", "fednet.ledger.sending", "fednet.node",
    "fednet.learning", "torch", "web3"))]
print(" ".join(held))
"""


def test_the_explorer_loads_nothing_that_holds_a_key_or_acts() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOOK], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""

"""Somebody stores an update without its last bytes, as a file that is whole in itself."""

from __future__ import annotations

import pytest

from fednet.audit import RoundVerdict
from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.tampering import require_control, require_found, verdicts
from tests.attacks.vault import Vault

LIE = Lie(
    "A stored update is truncated",
    Liar.STORE,
    (Found("blob-altered", 9),),
    duty="every member that pinned it",
)


@pytest.mark.parametrize("kept", ["all but a byte", "half"])
def test_truncated_update_is_found(vault: Vault, finished: Finished, kept: str) -> None:
    victim = finished.update(1).commitment
    whole = vault.content(victim)
    left = whole[:-1] if kept != "half" else whole[: len(whole) // 2]
    report = require_found(LIE, vault, finished, victim, left)
    assert verdicts(report)[0] is RoundVerdict.UNVERIFIABLE


def test_honest_bytes_are_verified(vault: Vault, finished: Finished) -> None:
    require_control(vault, finished)

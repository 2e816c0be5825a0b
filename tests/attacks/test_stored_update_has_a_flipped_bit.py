"""Somebody flips one bit of a stored update after its round became final.

The audit never says that such a round is in order, and accuses nobody of what
anybody with the disk could have done.
"""

from __future__ import annotations

from fednet.audit import RoundVerdict
from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.tampering import require_control, require_found, verdicts
from tests.attacks.vault import Vault, flip_last_bit

LIE = Lie(
    "One bit of a stored update is flipped",
    Liar.STORE,
    (Found("blob-altered", 9),),
    duty="every member that pinned it",
)


def test_flipped_bit_is_found(vault: Vault, finished: Finished) -> None:
    victim = finished.update(1, 2).commitment
    changed = flip_last_bit(vault.content(victim))
    report = require_found(LIE, vault, finished, victim, changed)
    assert verdicts(report) == [RoundVerdict.VERIFIED, RoundVerdict.UNVERIFIABLE]


def test_honest_bytes_are_verified(vault: Vault, finished: Finished) -> None:
    require_control(vault, finished)

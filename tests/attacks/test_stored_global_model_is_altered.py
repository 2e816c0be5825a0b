"""Somebody changes the stored global model of a round.

The updates are there, so the round itself is still recomputed and verified; the
model that is served is reported, and nobody takes it for the run's.
"""

from __future__ import annotations

from fednet.audit import RoundVerdict
from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.tampering import require_control, require_found, verdicts
from tests.attacks.vault import Vault, flip_last_bit

LIE = Lie(
    "The stored global model is altered",
    Liar.STORE,
    (Found("blob-altered", 9),),
    duty="every member that pinned it",
)


def test_altered_model_is_found(vault: Vault, finished: Finished) -> None:
    for number in (1, 2):
        state = finished.proposed(number).state
        changed = flip_last_bit(vault.content(state))
        report = require_found(LIE, vault, finished, state, changed)
        assert verdicts(report) == [RoundVerdict.VERIFIED] * 2


def test_honest_bytes_are_verified(vault: Vault, finished: Finished) -> None:
    require_control(vault, finished)

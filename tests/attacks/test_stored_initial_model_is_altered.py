"""Somebody changes the stored initial model, which round 1 cannot be recomputed without."""

from __future__ import annotations

from fednet.audit import RoundVerdict
from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.tampering import require_control, require_found, verdicts
from tests.attacks.vault import Vault, flip_last_bit

LIE = Lie(
    "The stored initial model is altered",
    Liar.STORE,
    (Found("blob-altered", 9),),
    duty="the run's researcher",
)


def test_altered_initial_model_is_found(vault: Vault, finished: Finished) -> None:
    model = finished.opened.initial_model
    report = require_found(LIE, vault, finished, model, flip_last_bit(vault.content(model)))
    assert verdicts(report)[0] is RoundVerdict.UNVERIFIABLE


def test_honest_bytes_are_verified(vault: Vault, finished: Finished) -> None:
    require_control(vault, finished)

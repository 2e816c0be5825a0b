"""Somebody changes the stored plan, to make a run look as if it had agreed on something else."""

from __future__ import annotations

from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.tampering import require_control, require_found
from tests.attacks.vault import Vault

LIE = Lie(
    "The stored plan is altered",
    Liar.STORE,
    (Found("blob-altered", 9), Found("nothing-to-verify", 17)),
    duty="the run's researcher",
)


def test_altered_plan_is_found(vault: Vault, finished: Finished) -> None:
    before = vault.content(finished.opened.plan)
    changed = before.replace(b'"per_round":1000', b'"per_round":9000')
    assert changed != before
    report = require_found(LIE, vault, finished, finished.opened.plan, changed)
    assert report.rounds == ()


def test_honest_bytes_are_verified(vault: Vault, finished: Finished) -> None:
    require_control(vault, finished)

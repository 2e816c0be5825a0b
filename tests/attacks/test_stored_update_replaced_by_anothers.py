"""Somebody stores another site's update of the same round in an update's place."""

from __future__ import annotations

from fednet.audit import RoundVerdict
from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.tampering import require_control, require_found, verdicts
from tests.attacks.vault import Vault

LIE = Lie(
    "A stored update is replaced by another site's",
    Liar.STORE,
    (Found("blob-altered", 9),),
    duty="every member that pinned it",
)


def test_anothers_update_is_not_taken_for_it(vault: Vault, finished: Finished) -> None:
    victim, other = finished.update(0).commitment, finished.update(2).commitment
    report = require_found(LIE, vault, finished, victim, vault.content(other))
    assert verdicts(report)[0] is RoundVerdict.UNVERIFIABLE


def test_honest_bytes_are_verified(vault: Vault, finished: Finished) -> None:
    require_control(vault, finished)

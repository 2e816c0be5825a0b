"""Somebody stores a site's update of round 1 in the place of its update of round 2."""

from __future__ import annotations

from fednet.audit import RoundVerdict
from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.tampering import require_control, require_found, verdicts
from tests.attacks.vault import Vault

LIE = Lie(
    "A stored update is replaced by the same site's of another round",
    Liar.STORE,
    (Found("blob-altered", 9),),
    duty="every member that pinned it",
)


def test_another_rounds_update_is_not_taken_for_it(vault: Vault, finished: Finished) -> None:
    victim, other = finished.update(0, 2).commitment, finished.update(0, 1).commitment
    report = require_found(LIE, vault, finished, victim, vault.content(other))
    assert verdicts(report) == [RoundVerdict.VERIFIED, RoundVerdict.UNVERIFIABLE]


def test_honest_bytes_are_verified(vault: Vault, finished: Finished) -> None:
    require_control(vault, finished)

"""Everybody lets go of an update's bytes after its round became final.

The audit says missing and never altered, and whose duty it was to keep them.
"""

from __future__ import annotations

from fednet.audit import RoundVerdict, Severity
from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.tampering import require_control, require_found, verdicts
from tests.attacks.vault import Vault

LIE = Lie(
    "A stored update is deleted",
    Liar.STORE,
    (Found("blob-missing", 9), Found("round-unverifiable", 9)),
    duty="every member that pinned it",
)


def test_deleted_update_is_called_missing(vault: Vault, finished: Finished) -> None:
    report = require_found(LIE, vault, finished, finished.update(3, 2).commitment, None)
    assert verdicts(report) == [RoundVerdict.VERIFIED, RoundVerdict.UNVERIFIABLE]
    assert {each.severity for each in report.findings if each.round == 2} == {Severity.MISSING}
    assert "blob-altered" not in {each.code for each in report.findings}


def test_honest_bytes_are_verified(vault: Vault, finished: Finished) -> None:
    require_control(vault, finished)

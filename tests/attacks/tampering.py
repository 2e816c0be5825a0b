"""The course of every lie about stored bytes: an honest run, a disk changed, a disk mended."""

from __future__ import annotations

from fednet.audit import AuditReport, RoundVerdict
from fednet.domain.identity import Commitment
from tests.attacks.finished import Finished
from tests.attacks.lie import Lie, require_honest
from tests.attacks.vault import Vault


def require_found(
    lie: Lie, vault: Vault, finished: Finished, commitment: Commitment, content: bytes | None
) -> AuditReport:
    """Put other bytes in a blob's place, and check that the audit names the blob and nobody."""
    with vault.replaced(commitment, content):
        report = vault.audit(finished)
    found = lie.found(report)
    assert str(commitment) in {each.expected for each in found}
    assert not report.verified
    assert report.exit_code == 1
    return report


def require_control(vault: Vault, finished: Finished) -> None:
    """Check the same story without the lie."""
    require_honest(vault.audit(finished))


def verdicts(report: AuditReport) -> list[RoundVerdict]:
    """List the rounds' verdicts."""
    return [entry.verdict for entry in report.rounds]

"""An accusation goes where the log that it rests on is not the contract's."""

from __future__ import annotations

import pytest

from fednet.audit.accusing import PROVIDER_DUTY, withhold_accusations
from fednet.audit.checks import ATTESTATIONS, CLAIMS, RUNNING_HASH, Check
from fednet.audit.findings import Findings, Severity
from fednet.domain.identity import SiteId

SITE = SiteId(3)


def accused_after(
    check: Check, broken: tuple[Check, str] | None, severity: Severity = Severity.VIOLATION
) -> tuple[SiteId | None, str]:
    """Accuse a site beside what may have broken the log; give who is accused, and the duty."""
    findings = Findings()
    findings.add(check, "accusation", "an act", "is wrong", accused=SITE)
    if broken:
        findings.add(broken[0], broken[1], "the log", "is broken", severity=severity)
    withhold_accusations(findings)
    return findings.entries[0].accused, findings.entries[0].duty


@pytest.mark.parametrize("check", [ATTESTATIONS, CLAIMS])
def test_broken_log_accuses_nobody(check: Check) -> None:
    assert accused_after(check, (RUNNING_HASH, "log-incomplete")) == (None, PROVIDER_DUTY)


def test_broken_claims_accuse_no_claimant_and_still_the_attestor() -> None:
    broken = (CLAIMS, "balance-differs")
    assert accused_after(CLAIMS, broken) == (None, PROVIDER_DUTY)
    assert accused_after(ATTESTATIONS, broken) == (SITE, "")


def test_whole_log_and_notices_leave_accusations_alone() -> None:
    assert accused_after(CLAIMS, None) == (SITE, "")
    notice = accused_after(CLAIMS, (RUNNING_HASH, "log-incomplete"), Severity.NOTICE)
    assert notice == (SITE, "")

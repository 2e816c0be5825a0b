"""Nobody is accused on the word of a log that is not the chain's.

An accusation rests on a site's signed act. What stands for it is an event, and
events come from whoever answers for the chain. Where they do not fold to the
running hash, or do not add up to what the contracts hold, an event may have been
edited to name somebody else: what was found stays, and the accusation goes.
"""

from __future__ import annotations

from dataclasses import replace

from fednet.audit.checks import AIRLOCK, CLAIMS, DISCLOSURES, PROOF, RUNNING_HASH, STATE
from fednet.audit.findings import Finding, Findings, Severity

PROVIDER_DUTY = "whoever runs or answers for the chain, to give the whole log as it is"
_BROKEN_LOG = frozenset({RUNNING_HASH.number, STATE.number, PROOF.number})
_BROKEN_CLAIMS = frozenset({"claims-differ", "balance-differs"})


def withhold_accusations(findings: Findings) -> None:
    """Take back what accuses a site by events that the contracts do not bear out."""
    found = [each for each in findings.entries if each.severity is Severity.VIOLATION]
    log_broken = any(each.check in _BROKEN_LOG for each in found)
    claims_broken = log_broken or any(each.code in _BROKEN_CLAIMS for each in found)
    disclosures_broken = log_broken or any(each.check == DISCLOSURES.number for each in found)
    broken = {CLAIMS.number: claims_broken, AIRLOCK.number: disclosures_broken}
    for position, each in enumerate(findings.entries):
        if each.accused is not None and broken.get(each.check, log_broken):
            findings.entries[position] = _without_accused(each)


def _without_accused(finding: Finding) -> Finding:
    return replace(finding, accused=None, duty=finding.duty or PROVIDER_DUTY)

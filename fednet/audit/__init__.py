"""Re-derive a run from the ledger and the blobs: for members before they attest, for anybody after.

No torch, no key, no account. Nothing here writes to a ledger or to a store.
"""

from fednet.audit.checks import CHECKS, Check
from fednet.audit.findings import Finding, Severity
from fednet.audit.inputs import PreviousRound, RoundInputs
from fednet.audit.recomputation import (
    Combined,
    Recomputed,
    combine,
    recompute,
    settle,
    settlement_of,
)
from fednet.audit.replay import audit_run
from fednet.audit.report import AuditReport, RoundResult, RoundVerdict, SiteResult

__all__ = [
    "CHECKS",
    "AuditReport",
    "Check",
    "Combined",
    "Finding",
    "PreviousRound",
    "Recomputed",
    "RoundInputs",
    "RoundResult",
    "RoundVerdict",
    "Severity",
    "SiteResult",
    "audit_run",
    "combine",
    "recompute",
    "settle",
    "settlement_of",
]

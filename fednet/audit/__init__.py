"""Re-derive a run from the ledger and the blobs: for members before they attest, for anybody after.

No torch, no key, no account. Nothing here writes to a ledger or to a store.
"""

from fednet.audit.checks import CHECKS, Check
from fednet.audit.findings import Finding, Severity
from fednet.audit.inputs import MaskedInputs, PreviousRound, RoundInputs
from fednet.audit.judging import judge
from fednet.audit.membership import Register
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
from fednet.audit.sheets import Arrival, RowVerdict, judge_rows, locator_of

__all__ = [
    "CHECKS",
    "Arrival",
    "AuditReport",
    "Check",
    "Combined",
    "Finding",
    "MaskedInputs",
    "PreviousRound",
    "Recomputed",
    "Register",
    "RoundInputs",
    "RoundResult",
    "RoundVerdict",
    "RowVerdict",
    "Severity",
    "SiteResult",
    "audit_run",
    "combine",
    "judge",
    "judge_rows",
    "locator_of",
    "recompute",
    "settle",
    "settlement_of",
]

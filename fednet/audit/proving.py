"""Check 25: what the ledger was heard to say, against headers, receipts and storage proofs.

The running hash covers a run's own events; the register's, the grants', the
catalogue's and the claims' have none. A block's header covers all of them.
"""

from __future__ import annotations

from fednet.audit.accusing import PROVIDER_DUTY
from fednet.audit.checks import PROOF
from fednet.audit.findings import Findings, Severity
from fednet.audit.snapshot import KINDS, Snapshot
from fednet.domain.ports import LedgerReader
from fednet.domain.proofs import LedgerClaims, LogProof


def check_proof(reader: LedgerReader, snapshot: Snapshot, findings: Findings) -> LogProof:
    """Note every event and every stored value that blocks do not bear out.

    Raises:
        LedgerError: The ledger does not give its blocks.
    """
    claims = LedgerClaims(
        run=snapshot.run_id,
        module=snapshot.run.module,
        head=snapshot.head,
        running_hash=snapshot.running_hash,
        settlements=snapshot.settlements,
        kinds=KINDS,
        events=[*snapshot.events, *snapshot.run_events],
        blocks=snapshot.blocks,
    )
    proof = reader.prove(claims)
    for problem in proof.problems:
        findings.add(
            PROOF,
            problem.code,
            problem.subject,
            problem.message,
            duty=PROVIDER_DUTY,
            expected=problem.expected,
            actual=problem.actual,
        )
    if not proof.proven and not proof.problems:
        findings.add(
            PROOF,
            "unproven",
            f"events up to block {snapshot.head.number}",
            f"unproven on this chain: {proof.reason}",
            severity=Severity.NOTICE if proof.skipped else Severity.MISSING,
            duty=PROVIDER_DUTY,
        )
    return proof

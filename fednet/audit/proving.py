"""Check 25: what the ledger was heard to say, against headers, receipts and storage proofs.

One running hash covers a run's own events, one the disclosures and one the records of
masked rounds; the register's, the grants', the catalogue's and the claims' have none.
A block's header covers all.
"""

from __future__ import annotations

from collections.abc import Mapping

from fednet.audit.accusing import PROVIDER_DUTY
from fednet.audit.checks import PROOF
from fednet.audit.findings import Findings, Severity
from fednet.audit.snapshot import KINDS, Snapshot
from fednet.domain.identity import Digest
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
        disclosures=snapshot.disclosures.running_hash,
        masking=snapshot.masking.running_hash,
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
    if proof.proven and not proof.stored:
        findings.add(
            PROOF,
            "storage-unproven",
            f"storage at block {snapshot.head.number}",
            "no proof of the contracts' code and of what they hold is given;"
            " the events are proven, and what they add up to",
            severity=Severity.NOTICE,
            duty=PROVIDER_DUTY,
        )
    return proof


def check_pins(
    reader: LedgerReader,
    snapshot: Snapshot,
    proof: LogProof,
    pins: Mapping[int, Digest],
    findings: Findings,
) -> int:
    """Compare blocks with hashes that are known from elsewhere.

    Returns:
        The last block up to which they prove the history, -1 for none.

    Raises:
        LedgerError: The ledger does not give a block.
    """
    within = sorted(number for number in pins if number <= snapshot.head.number)
    for number in sorted(pins.keys() - set(within)):
        findings.add(
            PROOF,
            "pin-beyond",
            f"block {number}",
            f"pinned, and beyond the head at block {snapshot.head.number}: history is missing",
            severity=Severity.MISSING,
            duty=PROVIDER_DUTY,
            expected=pins[number],
        )
    kept = -1
    for block in reader.blocks(within):
        if findings.require_equal(
            PROOF,
            "pin-differs",
            f"block {block.number}",
            "its hash is not the pinned one: this is another chain, or its history was rewritten",
            pins[block.number],
            block.block_hash,
        ):
            kept = block.number
    return kept if proof.proven else -1

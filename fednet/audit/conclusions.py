"""Check 26: nobody ended a run early but on a final record that says so."""

from __future__ import annotations

from fednet.audit.checks import EARLY_END
from fednet.audit.findings import Findings
from fednet.domain.history import RoundHistory
from fednet.domain.identity import RoundNumber


def check_votes_to_end(
    number: RoundNumber, entry: RoundHistory, ends: str, findings: Findings
) -> None:
    """Accuse whoever voted to end a run with a round whose record does not say so.

    Args:
        number: The final round.
        entry: What the ledger says of it.
        ends: What the round's record, as recomputed, says of the end; empty if it goes on.
        findings: Takes what is found.
    """
    for site in sorted(entry.concluding) if not ends else ():
        findings.add(
            EARLY_END,
            "concluded-without-ground",
            f"vote of site {site} to end the run with round {number}",
            "the round's record does not say that the run ends",
            round_number=number,
            accused=site,
            expected="a record that ends the run by its target or its patience",
            actual="a record that goes on",
        )

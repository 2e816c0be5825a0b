"""Check 18: claims against what recomputed rounds earned, and balances against claims."""

from __future__ import annotations

from collections.abc import Mapping

from fednet.audit.checks import CLAIMS
from fednet.audit.findings import Findings
from fednet.audit.snapshot import Snapshot
from fednet.domain import events as ev
from fednet.domain.identity import RoundNumber, SiteId

EarnedByRound = Mapping[RoundNumber, Mapping[SiteId, int]]


def check_claims(snapshot: Snapshot, earned: EarnedByRound, findings: Findings) -> None:
    """Replay claims and transfers of a run.

    Args:
        snapshot: What the ledger says.
        earned: Cumulative credits by final round that could be recomputed.
        findings: Where to note what is wrong.
    """
    claimed: dict[SiteId, int] = {}
    balance: dict[SiteId, int] = {}
    for event in snapshot.events:
        if isinstance(event, ev.CreditsClaimed) and event.run == snapshot.run_id:
            _check_claim(event, claimed.get(event.site, 0), earned, findings)
            claimed[event.site] = claimed.get(event.site, 0) + event.amount
            balance[event.site] = balance.get(event.site, 0) + event.amount
        elif isinstance(event, ev.CreditsTransferred) and event.run == snapshot.run_id:
            balance[event.from_site] = balance.get(event.from_site, 0) - event.amount
            balance[event.to_site] = balance.get(event.to_site, 0) + event.amount
            _check_transfer(snapshot, event, balance[event.from_site], findings)
    subject = f"credits of run {snapshot.run_id}"
    findings.require_equal(
        CLAIMS,
        "claims-differ",
        subject,
        "the claims do not add up to the claimed total that the contract holds",
        sum(claimed.values()),
        snapshot.credit_total[0],
    )
    for site, account in snapshot.credit_accounts.items():
        findings.require_equal(
            CLAIMS,
            "balance-differs",
            f"{subject}, site {site}",
            "claimed and balance in the contract are not what the events add up to",
            (claimed.get(site, 0), balance.get(site, 0)),
            (account.claimed, account.balance),
        )


def _check_claim(
    event: ev.CreditsClaimed, before: int, earned: EarnedByRound, findings: Findings
) -> None:
    subject = f"claim of site {event.site} up to round {event.round_number}"
    findings.require_equal(
        CLAIMS,
        "claim-differs",
        subject,
        "the amount is not what was left to claim",
        event.claimed - before,
        event.amount,
        round_number=event.round_number,
        accused=event.site,
    )
    known = earned.get(event.round_number)
    if known is not None and event.claimed > known.get(event.site, 0):
        findings.add(
            CLAIMS,
            "claim-exceeds-earned",
            subject,
            "claimed more than recomputation says was earned",
            round_number=event.round_number,
            accused=event.site,
            expected=f"at most {known.get(event.site, 0)}",
            actual=event.claimed,
        )


def _check_transfer(
    snapshot: Snapshot, event: ev.CreditsTransferred, left: int, findings: Findings
) -> None:
    if snapshot.opened.transferable and left >= 0:
        return
    findings.add(
        CLAIMS,
        "transfer-unlawful",
        f"transfer from site {event.from_site} to site {event.to_site}",
        "gave more than it held" if left < 0 else "the plan lets nobody give credits away",
        accused=event.from_site,
        actual=event.amount,
    )

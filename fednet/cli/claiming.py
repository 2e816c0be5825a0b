"""What sites earned in a run, from its last final record; and the claim of it."""

from __future__ import annotations

from dataclasses import dataclass

from fednet.cli import opening, queries
from fednet.cli.app import App
from fednet.credits import CreditLedger
from fednet.domain.blobs import BlobStore
from fednet.domain.identity import RunId, SiteId
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.errors import FednetError


@dataclass(frozen=True, slots=True)
class Account:
    """One site's credits of a run."""

    site: SiteId
    name: str
    earned: int
    """By the latest final round."""
    claimed: int
    balance: int


def accounts(app: App, reader: LedgerReader, store: BlobStore, run: RunId) -> list[Account]:
    """List what every site that earned, or holds, something has."""
    record = opening.final_record(app, store, queries.last_final_round(reader, run))
    found = []
    for site, name in sorted(queries.names(reader).items()):
        held, earned = reader.credit_account(run, site), record.earned.get(site, 0)
        if earned or held.claimed or held.balance:
            found.append(Account(site, name, earned, held.claimed, held.balance))
    return found


def claim(
    app: App,
    reader: LedgerReader,
    writer: LedgerWriter,
    store: BlobStore,
    run: RunId,
    site: SiteId,
) -> int:
    """Claim all that a site earned; return how much was new.

    Raises:
        FednetError: Nothing is left to claim.
    """
    final = queries.last_final_round(reader, run)
    record = opening.final_record(app, store, final)
    earned = record.earned.get(site, 0)
    claimed = reader.credit_account(run, site).claimed
    if earned <= claimed:
        raise FednetError(
            "nothing to claim",
            subject=f"run {run}, site {site}",
            actual=f"earned {earned}, claimed {claimed}",
            hint="credits come with final rounds; `fednet rewards show` lists them",
        )
    deployment = reader.deployment
    tree = CreditLedger(deployment.chain_id, deployment.credits, run)
    proof = tree.proof(record.earned, site)
    writer.claim(run, site, final.round, record.settlement, earned, proof)
    return earned - claimed

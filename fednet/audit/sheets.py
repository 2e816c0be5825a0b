"""Judge the rows of a batch by its sheet: the one function that node and audit share.

A batcher is not trusted. A row counts only if the sheet shows the site's own
signature under what the row says; the contract verifies none of them. Nothing
here asks a ledger or a store: the sheet's bytes were verified against their
commitment, and the register is what it was when the batch came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fednet.codec import Reason
from fednet.domain.batch_signing import Module, Update
from fednet.domain.batches import BatchedUpdate, SheetEntry, read_sheet
from fednet.domain.events import UpdateSubmitted
from fednet.domain.identity import Address, Digest, Locator, SiteId
from fednet.errors import MalformedBlobError

RowVerdict = Locator | Reason
"""Where the update's bytes are, or why the row counts for nothing."""
SignerOf = Callable[[Digest, bytes], Address | None]
"""Recovers whose signature it is; None if it is nobody's."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What held when a batch came."""

    seconds: int
    """Time of its block, since 1970."""
    accounts: Mapping[SiteId, Address]
    """Account of each site that was active and had the role to take part."""


def judge_rows(
    rows: Sequence[BatchedUpdate],
    sheet: bytes,
    module: Module,
    arrival: Arrival,
    signer_of: SignerOf,
) -> dict[SiteId, RowVerdict]:
    """Judge rows of one batch, by site.

    Args:
        rows: Those that counted on the ledger.
        sheet: Its bytes.
        module: Rounds contract that the batch was handed in to.
        arrival: What held when it came.
        signer_of: Recovers signers.
    """
    if not rows:
        return {}
    try:
        entries = read_sheet(sheet, rows[0].rows, "sheet")
    except MalformedBlobError:
        return {row.site: Reason.UNSIGNED for row in rows}
    return {row.site: _judge(row, entries[row.row], module, arrival, signer_of) for row in rows}


def locator_of(submission: UpdateSubmitted, rows: Mapping[SiteId, RowVerdict]) -> Locator | None:
    """Return where a submission's bytes are; None for a row that is refused or not judged yet."""
    if not isinstance(submission, BatchedUpdate):
        return submission.locator
    verdict = rows.get(submission.site)
    return None if verdict is None or isinstance(verdict, Reason) else verdict


def update_of(row: BatchedUpdate, locator: Locator) -> Update:
    """Say what the site of a row must have signed."""
    return Update(row.run, row.round, row.attempt, row.site, row.commitment, row.weight, locator)


def _judge(
    row: BatchedUpdate, entry: SheetEntry, module: Module, arrival: Arrival, signer_of: SignerOf
) -> RowVerdict:
    account = arrival.accounts.get(row.site)
    if account is None:
        return Reason.NOT_A_MEMBER
    signed = module.digest(update_of(row, entry.locator))
    if signer_of(signed, entry.signature) != account:
        return Reason.UNSIGNED
    if row.consent.expiry <= arrival.seconds:
        return Reason.CONSENT_EXPIRED
    if not 1 <= row.weight <= row.consent.maximum_examples:
        return Reason.WEIGHT_OUT_OF_BOUNDS
    return entry.locator

"""What was let out of the sites, on a dataset's and on a run's page."""

from __future__ import annotations

import pytest

from fednet.domain import disclosure_events as de
from fednet.domain.disclosures import ReleaseStatus
from fednet.domain.identity import (
    ZERO_DIGEST,
    Commitment,
    DatasetId,
    Locator,
    ReaderId,
    RoundNumber,
    RunId,
    SiteId,
)
from tests.unit.explorer.conftest import Visit
from tests.unit.explorer.generated import ACCOUNT, Ledger, digest
from tests.unit.explorer.visiting import Visitor

RUN, FIRST, SITE, DATASET = RunId(1), RoundNumber(1), SiteId(2), DatasetId(2)
LETTER = Commitment(digest("letter"))


def disclosing() -> Ledger:
    ledger = Ledger()
    for number in (1, 2, 3):
        ledger.site(number, f"Hospital {number}")
    ledger.run(1, 3, 2)
    add, said = ledger.events.append, Commitment(digest("said"))
    add(de.CeilingSet(ledger.log(), DATASET, SITE, 3_000_000, 10_000_000, digest("grounds")))
    add(de.CeilingSet(ledger.log(), DATASET, SITE, 2_500_000, 10_000_000, ZERO_DIGEST))
    add(de.RetentionSet(ledger.log(), DATASET, SITE, 90 * 86_400))
    for number, decision in ((1, ReleaseStatus.APPROVED), (2, ReleaseStatus.REJECTED)):
        at = RoundNumber(number)
        add(de.ReleaseRequested(ledger.log(), RUN, at, SITE, DATASET, 1, said))
        add(de.ReleaseDecided(ledger.log(), RUN, at, SITE, DATASET, 1, decision, said))
    third = RoundNumber(3)
    for decision in (ReleaseStatus.RETURNED, ReleaseStatus.EXPIRED):
        add(de.ReleaseRequested(ledger.log(), RUN, third, SITE, DATASET, 1, said))
        add(de.ReleaseDecided(ledger.log(), RUN, third, SITE, DATASET, 1, decision, said))
    add(de.BudgetSpent(ledger.log(), RUN, FIRST, SITE, DATASET, 1_250_000, 1))
    for reader, site in ((1, SITE), (2, SiteId(0))):
        add(de.ReaderAdmitted(ledger.log(), RUN, site, ACCOUNT, ReaderId(reader), digest("key"),
                              LETTER, Locator(LETTER)))  # fmt: skip
    add(de.ReaderDismissed(ledger.log(), RUN, SITE, ReaderId(1)))
    add(de.BlobsErased(ledger.log(), RUN, SITE, DATASET, 2, said, said))
    return ledger


@pytest.fixture(scope="module")
def client(visit: Visit) -> Visitor:
    return visit(disclosing())


def test_dataset_shows_its_budget_and_what_was_let_out(client: Visitor) -> None:
    text = client.get("/datasets/2").text
    assert "epsilon 2.5, delta 0.00001<" in text
    assert "epsilon 1.25, delta 0.000000000001<" in text
    assert "90 d after a run" in text
    assert text.index("2.5</td>") < text.index("3</td>")
    for told in ("approved", "rejected", "Blobs that their sites erased", str(digest("grounds"))):
        assert told in text


def test_dataset_without_a_record_promises_nothing(client: Visitor) -> None:
    text = client.get("/datasets/1").text
    assert "set no ceiling" in text
    assert "No airlock was asked on record." in text
    assert "Nothing was spent on record." in text
    assert "erased" not in text


def test_run_shows_releases_readers_and_erasures(client: Visitor) -> None:
    text = client.get("/runs/1").text
    assert text.index("rejected") < text.index("approved")
    # Each request of an attempt has its own decision.
    assert text.index(">expired<") < text.index(">returned<") < text.index("rejected")
    assert "Who may read this run" in text
    assert "the operator" in text
    assert str(LETTER) in text
    assert "Blobs that their sites erased" in text


def test_letter_is_found(client: Visitor) -> None:
    assert "letter to a reader" in client.get("/search", params={"q": str(LETTER)}).text

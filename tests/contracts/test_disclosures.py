"""What leaves a site, and under which promises: releases, budgets, readers, erasures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.contracts.chain import OPERATOR, digest, running_hash
from tests.contracts.world import Party, World

NONE, REQUESTED, APPROVED, REJECTED, EXPIRED, RETURNED = range(6)
MICRO, PICO = 10**6, 10**12
MOST = (1 << 48) - 1


class Ward:
    """A site that consents to a run, and its acts on the ledger of disclosures."""

    def __init__(self, world: World, at: int = 0) -> None:
        self.world, self.party = world, world.parties[at]
        self.acts = world.disclosures.functions
        self.dataset = world.dataset_of(self.party)
        self.run = self.enter(self.party)

    def enter(self, party: Party) -> int:
        """Open a run and consent to it."""
        run = self.world.open()
        self.world.consent(run, party)
        return run

    def request(self, round_number: int = 1, attempt: int = 1, **changes: Any) -> Any:
        """Make the act of asking for a release."""
        values = {
            "run": self.run, "round": round_number, "attempt": attempt,
            "dataset": self.dataset, "request": digest("request"),
        } | changes  # fmt: skip
        return self.acts.requestRelease(*values.values())

    def decision(self, decision: int, round_number: int = 1, attempt: int = 1) -> Any:
        """Make the act of deciding on a release."""
        return self.acts.decideRelease(
            self.run, round_number, attempt, self.dataset, decision, digest("reason")
        )

    def ceiling(self, epsilon: int, delta: int, grounds: bytes = digest("grounds")) -> Any:
        """Make the act of setting a ceiling."""
        return self.acts.setCeiling(self.dataset, epsilon, delta, grounds)

    def spending(self, epsilon: int, delta: int, round_number: int = 1, run: int = 0) -> Any:
        """Make the act of recording what is spent so far."""
        return self.acts.spendBudget(run or self.run, round_number, self.dataset, epsilon, delta)

    def do(self, *acts: Any) -> list[dict[str, Any]]:
        """Do acts; give the receipts."""
        return [self.world.send(self.party.account, act) for act in acts]

    def refused(self, act: Any) -> tuple[str, tuple[Any, ...]]:
        """Do an act that must be refused; give the error and its arguments."""
        refused = self.world.refusal_of(self.party.account, act)
        return refused.name, refused.arguments

    def use(self) -> Sequence[int]:
        """Read what the run made of the dataset."""
        found: Sequence[int] = self.acts.useOf(self.run, self.dataset).call()
        return found

    def budget(self) -> Sequence[int]:
        """Read the dataset's budget."""
        found: Sequence[int] = self.acts.budgetOf(self.dataset).call()
        return found


@pytest.fixture
def ward(world: World) -> Ward:
    return Ward(world)


def test_release_is_requested_and_decided_once(ward: Ward) -> None:
    (asked,) = ward.do(ward.request())
    assert ward.use()[:3] == (1, 1, REQUESTED)
    place = {"run": ward.run, "round": 1, "site": ward.party.site}
    more = {"dataset": ward.dataset, "attempt": 1}
    assert ward.world.events(asked) == [
        ("ReleaseRequested", place | more | {"request": digest("request")})
    ]
    (decided,) = ward.do(ward.decision(APPROVED))
    assert ward.use()[:3] == (1, 1, APPROVED)
    said = {"decision": APPROVED, "reason": digest("reason")}
    assert ward.world.events(decided) == [("ReleaseDecided", place | more | said)]
    for act in (ward.decision(REJECTED), ward.decision(APPROVED)):
        expected = (ward.run, ward.dataset, 1, 1, APPROVED)
        assert ward.refused(act) == ("ReleaseNotPending", expected)


@pytest.mark.parametrize("decision", [APPROVED, REJECTED, EXPIRED, RETURNED])
def test_decision_needs_its_request(ward: Ward, decision: int) -> None:
    assert ward.refused(ward.decision(decision)) == (
        "ReleaseNotPending", (ward.run, ward.dataset, 0, 0, NONE),
    )  # fmt: skip
    ward.do(ward.request(1, 2))
    for place in ((1, 1), (2, 2), (1, 3)):
        assert ward.refused(ward.decision(decision, *place)) == (
            "ReleaseNotPending", (ward.run, ward.dataset, 1, 2, REQUESTED),
        )  # fmt: skip
    ward.do(ward.decision(decision, 1, 2))
    assert ward.use()[2] == decision


@pytest.mark.parametrize("decision", [NONE, REQUESTED])
def test_no_decision_is_refused_as_one(ward: Ward, decision: int) -> None:
    ward.do(ward.request())
    assert ward.refused(ward.decision(decision)) == (
        "DecisionInvalid", (ward.run, ward.dataset, decision),
    )  # fmt: skip


def test_requests_come_in_the_order_of_attempts(ward: Ward) -> None:
    ward.do(ward.request(2, 1), ward.decision(REJECTED, 2, 1), ward.request(2, 2))
    for place in ((2, 2), (2, 1), (1, 255)):
        assert ward.refused(ward.request(*place)) == (
            "ReleaseOutOfOrder", (ward.run, ward.dataset, 2, 2),
        )  # fmt: skip
    # One that nobody decided gives way to the next.
    ward.do(ward.request(3, 1))
    assert ward.use()[:3] == (3, 1, REQUESTED)


def test_what_was_returned_is_asked_for_again(ward: Ward) -> None:
    ward.do(ward.request(2, 1), ward.decision(RETURNED, 2, 1))
    assert ward.refused(ward.request(1, 9))[0] == "ReleaseOutOfOrder"
    ward.do(ward.request(2, 1))
    assert ward.use()[:3] == (2, 1, REQUESTED)
    assert ward.refused(ward.request(2, 1))[0] == "ReleaseOutOfOrder"
    ward.do(ward.decision(APPROVED, 2, 1))
    for act in (ward.request(2, 1), ward.decision(RETURNED, 2, 1)):
        assert ward.refused(act)[0] in {"ReleaseOutOfOrder", "ReleaseNotPending"}


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0)])
def test_requests_name_an_attempt(ward: Ward, place: tuple[int, int]) -> None:
    assert ward.refused(ward.request(*place))[0] == "ReleaseOutOfOrder"


def test_first_record_of_a_run_needs_a_consent_under_the_dataset(ward: Ward) -> None:
    world, party = ward.world, ward.party
    other, elsewhere = world.register(party, 500), world.open()
    expected = "DatasetNotInRun"
    assert ward.refused(ward.request(dataset=other)) == (expected, (ward.run, other))
    assert ward.refused(ward.request(run=elsewhere)) == (expected, (elsewhere, ward.dataset))
    assert ward.refused(ward.spending(0, 0, run=elsewhere))[0] == expected
    assert ward.refused(ward.request(run=99)) == ("RunUnknown", (99,))
    ward.do(ward.request())
    world.send(party.account, world.rounds.functions.withdraw(ward.run, party.site))
    ward.do(ward.decision(EXPIRED), ward.request(2, 1))
    unknown = ward.request(dataset=99)
    assert ward.refused(unknown) == ("DatasetUnknown", (99,))


def test_acts_are_for_the_dataset_s_own_active_site(ward: Ward) -> None:
    world, acts, dataset = ward.world, ward.acts, ward.dataset
    ward.do(ward.request())
    every = [
        ward.request(2, 1), ward.decision(APPROVED), ward.ceiling(1, 1), ward.spending(0, 0),
        acts.setRetention(dataset, 1),
        acts.recordErasure(ward.run, dataset, 1, digest("list"), digest("grounds")),
    ]  # fmt: skip
    for account in (world.parties[1].account, world.operator, world.researcher, world.outsider):
        for act in every:
            assert world.refusal_of(account, act).name == "AccountNotOfSite"
    world.send(world.operator, world.registry.functions.suspend(ward.party.site))
    for act in every:
        assert ward.refused(act)[0] == "SiteStandingWrong"


def test_zero_commitments_are_refused(ward: Ward) -> None:
    nothing = bytes(32)
    assert ward.refused(ward.request(request=nothing))[0] == "DigestZero"
    ward.do(ward.request())
    act = ward.acts.decideRelease(ward.run, 1, 1, ward.dataset, APPROVED, nothing)
    assert ward.refused(act)[0] == "DigestZero"


def test_ceiling_is_raised_on_grounds_and_lowered_without(ward: Ward) -> None:
    (receipt,) = ward.do(ward.ceiling(3 * MICRO, 10))
    said = {"epsilonMicro": 3 * MICRO, "deltaPico": 10, "grounds": digest("grounds")}
    named = {"dataset": ward.dataset, "site": ward.party.site}
    assert ward.world.events(receipt) == [("CeilingSet", named | said)]
    for raised in ((3 * MICRO + 1, 10), (3 * MICRO, 11), (0, 11), (MOST, 0)):
        assert ward.refused(ward.ceiling(*raised, bytes(32))) == (
            "CeilingGroundsMissing", (ward.dataset, 3 * MICRO, 10),
        )  # fmt: skip
    ward.do(ward.ceiling(MICRO, 10, bytes(32)), ward.ceiling(MICRO, 10, bytes(32)))
    assert ward.budget()[:3] == (ward.party.site, MICRO, 10)
    ward.do(ward.ceiling(MOST, PICO), ward.ceiling(0, 0, bytes(32)))
    assert ward.budget()[1:3] == (0, 0)
    assert ward.refused(ward.ceiling(0, PICO + 1)) == ("DeltaInvalid", (ward.dataset, PICO + 1))


def test_without_a_ceiling_nothing_can_be_spent(ward: Ward) -> None:
    assert ward.refused(ward.spending(1, 0)) == ("BudgetExceeded", (ward.dataset, 1, 0, 0, 0))
    assert ward.refused(ward.spending(0, 1)) == ("BudgetExceeded", (ward.dataset, 0, 1, 0, 0))
    ward.do(ward.spending(0, 0))


def test_spending_adds_up_over_runs_to_the_ceiling_and_no_further(ward: Ward) -> None:
    second = ward.enter(ward.party)
    ward.do(ward.ceiling(5 * MICRO, 100))
    (receipt, *_) = ward.do(
        ward.spending(2 * MICRO, 40),
        ward.spending(MICRO, 10, run=second),
        ward.spending(4 * MICRO, 40, 2),
    )
    said = {"dataset": ward.dataset, "epsilonMicro": 2 * MICRO, "deltaPico": 40}
    place = {"run": ward.run, "round": 1, "site": ward.party.site}
    assert ward.world.events(receipt) == [("BudgetSpent", place | said)]
    assert ward.budget()[3:5] == (5 * MICRO, 50)
    assert ward.use()[3:] == (2, 4 * MICRO, 40)
    over = (ward.dataset, 5 * MICRO + 1, 50, 5 * MICRO, 100)
    assert ward.refused(ward.spending(4 * MICRO + 1, 40, 3)) == ("BudgetExceeded", over)
    over = (ward.dataset, 5 * MICRO, 101, 5 * MICRO, 100)
    assert ward.refused(ward.spending(MICRO, 61, 3, second)) == ("BudgetExceeded", over)
    over = (ward.dataset, MICRO + MOST, 10 + MOST, 5 * MICRO, 100)
    assert ward.refused(ward.spending(MOST, MOST, 3)) == ("BudgetExceeded", over)
    ward.do(ward.spending(MICRO, 60, 3, second))
    assert ward.budget()[3:5] == (5 * MICRO, 100)


def test_ceiling_may_be_lowered_below_what_is_spent(ward: Ward) -> None:
    ward.do(ward.ceiling(5, 5), ward.spending(4, 4), ward.ceiling(1, 1, bytes(32)))
    over = (ward.dataset, 4, 4, 1, 1)
    assert ward.refused(ward.spending(4, 4, 2)) == ("BudgetExceeded", over)
    assert ward.budget()[1:5] == (1, 1, 4, 4)


def test_spent_never_falls_nor_goes_back(ward: Ward) -> None:
    ward.do(ward.ceiling(9, 9), ward.spending(4, 4, 2))
    for fallen in ((3, 4), (4, 3), (0, 9)):
        expected = ("SpendingFell", (ward.run, ward.dataset, 4, 4))
        assert ward.refused(ward.spending(*fallen, 2)) == expected
    for place in (1, 0):
        expected = ("SpendingOutOfOrder", (ward.run, ward.dataset, 2))
        assert ward.refused(ward.spending(5, 5, place)) == expected
    ward.do(ward.spending(4, 4, 2))


def test_retention_period_is_recorded(ward: Ward) -> None:
    (receipt,) = ward.do(ward.acts.setRetention(ward.dataset, 86_400))
    named = {"dataset": ward.dataset, "site": ward.party.site, "retentionSeconds": 86_400}
    assert ward.world.events(receipt) == [("RetentionSet", named)]
    assert ward.budget()[5] == 86_400
    none = ward.acts.setRetention(ward.dataset, 0)
    assert ward.refused(none) == ("RetentionZero", (ward.dataset,))


def admission(ward: Ward, site: int, **changes: Any) -> Any:
    values = {
        "run": ward.run, "site": site, "account": ward.world.outsider, "key": digest("key"),
        "letter": digest("letter"), "locator": digest("locator"),
    } | changes  # fmt: skip
    return ward.acts.admitReader(*values.values())


def test_reader_is_admitted_and_dismissed_by_its_site(ward: Ward) -> None:
    site = ward.party.site
    (admitted,) = ward.do(admission(ward, site))
    named = {"run": ward.run, "site": site, "account": ward.world.outsider.lower(), "reader": 1}
    sealed = {"key": digest("key"), "letter": digest("letter"), "letterLocator": digest("locator")}
    assert ward.world.events(admitted) == [("ReaderAdmitted", named | sealed)]
    assert ward.acts.readerOf(1).call() == (ward.run, site, True)
    other = ward.world.parties[1]
    foreign = ward.world.refusal_of(other.account, ward.acts.dismissReader(1, other.site))
    assert (foreign.name, foreign.arguments) == ("ReaderNotOfSite", (1, site))
    (dismissed,) = ward.do(ward.acts.dismissReader(1, site))
    said = {"run": ward.run, "site": site, "reader": 1}
    assert ward.world.events(dismissed) == [("ReaderDismissed", said)]
    assert ward.acts.readerOf(1).call() == (ward.run, site, False)
    for reader in (1, 2, 0):
        again = ward.acts.dismissReader(reader, site)
        assert ward.refused(again) == ("ReaderNotAdmitted", (reader,))


def test_operator_admits_readers_and_dismisses_any(ward: Ward) -> None:
    world = ward.world
    world.send(world.operator, admission(ward, 0))
    ward.do(admission(ward, ward.party.site))
    assert ward.acts.readerCount().call() == 2
    expected = ("ReaderNotOfSite", (1, 0))
    assert ward.refused(ward.acts.dismissReader(1, ward.party.site)) == expected
    for reader in (1, 2):
        world.send(world.operator, ward.acts.dismissReader(reader, 0))
        assert not ward.acts.readerOf(reader).call()[2]


def test_site_that_is_none_of_the_runs_hands_on_what_it_has(ward: Ward) -> None:
    """Aggregators of encrypted updates consent to nothing, and open what auditors have to see."""
    other = ward.world.parties[1]
    ward.world.send(other.account, admission(ward, other.site))
    assert ward.acts.readerOf(1).call() == (ward.run, other.site, True)


def test_strangers_admit_nobody(ward: Ward) -> None:
    world, site = ward.world, ward.party.site
    for account in (ward.party.account, world.researcher, world.outsider):
        for act in (admission(ward, 0), ward.acts.dismissReader(1, 0)):
            refused = world.refusal_of(account, act)
            assert (refused.name, refused.arguments[1]) == ("AccountRoleMissing", OPERATOR)
    for act in (admission(ward, site), ward.acts.dismissReader(1, site)):
        assert world.refusal_of(world.operator, act).name == "AccountNotOfSite"
    assert world.refusal_of(world.operator, admission(ward, 0, run=99)).name == "RunUnknown"


@pytest.mark.parametrize("field", ["key", "letter", "locator"])
def test_reader_without_key_or_letter_is_refused(ward: Ward, field: str) -> None:
    act = admission(ward, ward.party.site, **{field: bytes(32)})
    assert ward.refused(act)[0] == "DigestZero"
    nobody = admission(ward, ward.party.site, account="0x" + "00" * 20)
    assert ward.refused(nobody)[0] == "AccountZero"


def test_erasure_is_recorded_once_the_dataset_is_closed(ward: Ward) -> None:
    def erasure(run: int, blobs: int, *digests: bytes) -> Any:
        return ward.acts.recordErasure(run, ward.dataset, blobs, *digests)

    said = digest("list"), digest("grounds")
    early = ward.refused(erasure(ward.run, 2, *said))
    assert early == ("DatasetStillOpen", (ward.dataset,))
    ward.do(ward.world.access.functions.closeDataset(ward.dataset))
    (receipt,) = ward.do(erasure(ward.run, 2, *said))
    named = {"run": ward.run, "site": ward.party.site, "dataset": ward.dataset, "blobs": 2}
    named |= {"list": said[0], "grounds": said[1]}
    assert ward.world.events(receipt) == [("BlobsErased", named)]
    assert ward.refused(erasure(ward.run, 0, *said)) == ("ErasureEmpty", (ward.run, ward.dataset))
    assert ward.refused(erasure(99, 2, *said)) == ("RunUnknown", (99,))
    for digests in ((bytes(32), said[1]), (said[0], bytes(32))):
        assert ward.refused(erasure(ward.run, 2, *digests))[0] == "DigestZero"


def test_running_hash_and_count_cover_every_record_in_slot_zero(ward: Ward) -> None:
    world, acts, dataset = ward.world, ward.acts, ward.dataset
    assert acts.runningHash().call() == bytes(32)
    receipts = ward.do(
        ward.request(), ward.decision(APPROVED), ward.ceiling(9, 9), ward.spending(1, 1),
        acts.setRetention(dataset, 60), admission(ward, ward.party.site),
        acts.dismissReader(1, ward.party.site), world.access.functions.closeDataset(dataset),
        acts.recordErasure(ward.run, dataset, 1, digest("list"), digest("grounds")),
    )  # fmt: skip
    logs = [
        log for receipt in receipts for log in receipt["logs"]
        if log["address"].lower() == world.disclosures.address.lower()
    ]  # fmt: skip
    assert acts.recordCount().call() == len(logs) == 8
    assert acts.runningHash().call() == running_hash(logs)
    slot = world.chain.rpc("eth_getStorageAt", world.disclosures.address, "0x0", "latest")
    assert bytes.fromhex(slot[2:]) == running_hash(logs)[:26] + (8).to_bytes(6, "big")


def test_gas_of_a_round_s_records_is_flat(ward: Ward) -> None:
    ward.do(ward.ceiling(MOST, PICO), ward.request(), ward.decision(APPROVED), ward.spending(9, 9))
    gas = []
    for number in range(2, 5):
        receipts = ward.do(
            ward.request(number), ward.decision(APPROVED, number),
            ward.spending(9 * number, 9 * number, number),
        )  # fmt: skip
        gas.append([int(receipt["gasUsed"], 16) for receipt in receipts])
    assert gas[0] == gas[1] == gas[2]
    assert max(gas[0]) < 60_000

"""The Five Safes of a run: every part told from its records, and nothing told without them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from fednet.domain import disclosure_events as de
from fednet.domain import events as ev
from fednet.domain.disclosures import ReleaseStatus
from fednet.domain.identity import (
    CONSORTIUM,
    Address,
    Commitment,
    DatasetId,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Head, Role, Standing
from fednet.domain.plan import Plan
from fednet.errors import LedgerError
from fednet.provenance import (
    PARTS,
    FiveSafes,
    IndexedBlock,
    LedgerIndex,
    Line,
    PassingIndex,
    five_safes,
    part_of,
)
from fednet.provenance.safes.outputs import mechanism
from tests.unit.explorer.generated import ACCOUNT, BEGAN, CONTRACTS, DEPLOYMENT, Ledger, digest
from tests.unit.privacy.test_agreement import masked_plan

RUN, SECOND, DATASET = RunId(1), SiteId(2), DatasetId(2)
OPERATOR = Address("0x" + "0e" * 20)
PLAN = Plan.validated(
    {
        "name": "pilot",
        "rounds": 3,
        "task": {"source": "digits", "digest": "ab" * 32},
        "model": {"commitment": "cd" * 32, "size_bytes": 100},
        "privacy": {
            "mechanism": "dp-sgd", "clip_norm": 1, "noise_multiplier": "1.1", "epsilon": 3,
            "delta": "0.00001",
        },
        "update": {"minimum_examples": 50},
    },
    "plan",
)  # fmt: skip


def told() -> Ledger:
    """Play a run in which everything happens that a line speaks of."""
    ledger = Ledger()
    add, said = ledger.events.append, Commitment(digest("said"))
    add(ev.AccountRolesChanged(ledger.log(), OPERATOR, CONSORTIUM, Role.OPERATOR))
    add(ev.AccountRolesChanged(ledger.log(), ACCOUNT, SiteId(1), Role.RESEARCHER))
    add(ev.ModuleApproved(ledger.log(), CONTRACTS[4], OPERATOR))
    for number in (1, 2, 3):
        ledger.site(number, f"Hospital {number}")
    add(ev.SiteStandingChanged(ledger.log(), SECOND, OPERATOR, Standing.SUSPENDED))
    ledger.run(1, 3, 2)
    add(ev.AccessRevoked(ledger.log(), GrantId(2), DATASET, SECOND))
    add(ev.ConsentEnded(ledger.log(), RUN, SECOND, GrantId(2)))
    add(ev.DatasetClosed(ledger.log(), DATASET, SECOND))
    add(de.CeilingSet(ledger.log(), DATASET, SECOND, 3_000_000, 10_000_000, said))
    add(de.RetentionSet(ledger.log(), DATASET, SECOND, 90 * 86_400))
    for number, decision in ((1, ReleaseStatus.APPROVED), (2, ReleaseStatus.REJECTED)):
        at = RoundNumber(number)
        add(de.ReleaseRequested(ledger.log(), RUN, at, SECOND, DATASET, 1, said))
        add(de.ReleaseDecided(ledger.log(), RUN, at, SECOND, DATASET, 1, decision, said))
        add(de.BudgetSpent(ledger.log(), RUN, at, SECOND, DATASET, number * 500_000, number))
    third, returned = RoundNumber(3), ReleaseStatus.RETURNED
    add(de.ReleaseRequested(ledger.log(), RUN, third, SECOND, DATASET, 1, said))
    add(de.ReleaseDecided(ledger.log(), RUN, third, SECOND, DATASET, 1, returned, said))
    add(de.ReleaseRequested(ledger.log(), RUN, third, SECOND, DATASET, 1, said))
    add(de.BlobsErased(ledger.log(), RUN, SECOND, DATASET, 2, said, Commitment(digest("why"))))
    return ledger


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return told()


@pytest.fixture(scope="module")
def index(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerIndex]:
    path = tmp_path_factory.mktemp("index") / "index.sqlite"
    with closing(LedgerIndex.open(path, DEPLOYMENT)) as opened:
        opened.ingest(ledger.blocks())
        yield opened


@pytest.fixture(scope="module")
def found(index: LedgerIndex) -> FiveSafes:
    return five_safes(index, RUN, PLAN, DEPLOYMENT)


def lines_of(safes: FiveSafes) -> list[Line]:
    return [each for part in PARTS for each in getattr(safes, part)]


def about(lines: tuple[Line, ...], what: str) -> Line:
    (only,) = (each for each in lines if each.about == what)
    return only


def kinds(index: LedgerIndex, line: Line) -> list[str]:
    """Name the events that a line's records are."""
    return [
        event.kind
        for source in line.records
        for event in index.events(transaction=source.transaction)
    ]


def test_people_are_told_with_who_let_them(index: LedgerIndex, found: FiveSafes) -> None:
    researcher = about(found.people, "researcher")
    assert "roles researcher, site 1" in researcher.says
    assert kinds(index, researcher) == ["AccountRolesChanged", "RunOpened"]
    assert "may admit and revoke" in about(found.people, "operator").says
    second = about(found.people, "site 2")
    assert second.name == "Hospital 2"
    assert second.says.startswith("suspended; roles of its node site, aggregator; ")
    assert f"admitted by operator {ACCOUNT}" in second.says
    assert f"suspended by operator {OPERATOR}" in second.says
    assert kinds(index, second) == ["SiteApplied", "SiteAdmitted", "SiteStandingChanged"]


def test_projects_are_told_with_purposes_and_approvals(
    index: LedgerIndex, found: FiveSafes
) -> None:
    plan = about(found.projects, "plan")
    assert (plan.name, kinds(index, plan)) == ("pilot", ["RunOpened"])
    assert "the run is completed" in plan.says
    purpose = about(found.projects, "purpose of request 2")
    assert str(digest("purpose", 2)) in purpose.says
    assert kinds(index, purpose) == ["AccessRequested"]
    assert "; ended it at " not in about(found.projects, "approval of site 1").says
    ended = about(found.projects, "approval of site 2")
    assert "; ended it at " in ended.says
    assert kinds(index, ended) == ["ConsentGiven", "ConsentEnded"]


def test_settings_are_told_with_code_and_nodes(index: LedgerIndex, found: FiveSafes) -> None:
    task = about(found.settings, "task")
    assert task.name == "digits"
    assert "ab" * 32 in task.says
    module = about(found.settings, "rounds module")
    assert f"approved by operator {OPERATOR}" in module.says
    assert kinds(index, module) == ["ModuleApproved"]
    node = about(found.settings, "node of site 3")
    assert str(digest("key", 3)) in node.says
    final = about(found.settings, "recomputation")
    assert (kinds(index, final), final.more_records) == (["RoundFinalized"], 1)


def test_data_are_told_with_grants_and_least_counts(index: LedgerIndex, found: FiveSafes) -> None:
    assert "rests on 50 examples or more" in about(found.data, "least counts").says
    closed = about(found.data, "dataset 2 of site 2")
    assert "closed at " in closed.says
    assert "kept for 90 days" in closed.says
    assert kinds(index, closed) == ["DatasetRegistered", "DatasetClosed"]
    assert about(found.data, "dataset 1 of site 1").says.endswith("open")
    grant = about(found.data, "grant on request 2")
    assert grant.says.startswith("granted at ")
    assert "; revoked at " in grant.says
    assert kinds(index, grant) == ["AccessGranted", "AccessRevoked"]


def test_outputs_are_told_with_decisions_and_spending(index: LedgerIndex, found: FiveSafes) -> None:
    assert "epsilon 3 at delta 0.00001" in about(found.outputs, "mechanism").says
    airlock = about(found.outputs, "airlock of site 2")
    assert airlock.says == (
        "4 updates of dataset 2 were to leave: 1 undecided, 1 approved, 1 rejected, 1 returned"
    )
    assert kinds(index, airlock) == ["ReleaseDecided", "ReleaseDecided", "ReleaseRequested"]
    silent = about(found.outputs, "airlocks without a record")
    assert silent.says.startswith("sites 1, 3: no decision")
    spent = about(found.outputs, "privacy of dataset 2")
    assert spent.says.startswith("epsilon 1, delta 0.000000000002 spent in this run; ")
    assert "of a ceiling of epsilon 3, delta 0.00001" in spent.says
    assert (kinds(index, spent), spent.more_records) == (["CeilingSet", "BudgetSpent"], 1)
    erased = about(found.outputs, "erasure by site 2")
    assert str(digest("why")) in erased.says
    assert str(digest("state", RUN, 2)) in about(found.outputs, "models").says


def test_without_the_plan_only_its_own_lines_are_missing(
    index: LedgerIndex, found: FiveSafes
) -> None:
    bare = five_safes(index, RUN, None, DEPLOYMENT)
    missing = {each.about for each in lines_of(found)} - {each.about for each in lines_of(bare)}
    assert missing == {"task", "least counts", "mechanism", "bounds"}
    assert about(bare.projects, "plan").name == ""


def test_a_passing_index_tells_the_same(ledger: Ledger, found: FiveSafes) -> None:
    with PassingIndex(ledger.blocks()) as passing:
        assert five_safes(passing, RUN, PLAN, DEPLOYMENT) == found


def test_one_part_is_the_same_as_in_the_whole(index: LedgerIndex, found: FiveSafes) -> None:
    for part in PARTS:
        assert part_of(index, RUN, PLAN, DEPLOYMENT, part) == getattr(found, part)


def test_a_strangers_name_stands_apart_from_what_we_say() -> None:
    hostile, ledger = "Clinic; admitted by operator 0x00", Ledger()
    for number in (1, 2):
        ledger.site(number, hostile)
    ledger.run(1, 2, 1)
    with PassingIndex(ledger.blocks()) as passing:
        lines = lines_of(five_safes(passing, RUN, None, DEPLOYMENT))
    assert {each.name for each in lines} == {"", hostile}
    assert not any(hostile in each.says or hostile in each.about for each in lines)


def test_an_unknown_run_is_refused(index: LedgerIndex) -> None:
    with pytest.raises(LedgerError):
        five_safes(index, 9, None, DEPLOYMENT)


def test_a_time_that_no_calendar_has_is_told_in_seconds() -> None:
    ledger = Ledger()
    for number in (1, 2):
        ledger.site(number, "Clinic")
    ledger.run(1, 2, 1)
    terms, log = Commitment(digest("terms")), ledger.log()
    late = ev.AccessGranted(
        log, GrantId(1), DatasetId(1), SiteId(1), terms, Locator(terms), 1 << 62
    )
    block = IndexedBlock(Head(log.block, digest("block"), BEGAN + 10**6), [late])
    with PassingIndex([*ledger.blocks(), block]) as passing:
        lines = five_safes(passing, RUN, None, DEPLOYMENT).data
    assert f"until second {1 << 62}" in about(lines, "grant on request 1").says


NOISES = {
    "none": "no noise is planned; ",
    "dp-sgd": "dp-sgd: gradients of norm 1 at most, ",
    "distributed-gaussian": "distributed-gaussian: updates of norm 1 at most, and in their masked ",
}


@pytest.mark.parametrize("noise", NOISES)
def test_who_can_read_an_update_is_told_beside_the_noise(noise: str) -> None:
    privacy = PLAN.privacy.model_copy(update={"mechanism": noise})
    plain = PLAN.model_copy(update={"privacy": privacy})
    sealed = plain.model_copy(update={"privacy": privacy.model_copy(update={"sealed": True})})
    masked = masked_plan().model_copy(update={"privacy": privacy})
    for plan in (plain, sealed, masked):
        assert mechanism(plan).startswith(NOISES[noise])
    assert mechanism(plain).endswith("; every member can read each single update")
    assert mechanism(sealed).endswith(
        "; updates are sealed: the members of a round can read each single one, and whoever was"
        " granted its key on the record"
    )
    assert mechanism(masked).endswith(
        "; updates are masked: nobody can read a single one, but for the sum of those that count,"
        " while no more than 30 percent of a cohort work together"
    )


def test_bounds_of_a_masked_plan_are_its_sites_own_word(index: LedgerIndex) -> None:
    said = about(five_safes(index, RUN, masked_plan(), DEPLOYMENT).outputs, "bounds").says
    assert "no value above 4, which its own site alone can see to" in said
    assert "in a ring of 32 bits" in said

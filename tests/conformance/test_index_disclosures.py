"""Disclosures in the index and in `fednet ledger`, on a real chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fednet.cli import main
from fednet.domain.disclosures import NO_LOSS, PrivacyLoss, ReleaseStatus
from fednet.domain.identity import (
    CONSORTIUM,
    ZERO_DIGEST,
    Digest,
    ReaderId,
    RoundNumber,
    RunId,
)
from fednet.ledger.chains import LocalChain
from fednet.ledger.deployment import write_deployment
from fednet.provenance import PARTS, LedgerIndex
from tests import ledger_acts as acts
from tests.chain_fixtures import ChainWorld, deploy_world
from tests.ledger_acts import commitment, locator
from tests.unit.provenance.contents import content_of

CEILING = PrivacyLoss.of(Decimal(8), Decimal("1e-5"))
SPENT = PrivacyLoss.of(Decimal("1.5"), Decimal("1e-6"))


@dataclass
class Story:
    """Two runs in which two sites kept the ledger of disclosures."""

    world: ChainWorld
    runs: tuple[RunId, RunId]
    first: acts.Hospital
    second: acts.Hospital
    home: Path
    index: LedgerIndex

    def reads(self, *words: str) -> Any:
        runner = CliRunner(env={"FEDNET_CHAIN_URL": self.world.chain.url})
        result = runner.invoke(main, ["--home", str(self.home), "ledger", *words, "--json"])
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture(scope="module")
def story(anvil_chain: LocalChain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    world, home = deploy_world(anvil_chain), tmp_path_factory.mktemp("home")
    run, (first, second, _), researcher = acts.started_run(world)
    other = acts.open_run(world, researcher)
    acts.consent(world, researcher, other, first)
    first.writer.set_ceiling(first.dataset, CEILING, Digest(commitment("grounds")))
    for hospital, decision in ((first, ReleaseStatus.APPROVED), (second, ReleaseStatus.REJECTED)):
        acts.request_release(run, hospital)
        hospital.writer.decide_release(
            run, RoundNumber(1), 1, hospital.dataset, decision, commitment("reason", decision)
        )
    acts.request_release(run, second, 2)
    for at, number, spent in ((run, 1, SPENT), (run, 2, SPENT + SPENT), (other, 1, SPENT)):
        first.writer.spend_budget(at, RoundNumber(number), first.dataset, spent)
    first.writer.set_ceiling(first.dataset, SPENT, ZERO_DIGEST)
    first.writer.set_retention(first.dataset, 86_400)
    account, letter = world.writer("auditor").address, (commitment("letter"), locator("letter"))
    for admits, site in ((first.writer, first.site), (world.operator, CONSORTIUM)):
        admits.admit_reader(run, site, account, Digest(commitment("key")), letter)
    world.operator.dismiss_reader(ReaderId(1), CONSORTIUM)
    second.writer.close_dataset(second.dataset)
    second.writer.record_erasure(run, second.dataset, 3, commitment("list"), commitment("why"))
    write_deployment(home / "deployment.json", world.deployment)
    with closing(LedgerIndex.open(home / "own.sqlite", world.deployment)) as index:
        index.refresh(world.reader)
        yield Story(world, (run, other), first, second, home, index)
    world.reader.close()


def test_releases_are_told_with_their_decisions(story: Story) -> None:
    told = [(e.site, e.round, e.status, e.reason) for e in story.index.releases()]
    assert told == [
        (story.first.site, 1, ReleaseStatus.APPROVED, commitment("reason", ReleaseStatus.APPROVED)),
        (story.second.site, 1, ReleaseStatus.REJECTED,
         commitment("reason", ReleaseStatus.REJECTED)),
        (story.second.site, 2, ReleaseStatus.REQUESTED, None),
    ]  # fmt: skip
    assert story.index.count_releases(site=story.second.site) == 2
    (waiting,) = story.index.releases(run=story.runs[0], round_number=2)
    assert waiting.decided_time is None
    assert story.index.releases(dataset=story.first.dataset)[0].decided_time


def test_budget_is_told_as_the_contract_holds_it(story: Story) -> None:
    index, dataset = story.index, story.first.dataset
    told, held = index.budget(dataset), story.world.reader.budget(dataset)
    assert (
        (told.ceiling, told.spent) == (held.ceiling, held.spent) == (SPENT, SPENT + SPENT + SPENT)
    )
    assert told.retention_seconds == held.retention_seconds == 86_400
    assert [each.spent for each in index.spendings(dataset=dataset, run=story.runs[0])] == [
        SPENT, SPENT + SPENT,
    ]  # fmt: skip
    assert [(e.ceiling, e.grounds.is_zero) for e in index.ceilings(dataset=dataset)] == [
        (CEILING, False), (SPENT, True),
    ]  # fmt: skip
    empty = index.budget(99)
    assert (empty.ceiling, empty.spent, empty.retention_seconds) == (NO_LOSS, NO_LOSS, 0)


def test_readers_and_erasures_are_told(story: Story) -> None:
    run = story.runs[0]
    dismissed, standing = story.index.readers(run=run)
    assert (dismissed.site, standing.site) == (story.first.site, CONSORTIUM)
    assert dismissed.dismissed_time
    assert standing.dismissed_time is None
    assert story.index.readers(run=story.runs[1]) == []
    (erased,) = story.index.erasures(dataset=story.second.dataset)
    assert (erased.run, erased.blobs, erased.list) == (run, 3, commitment("list"))
    kinds = [each.kind for each in story.index.history(story.second.dataset)]
    assert kinds[-2:] == ["DatasetClosed", "BlobsErased"]


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        (("request",), "request for release"),
        (("reason", ReleaseStatus.REJECTED), "reason of a decision"),
        (("grounds",), "grounds of a ceiling"),
        (("key",), "key of a reader"),
        (("letter",), "letter to a reader"),
        (("list",), "list of erased blobs"),
        (("why",), "grounds of an erasure"),
    ],
)
def test_lookup_tells_what_a_commitment_is(
    story: Story, parts: tuple[object, ...], kind: str
) -> None:
    found = story.index.lookup(str(commitment(*parts)))
    assert {each.kind for each in found} == {kind}
    assert found[0].where


def test_taking_blocks_back_leaves_no_trace(story: Story, tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with closing(LedgerIndex.open(path, story.world.deployment)) as index:
        index.refresh(story.world.reader)
        before = content_of(path)
        first = index.events(kind="CeilingSet")[0].block
        assert index.roll_back(first) > 10
        assert index.releases() == index.readers() == index.erasures() == []
        assert index.budget(story.first.dataset).spent == NO_LOSS
        index.refresh(story.world.reader)
        assert content_of(path) == before


def test_safes_command_tells_all_five_with_their_records(story: Story) -> None:
    runner = CliRunner(env={"FEDNET_CHAIN_URL": story.world.chain.url})
    options = ["--home", str(story.home), "safes", str(story.runs[0])]
    result = runner.invoke(main, [*options, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    lines = {each["about"]: each for part in PARTS for each in told[part]}
    assert lines[f"site {story.second.site}"]["records"]
    spent = lines[f"privacy of dataset {story.first.dataset}"]
    assert spent["says"].startswith("epsilon 3, delta 0.000002 spent in this run; epsilon 4.5, ")
    transactions = {each["transaction"] for each in spent["records"]}
    kinds = {e.kind for e in story.index.events(limit=1_000) if str(e.transaction) in transactions}
    assert kinds == {"BudgetSpent", "CeilingSet"}
    result = runner.invoke(main, [*options, "--part", "outputs"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "Safe Outputs" in result.stdout
    assert "Safe People" not in result.stdout
    assert "the plan's bytes are not at hand" in result.stderr


def test_commands_list_what_was_disclosed(story: Story) -> None:
    dataset, run = str(story.first.dataset), str(story.runs[0])
    assert [each["status"] for each in story.reads("releases", "--run", run)] == [
        "requested", "rejected", "approved",
    ]  # fmt: skip
    (budget,) = story.reads("budgets", "--dataset", dataset)
    assert (budget["epsilon_ceiling_micro"], budget["epsilon_spent_micro"]) == (
        1_500_000, 4_500_000,
    )  # fmt: skip
    assert [each["reader"] for each in story.reads("readers", "--run", run)] == [2, 1]
    assert [each["blobs"] for each in story.reads("erasures")] == [3]
    runner = CliRunner(env={"FEDNET_CHAIN_URL": story.world.chain.url})
    for command, told in (
        ("releases", "rejected"), ("budgets", "epsilon 4.5, delta 0.000003"),
        ("readers", str(commitment("letter"))[:12]), ("erasures", str(commitment("why"))[:12]),
    ):  # fmt: skip
        options = ["--home", str(story.home), "ledger", command]
        result = runner.invoke(main, options, env={"COLUMNS": "200"})
        assert result.exit_code == 0, result.output
        assert told in result.stdout

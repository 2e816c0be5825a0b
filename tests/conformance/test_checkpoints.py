"""Checkpoints on real chains: kept by nodes, compared by audits, against a real rollback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fednet.audit.anchoring import Anchoring, check_checkpoints, check_operator
from fednet.audit.findings import Findings
from fednet.audit.membership import check_membership
from fednet.audit.snapshot import take_snapshot
from fednet.domain.history import RunHistory
from fednet.domain.identity import RunId
from fednet.errors import LedgerError
from fednet.ledger.rpc import JsonRpc
from fednet.ledger.writer import Web3Writer
from fednet.node import CheckpointBook, CheckpointKeeper
from tests import ledger_acts as acts
from tests.chain_fixtures import ChainWorld


def history_of(world: ChainWorld, run: RunId) -> RunHistory:
    return RunHistory.of(run, world.reader.run_events(run))


def compare(world: ChainWorld, run: RunId, *books: CheckpointBook) -> tuple[Anchoring, list[str]]:
    """Audit no more than the checkpoints and the register."""
    findings = Findings()
    snapshot = take_snapshot(world.reader, run)
    check_membership(snapshot, findings)
    assert findings.entries == []
    given = [signed for book in books for signed in book.read()]
    found = check_checkpoints(snapshot, history_of(world, run), world.reader, given, findings)
    return found, [each.code for each in findings.entries]


def keepers(
    world: ChainWorld, hospitals: list[acts.Hospital], folder: Path
) -> list[tuple[CheckpointBook, CheckpointKeeper]]:
    books = [CheckpointBook(folder / f"{each.site}.jsonl") for each in hospitals]
    return [
        (book, CheckpointKeeper(book, world.reader, each.writer, each.site))
        for book, each in zip(books, hospitals, strict=True)
    ]


def test_blocks_are_read_by_number(chain_world: ChainWorld) -> None:
    reader = chain_world.reader
    head = reader.head()
    assert reader.blocks([head.number, 0]) == [head, *reader.blocks([0])]
    assert reader.blocks([0])[0].block_hash == reader.deployment.genesis_hash
    assert reader.blocks([]) == []
    with pytest.raises(LedgerError):
        reader.blocks([head.number + 1_000])


def test_rolled_back_round_is_found_by_a_checkpoint_alone(
    chain_world: ChainWorld, tmp_path: Path
) -> None:
    world = chain_world
    run, hospitals, _ = acts.started_run(world)
    [first, second, _] = keepers(world, hospitals, tmp_path)
    rpc = JsonRpc(world.chain.url)
    before = rpc.call("evm_snapshot")
    acts.play_round(world, run, hospitals)
    for book, keeper in (first, second):
        assert keeper.keep(history_of(world, run)) is not None
        assert keeper.keep(history_of(world, run)) is None
        assert len(book.read()) == 1
    anchoring, codes = compare(world, run, first[0], second[0])
    assert (anchoring.anchored, codes) == (True, [])
    assert {each.site for each in anchoring.anchors} == {each.site for each in hospitals[:2]}

    assert rpc.call("evm_revert", before)
    rpc.close()
    others = [
        replace(each, writer=Web3Writer(world.reader, each.writer._account))  # type: ignore[attr-defined]
        for each in hospitals
    ]
    for other in others:
        acts.submit(world, run, other, weight=7)
    proposal = acts.propose(world, run, others)
    for other in others:
        acts.attest(proposal, other)
    assert history_of(world, run).final_rounds == 1
    assert compare(world, run)[1] == ["unanchored"]
    anchoring, codes = compare(world, run, first[0])
    assert not anchoring.anchored
    assert codes == ["history-rewritten", "unanchored"]


def test_keeper_goes_on_after_a_restart_and_a_torn_line(
    anvil_world: ChainWorld, tmp_path: Path
) -> None:
    world = anvil_world
    run, hospitals, _ = acts.started_run(world)
    acts.play_round(world, run, hospitals)
    [(book, keeper)] = keepers(world, hospitals[:1], tmp_path)
    assert keeper.keep(history_of(world, run)) is not None
    with book.path.open("ab") as file:
        file.write(b'{"account":"0x')
    [(book, again)] = keepers(world, hospitals[:1], tmp_path)
    assert again.keep(history_of(world, run)) is None
    acts.play_round(world, run, hospitals)
    assert again.keep(history_of(world, run)) is not None
    assert [each.statement.round for each in book.read()] == [1, 2]
    assert compare(world, run, book)[0].anchored


def test_member_who_left_still_contradicts(chain_world: ChainWorld, tmp_path: Path) -> None:
    world = chain_world
    run, hospitals, _ = acts.started_run(world)
    acts.play_round(world, run, hospitals)
    [(book, keeper)] = keepers(world, hospitals[:1], tmp_path)
    keeper.keep(history_of(world, run))
    world.operator.revoke(hospitals[0].site)
    anchoring, codes = compare(world, run, book)
    assert (anchoring.anchored, codes) == (True, [])


def test_local_chain_has_one_maker_of_blocks(chain_world: ChainWorld) -> None:
    world = chain_world
    run, _, _ = acts.started_run(world)
    findings = Findings()
    check_operator(take_snapshot(world.reader, run), findings)
    assert [each.code for each in findings.entries] == ["single-operator"]

"""Whoever runs a chain goes back to before the last round, as if it had never been.

Nothing on the chain can show it: everything agrees with everything, and the
audit says that this history is not anchored. A checkpoint that a member signed
shows it. Who signed need not have told the truth, so nobody is convicted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fednet.domain.checkpoint import Checkpoint, SignedCheckpoint
from fednet.domain.identity import RoundNumber, SiteId
from fednet.domain.ledger import Phase
from fednet.ledger.checkpoints import sign_checkpoint
from tests.attacks import lies
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.attacks.network import Network, Run

LIE = Lie(
    "The chain is rolled back a round",
    Liar.CHAIN,
    (Found("history-rewritten", 24), Found("unanchored", 24)),
    duty="operator, to explain it",
)


@dataclass
class Story:
    """A chain of its own, its run of two rounds, and what members signed at the end."""

    network: Network
    run: Run
    before: str
    """Snapshot of the chain before round 2 was closed."""
    signed: list[SignedCheckpoint]


@pytest.fixture
def story(network: Network, tmp_path: Path) -> Iterator[Story]:
    """Play an honest run on a chain that can be rolled back: no other test stands on it."""
    lone = Network(tmp_path, network.kubos)
    try:
        members = lone.members()
        slow = members[1]
        with lone.open(members, rounds=2) as run:
            run.start(members[0], *members[2:])
            lies.submit_and_reveal(slow, run, lies.update(slow, run.place()))
            run.reach(Phase.COLLECTING, 2)
            before = lone.anvil.rpc("evm_snapshot")
            state = run.history.rounds[RoundNumber(1)].final_proposal
            assert state is not None
            update = lies.update(slow, run.place(2), base=state.proposed.state)
            lies.submit_and_reveal(slow, run, update, 2)
            assert run.over() is Phase.COMPLETED
        signed = [sign_checkpoint(statement(run, each.site), each.account) for each in members]
        yield Story(lone, run, before, signed)
    finally:
        lone.close()


def statement(run: Run, site: int) -> Checkpoint:
    """State what the chain says now, as a member signs it."""
    reader, final = run.network.reader, run.history.rounds[RoundNumber(2)].final_proposal
    assert final is not None
    head, held = reader.head(), reader.deployment
    return Checkpoint(
        held.chain_id, held.genesis_hash, held.runs, SiteId(site), head.number, head.block_hash,
        run.run, RoundNumber(2), final.proposed.record, head.timestamp,
    )  # fmt: skip


def test_rollback_of_an_honest_chain_is_found_by_a_checkpoint_only(story: Story) -> None:
    network, run = story.network, story.run
    honest = network.audit(run, checkpoints=story.signed)
    require_honest(honest)
    assert honest.anchored

    assert network.anvil.rpc("evm_revert", story.before) is True
    assert run.state.final_rounds == 1
    blind = network.audit(run, checkpoints=())
    assert {each.code for each in blind.findings} >= {"unanchored"}
    LIE.saw(Found("unanchored", 24))
    assert blind.verified
    assert not blind.anchored
    assert [entry.verdict for entry in blind.rounds] == ["verified", "open"]

    report = network.audit(run, checkpoints=story.signed[:1])
    assert "history-rewritten" in {each.code for each in LIE.found(report)}
    assert not report.verified

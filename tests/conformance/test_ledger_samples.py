"""The ledger client and the sampled rounds module, on each local chain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fednet.domain import events as ev
from fednet.domain.history import RunHistory
from fednet.domain.identity import RoundNumber, RunId
from fednet.domain.ledger import Phase
from fednet.domain.running_hash import running_hash_of
from fednet.domain.samples import sample_size, sampled_positions, seed_of
from fednet.errors import RevertedError
from fednet.ledger.chains import LocalChain
from fednet.ledger.writer import Web3Writer
from tests import ledger_acts as acts
from tests.chain_fixtures import ChainWorld, deploy_world

ROUND = RoundNumber(1)
SAMPLED = 2


@pytest.fixture(params=["anvil", "ganache"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ChainWorld]:
    chain = LocalChain(request.param, tmp_path / "chain")
    chain.start()
    try:
        world = deploy_world(chain)
        module = world.deployment.modules.sampled
        researcher = acts.researcher_of(world)
        assert isinstance(researcher, Web3Writer)
        plan, model = ((acts.commitment(name), acts.locator(name)) for name in ("plan", "model"))
        researcher.open_run(module, plan, model, True, acts.PARAMETERS, drawn_sites=SAMPLED)
        yield world
        world.reader.close()
    finally:
        chain.stop()


def test_what_the_client_reads_says_who_may_submit(world: ChainWorld) -> None:
    run = RunId(1)
    assert world.reader.drawn_sites(run) == SAMPLED
    researcher = acts.researcher_of(world)
    hospitals = [acts.join(world, name) for name in ("a", "b", "c")]
    for hospital in hospitals:
        acts.consent(world, researcher, run, hospital)
    first = hospitals[0].writer
    assert isinstance(first, Web3Writer)
    # At once: the chain's last block is still the one that draws, the next is not.
    first.draw(run)
    with pytest.raises(RevertedError) as caught:
        first.draw(run)
    assert caught.value.error == "SampleSettled"

    events = world.reader.run_events(run)
    attempt = RunHistory.of(run, events).rounds[ROUND].attempts[1]
    (draw,) = attempt.draws
    assert isinstance(draw, ev.SampleDrawn)
    assert draw.source == attempt.started.log.block
    (source,) = world.reader.blocks([draw.source])
    assert draw.seed == seed_of(source.block_hash)
    length = attempt.started.roster_length
    size = sample_size(SAMPLED, attempt.started.cohort, length)
    chosen = sampled_positions(run, (ROUND, 1), draw.seed, length, size)
    assert len(chosen) == SAMPLED
    for position, hospital in enumerate(hospitals):
        if position not in chosen:
            with pytest.raises(RevertedError) as caught:
                acts.submit(world, run, hospital)
            assert caught.value.error == "SiteNotInSample"
    for position in chosen:
        acts.submit(world, run, hospitals[position])
    assert world.reader.state(run).phase is Phase.PROPOSING
    events = world.reader.run_events(run)
    assert running_hash_of(event.log for event in events) == world.reader.running_hash(run)

"""Whoever runs the chain has the sample drawn that it wants, by rewriting what the module stores.

The log shows what was drawn, and by which block. The audit draws again from the
hash of the block that the attempt began in, and looks for updates from outside.
"""

from __future__ import annotations

from fednet.domain.ledger import Phase
from fednet.domain.samples import sampled_positions
from tests.attacks import lies
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.attacks.network import Network, Run
from tests.attacks.rewriting import rewrite_slot, slot_value, slots_read

SAMPLED = 2
SAMPLE = {"module_name": "sampled", "module_sampled_sites": SAMPLED}
SOURCE_BIT, SEED_BIT = 16, 80
"""Where a stored sample has its block and its seed."""

LIE = Lie(
    "The sample of sites that train is redrawn",
    Liar.CHAIN,
    (Found("sample-differs", 27), Found("submission-outside-sample", 27)),
)


def stored(network: Network, run: Run) -> tuple[str, int]:
    """Find the slot that holds where the draw stands, and its value."""
    [slot] = slots_read(network, "SampledRounds", "sampleOf", run.run)
    return slot, slot_value(network, "SampledRounds", slot)


def test_sample_of_another_block_is_found(network: Network) -> None:
    with network.open(network.members(), **SAMPLE) as run:
        slot, value = stored(network, run)
        # The block before was known, and so was the sample that it would draw.
        rewrite_slot(network, "SampledRounds", slot, value - (1 << SOURCE_BIT))
        run.start()
        assert run.over() is Phase.COMPLETED
        [found] = LIE.found(network.audit(run))
    assert found.code == "sample-differs"


def test_update_from_outside_the_sample_is_found(network: Network) -> None:
    members = network.members()
    with network.open(members, **SAMPLE) as run:
        members[0].writer.draw(run.run)
        [draw] = run.history.rounds[run.state.round].attempts[1].draws
        place, length = (run.state.round, 1), len(members)
        drawn = sampled_positions(run.run, place, draw.seed, length, SAMPLED)
        friend = next(at for at in range(length) if at not in drawn)
        honest = max(drawn)
        seed = next(
            seed
            for seed in range(1, 1_000)
            if sampled_positions(run.run, place, seed, length, SAMPLED) == {friend, honest}
        )
        slot, value = stored(network, run)
        kept = value & (1 << SEED_BIT) - 1
        rewrite_slot(network, "SampledRounds", slot, kept | seed << SEED_BIT)
        member = members[friend]
        lies.submit_and_reveal(member, run, lies.update(member, run.place()))
        run.start(*(each for each in members if each is not member))
        assert run.over() is Phase.COMPLETED
        [found] = LIE.found(network.audit(run))
    assert found.code == "submission-outside-sample"
    assert f"site {member.site} " in found.subject


def test_honest_samples_are_drawn_by_their_blocks(network: Network) -> None:
    with network.open(network.members(), rounds=2, **SAMPLE) as run:
        run.start()
        assert run.over() is Phase.COMPLETED
        require_honest(network.audit(run))
        for entry in run.history.rounds.values():
            (attempt,) = entry.attempts.values()
            assert len(attempt.submissions) == SAMPLED
            assert len(attempt.proposals[1].attestations) == len(run.members)

"""Rounds of samples: a seed nobody chose says who submits; everybody recomputes and votes."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from fednet.domain.identity import Digest, RunId
from fednet.domain.samples import rank_of, sample_size, sampled_positions, seed_of
from tests.contracts.chain import COLLECTING, FINAL, PROPOSING, digest, running_hash
from tests.contracts.world import Party, World, encode_parameters


@pytest.fixture
def run(world: World) -> int:
    return begun(world, sampled=2)


def begun(world: World, sampled: int, **changes: int) -> int:
    run = world.open(sampled=sampled, minimumSites=4, targetSites=4, **changes)
    for party in world.parties:
        world.consent(run, party)
    return run


def draw(world: World, run: int) -> dict[str, object]:
    # A dry run is of the last block, in which the attempt may have begun.
    world.chain.rpc("evm_mine")
    receipt = world.send(world.parties[0].account, world.rounds.functions.draw(run))
    ((name, event),) = world.events(receipt)
    assert name == "SampleDrawn"
    return event


def sampled(world: World, run: int) -> list[Party]:
    """Compute the sample from the chain's blocks and the domain's twin alone."""
    state = world.state(run)
    source = int(world.rounds.functions.sampleOf(run).call()[1])
    seed = seed_of(Digest(world.chain.w3.eth.get_block(source)["hash"]))
    size = sample_size(2, state["cohort"], state["rosterLength"])
    place = (state["round"], state["attempt"])
    chosen = sampled_positions(RunId(run), place, seed, state["rosterLength"], size)
    return [each for each in world.parties if world.member(run, each)["position"] in chosen]


def test_the_block_in_which_the_attempt_began_draws_the_sample(world: World, run: int) -> None:
    began = world.chain.w3.eth.block_number
    event = draw(world, run)
    seed = seed_of(Digest(world.chain.w3.eth.get_block(began)["hash"]))
    assert event == {"run": run, "round": 1, "attempt": 1, "source": began, "seed": seed}
    chosen = sampled(world, run)
    assert len(chosen) == 2
    is_sampled = world.rounds.functions.isSampled
    for party in world.parties:
        position = world.member(run, party)["position"]
        assert is_sampled(run, position).call() == (party in chosen)
    assert not is_sampled(run, 4).call()
    assert running_hash(world.logs_of(run)) == world.rounds.functions.runningHashOf(run).call()


def test_the_sample_submits_and_everybody_votes(world: World, run: int) -> None:
    draw(world, run)
    chosen = sampled(world, run)
    others = [each for each in world.parties if each not in chosen]
    for party in others:
        refused = world.refusal_of(party.account, world.submission(run, party))
        assert (refused.name, refused.arguments) == ("SiteNotInSample", (run, party.site))
    assert world.state(run)["expected"] == 2
    for party in chosen:
        world.submit(run, party)
    state = world.state(run)
    assert (state["phase"], state["cohort"], state["quorum"]) == (PROPOSING, 4, 3)
    world.propose(run, world.turns_party(run, world.parties), included=2)
    for party in [*others, chosen[0]]:
        world.attest(run, party)
    assert world.state(run)["phase"] == FINAL
    world.go_on(run)
    draw(world, run)
    assert len(sampled(world, run)) == 2
    assert running_hash(world.logs_of(run)) == world.rounds.functions.runningHashOf(run).call()


def test_nobody_submits_before_the_draw(world: World, run: int) -> None:
    for party in world.parties:
        refused = world.refusal_of(party.account, world.submission(run, party))
        assert refused.name == "SiteNotInSample"


def test_draw_reverts(world: World, run: int) -> None:
    world.chain.rpc("evm_mine")
    act = world.rounds.functions.draw(run)
    assert world.refusal_of(world.outsider, act).name == "CallerNotMember"
    draw(world, run)
    refused = world.refusal_of(world.parties[0].account, act)
    assert (refused.name, refused.arguments) == ("SampleSettled", (run,))
    for party in sampled(world, run):
        world.submit(run, party)
    assert world.refusal_of(world.parties[0].account, act).arguments == (run, PROPOSING)


def test_the_draw_is_refused_in_the_block_that_draws(world: World, run: int) -> None:
    """A call at the block of the beginning sees what a transaction in that block would."""
    data = world.rounds.functions.draw(run)._encode_transaction_data()
    call = {"from": world.parties[0].account, "to": world.rounds.address, "data": data}
    began = world.chain.w3.eth.block_number
    answer = world.chain.w3.provider.make_request("eth_call", [call, hex(began)])  # type: ignore[arg-type]
    refused = world._refusal(answer["error"])
    assert (refused.name, refused.arguments) == ("SampleAhead", (run, began))


def test_a_draw_that_came_too_late_hangs_on_a_new_block(world: World, run: int) -> None:
    world.chain.rpc("anvil_mine", hex(300))
    event = draw(world, run)
    put_off = world.chain.w3.eth.block_number
    assert (event["source"], event["seed"]) == (put_off, 0)
    refused = world.refusal_of(world.parties[0].account, world.submission(run, world.parties[0]))
    assert refused.name == "SiteNotInSample"
    event = draw(world, run)
    hashed = Digest(world.chain.w3.eth.get_block(put_off)["hash"])
    assert (event["source"], event["seed"]) == (put_off, seed_of(hashed))
    for party in sampled(world, run):
        world.submit(run, party)
    assert world.state(run)["phase"] == PROPOSING


def test_a_sampled_site_that_leaves_is_waited_for_no_more(world: World) -> None:
    run = world.open(sampled=3, minimumSites=4, targetSites=4, minimumUpdates=1)
    for party in world.parties:
        world.consent(run, party)
    draw(world, run)
    is_sampled = world.rounds.functions.isSampled
    inside = {p.site for p in world.parties if is_sampled(run, p.site - 1).call()}
    assert len(inside) == 3
    outsider = next(each for each in world.parties if each.site not in inside)
    world.send(outsider.account, world.rounds.functions.withdraw(run, outsider.site))
    assert world.state(run)["expected"] == 3
    leaver = next(each for each in world.parties if each.site in inside)
    world.send(leaver.account, world.rounds.functions.withdraw(run, leaver.site))
    assert world.state(run)["expected"] == 2


def test_a_position_that_is_empty_makes_room_for_another_site(world: World) -> None:
    run = begun(world, sampled=2, collectSeconds=100)
    first = world.parties[0]
    world.send(first.account, world.rounds.functions.withdraw(run, first.site))
    world.advance(run)
    state = world.state(run)
    assert (state["attempt"], state["cohort"], state["rosterLength"]) == (2, 3, 4)
    draw(world, run)
    positions = [at for at in range(4) if world.rounds.functions.isSampled(run, at).call()]
    assert len(positions) == 3
    assert len(sampled(world, run)) >= 2
    assert world.state(run)["expected"] == 2


def test_a_sample_as_large_as_the_cohort_is_the_cohort(world: World) -> None:
    run = begun(world, sampled=4)
    refused = world.refusal_of(world.parties[0].account, world.rounds.functions.draw(run))
    assert refused.name == "SampleSettled"
    for party in world.parties:
        world.submit(run, party)
    assert world.state(run)["phase"] == PROPOSING


@pytest.mark.parametrize(("size", "target"), [(1, 0), (7, 0), (2, 3)])
def test_open_refuses_a_sample_that_cannot_be(world: World, size: int, target: int) -> None:
    parameters = encode_parameters(targetUpdates=target) + size.to_bytes(32)
    digests = [digest(each) for each in ("plan", "l", "model", "l")]
    act = world.runs.functions.open(world.rounds.address, *digests, False, parameters)
    refused = world.refusal_of(world.researcher, act)
    assert refused.arguments == (b"sampledSites".ljust(32, b"\0"), size)


def test_the_target_closes_before_the_sample_is_complete(world: World) -> None:
    run = begun(world, sampled=3, targetUpdates=2)
    draw(world, run)
    is_sampled = world.rounds.functions.isSampled
    inside = [each for each in world.parties if is_sampled(run, each.site - 1).call()]
    for party in inside[:2]:
        assert world.state(run)["phase"] == COLLECTING
        world.submit(run, party)
    assert world.state(run)["phase"] == PROPOSING


@pytest.mark.parametrize("length", [1, 2, 3, 5, 16, 17, 100])
def test_ranks_are_a_permutation(length: int) -> None:
    ranks = [rank_of(digest("key"), at, length) for at in range(length)]
    assert sorted(ranks) == list(range(length))


@pytest.mark.parametrize(("length", "size"), [(4, 2), (5, 2), (10, 1)])
def test_every_sample_is_about_as_likely(length: int, size: int) -> None:
    draws = 4_000
    drawn = Counter(
        sampled_positions(RunId(1), (1, 1), seed_of(Digest(digest(at))), length, size)
        for at in range(draws)
    )
    even = draws / math.comb(length, size)
    assert len(drawn) == math.comb(length, size)
    assert all(abs(count - even) < 0.25 * even for count in drawn.values())

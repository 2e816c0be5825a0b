"""What the ports promise of masked rounds, on Anvil and on Ganache."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fednet.domain import masking_events as ev
from fednet.domain.identity import ZERO_DIGEST, RoundNumber, RunId
from fednet.domain.ledger import Inclusion, Phase, pack_inclusion
from fednet.domain.masking_stages import MaskingHistory, MaskingStage
from fednet.domain.running_hash import running_hash_of
from fednet.errors import LedgerError, RevertedError
from tests import ledger_acts as acts
from tests.ledger_acts import MASKING_TIMES, World, commitment, locator

FIRST = RoundNumber(1)
INCLUSION = pack_inclusion({0: Inclusion.INVALID})


@pytest.fixture
def world(chain_world: World) -> World:
    return chain_world


def refusal_of(act: Callable[[], object]) -> RevertedError:
    with pytest.raises(RevertedError) as caught:
        act()
    assert caught.value.hint
    return caught.value


def test_masked_round_is_played_and_told_by_its_history(world: World) -> None:
    run, hospitals = acts.masked_run(world)
    assert world.reader.masking_times(run) == MASKING_TIMES
    began = world.reader.masking_state(run)
    assert (began.round, began.attempt, began.stage) == (1, 1, MaskingStage.KEYS)
    acts.mask_round(world, run, hospitals, INCLUSION)
    state = world.reader.masking_state(run)
    assert state.stage is MaskingStage.UNMASKING
    assert (state.advertised, state.dealt, state.held, state.affirmed) == (3, 3, 3, 2)

    events = world.reader.masking_events(run)
    attempt = MaskingHistory.fold(events).attempt(FIRST, 1)
    sites = {hospital.site for hospital in hospitals}
    assert attempt.keys.keys() == attempt.dealings.keys() == attempt.holdings.keys() == sites
    assert attempt.disclosures.keys() == sites
    assert attempt.seed_block == state.seed_block
    assert attempt.frozen_inclusion == INCLUSION
    site = hospitals[0].site
    assert attempt.keys[site].mask_key == commitment("mask", site)
    assert attempt.keys[site].channel_key == commitment("channel", site)
    assert attempt.holdings[site].holding == bytes([site])
    dealing = commitment("dealing", run, 1, 1, site)
    dealt = attempt.dealings[site]
    assert (dealt.commitment, dealt.locator) == (dealing, locator(dealing))
    assert attempt.closed is not None
    assert attempt.closed.advertised == 3
    assert list(attempt.sets[1].affirmations) == [each.site for each in hospitals[:2]]
    later = world.reader.masking_events(run, attempt.closed.log.block + 1)
    assert list(later) == [each for each in events if each.log.block > attempt.closed.log.block]


def test_records_of_all_runs_fold_to_the_running_hash(world: World) -> None:
    empty = world.reader.masking_log()
    assert (empty.running_hash, empty.records) == (ZERO_DIGEST, 0)
    runs = []
    for names in (("a", "b", "c"), ("d", "e", "f")):
        run, hospitals = acts.masked_run(world, names)
        acts.mask_round(world, run, hospitals, b"")
        runs.append(run)
    records, held = world.reader.events(ev.MASKING_EVENTS), world.reader.masking_log()
    assert held.records == len(records) == 2 * 17
    assert held.running_hash == running_hash_of(record.log for record in records)
    for run in runs:
        assert len(world.reader.masking_events(run)) == 17


def test_proposal_is_taken_for_the_frozen_set_alone(world: World) -> None:
    run, hospitals = acts.masked_run(world)
    acts.mask_round(world, run, hospitals, b"")
    proposal = acts.propose(world, run, hospitals)
    for hospital in hospitals:
        acts.attest(proposal, hospital)
    assert world.reader.state(run).phase is Phase.FINAL
    hospitals[0].writer.advance(run)
    acts.mask_round(world, run, hospitals, INCLUSION)
    refused = refusal_of(lambda: acts.propose(world, run, hospitals))
    assert refused.error == "InclusionNotFrozen"
    assert refused.arguments["frozen"] == world.reader.masking_state(run).frozen != ZERO_DIGEST


def test_refusals_name_the_stage_and_a_remedy(world: World) -> None:
    run, (first, *_) = acts.masked_run(world)
    blob = commitment("dealing"), locator("dealing")
    early = refusal_of(lambda: first.writer.deal_shares(run, first.site, FIRST, 1, *blob))
    assert (early.error, early.arguments["actual"]) == ("StageWrong", MaskingStage.KEYS)
    ahead = refusal_of(lambda: first.writer.close_keys(run))
    assert ahead.error == "DeadlineAhead"


def test_state_at_a_later_time_is_what_the_chain_then_says(world: World) -> None:
    run, hospitals = acts.masked_run(world)
    first = hospitals[0]
    for each in hospitals:
        keys = bytes(commitment("mask", each.site)), bytes(commitment("channel", each.site))
        each.writer.advertise_keys(run, each.site, FIRST, 1, *keys)
    first.writer.close_keys(run)
    dealt = commitment("dealing"), locator("dealing")
    first.writer.deal_shares(run, first.site, FIRST, 1, *dealt)
    before, deadline = world.reader.masking_state(run), world.reader.state(run).deadline
    for stage in (MaskingStage.HOLDINGS, MaskingStage.MASKED):
        now = world.reader.head().timestamp
        world.pass_time(world.reader.masking_state(run).deadline - now + 1)
        then = world.reader.masking_state(run)
        assert then.stage is stage
        assert before.at(world.reader.head().timestamp, MASKING_TIMES, deadline) == then


def test_run_that_masks_nothing_has_no_stages(world: World) -> None:
    run, (first, *_), researcher = acts.started_run(world)
    assert world.reader.masking_times(run) is None
    state = world.reader.masking_state(run)
    assert (state.stage, state.round, state.deadline) == (MaskingStage.NONE, 0, 0)
    assert world.reader.masking_events(run) == []
    refused = refusal_of(lambda: first.writer.close_keys(run))
    assert (refused.error, refused.arguments["actual"]) == ("StageWrong", MaskingStage.NONE)
    modules = world.reader.deployment.modules
    plan, model = ((commitment(name), locator(name)) for name in ("plan", "model"))
    for module, times in ((modules.masked, None), (modules.plain, MASKING_TIMES)):
        with pytest.raises(LedgerError, match="need each other"):
            researcher.open_run(module, plan, model, True, acts.PARAMETERS, masking=times)
    assert refusal_of(lambda: world.reader.masking_state(RunId(9))).error == "RunUnknown"

"""Whole nodes mask, vanish, freeze, unmask and recompute, on a ledger in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fednet.domain.identity import SiteId
from fednet.domain.ledger import Phase
from fednet.domain.masking_stages import MaskingStage
from fednet.domain.tensors import decode_tensors
from fednet.node import acts
from fednet.privacy.masking import agree_on
from tests.masked_chain import COLLECT, MaskedChain, sections
from tests.masked_network import Network, Vanish, stop_time, values_of
from tests.unit.audit.books import RUN

Begin = Callable[..., Network]
TEN, GONE = 10, (2, 5, 9)


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    opened: list[Network] = []

    def make(sites: int = TEN, rounds: int = 1, **masking: Any) -> Network:
        class Chain(MaskedChain):
            pass

        Chain.sections = sections(sites, **masking)
        folder = tmp_path / "chain"
        folder.mkdir()
        chain = Chain(folder, sites, rounds)
        stop_time(monkeypatch, chain)
        network = Network(chain, tmp_path)
        opened.append(network)
        return network

    yield make
    for network in opened:
        network.close()


def is_over(chain: MaskedChain) -> bool:
    return chain.phase in (Phase.FINAL, Phase.COMPLETED, Phase.ABORTED)


def from_stage(stage: MaskingStage, sites: Collection[int]) -> Vanish:
    """Have sites vanish once a stage of the first attempt has begun."""

    def vanish(chain: MaskedChain) -> Collection[int]:
        return sites if chain.stage()[0] >= stage else ()

    return vanish


def clear_state(chain: MaskedChain, sites: Collection[int], attempt: int = 1) -> bytes:
    """Return the state that follows from the updates of these sites, added in the clear."""
    fixed_point = agree_on(chain.plan, len(chain.sites)).fixed_point
    total, mean = None, None
    for site in sites:
        arrays = values_of(site, 1, attempt)
        values = np.concatenate([arrays[name].reshape(-1) for name in sorted(arrays)])
        encoded = np.empty(values.size, fixed_point.ring.dtype)
        fixed_point.encode_into(values, 10 * site, encoded, "site")
        total = encoded if total is None else total + encoded
        mean = np.empty(values.size, np.float64)
    assert total is not None
    assert mean is not None
    fixed_point.mean_into(total, 10 * sum(sites), mean)
    return mean.astype(np.float32).tobytes()


def final_state(network: Network) -> bytes:
    said = network.chain.proposal
    assert said is not None
    state = said.state
    path = next(network.folder.glob(f"site-*/run-1/{state}.safetensors"))
    arrays, _ = decode_tensors(path.read_bytes(), "state")
    return b"".join(arrays[name].tobytes() for name in sorted(arrays))


def test_ten_nodes_make_a_round_final_whose_state_is_the_sum_in_the_clear(begin: Begin) -> None:
    network = begin()
    network.play(is_over)
    assert network.errors == []
    assert network.chain.settlements.keys() == {1}
    assert final_state(network) == clear_state(network.chain, range(1, TEN + 1))


@pytest.mark.parametrize(
    "stage",
    [
        MaskingStage.KEYS,
        MaskingStage.SHARES,
        MaskingStage.HOLDINGS,
        MaskingStage.MASKED,
        MaskingStage.FREEZING,
        MaskingStage.UNMASKING,
    ],
)
def test_three_of_ten_nodes_vanish_at_a_stage_and_the_round_becomes_final(
    begin: Begin, stage: MaskingStage
) -> None:
    network = begin()
    network.play(is_over, from_stage(stage, GONE))
    assert network.errors == []
    assert network.chain.settlements.keys() == {1}
    assert network.chain.place.attempt == 1
    # Who vanishes once updates are in has not revealed its own, until the set is frozen.
    is_late = stage is MaskingStage.UNMASKING
    counted = [site for site in range(1, TEN + 1) if is_late or site not in GONE]
    assert final_state(network) == clear_state(network.chain, counted)


def test_nodes_go_on_once_all_have_submitted_that_said_what_they_hold(begin: Begin) -> None:
    network = begin()
    chain = network.chain
    until = chain.now + COLLECT
    network.play(is_over, from_stage(MaskingStage.SHARES, GONE))
    assert chain.settlements.keys() == {1}
    # The chain closed the submissions, and told nobody: three of the cohort never came.
    assert chain.now < until


@pytest.mark.parametrize(
    "stage", [MaskingStage.KEYS, MaskingStage.SHARES, MaskingStage.HOLDINGS, MaskingStage.MASKED]
)
def test_where_a_fourth_vanishes_nothing_is_unmasked_and_the_run_is_aborted(
    begin: Begin, stage: MaskingStage
) -> None:
    network = begin()
    network.play(is_over, from_stage(stage, (*GONE, 10)))
    assert network.chain.phase is Phase.ABORTED
    assert not any(
        isinstance(act, acts.Disclose) for done in network.acted.values() for act in done
    )


def test_audit_verifies_what_the_nodes_made(begin: Begin) -> None:
    network = begin(rounds=2)
    network.play(lambda chain: chain.phase is Phase.COMPLETED, from_stage(MaskingStage.MASKED, [4]))
    chain = network.chain
    report = chain.audit()
    assert {each.code for each in report.findings} == {"shares-withheld"}
    assert report.verified


def test_node_that_is_killed_after_each_kind_of_act_gives_the_same_sum(begin: Begin) -> None:
    network = begin()

    killed: set[type[acts.Act]] = set()

    def kill(chain: MaskedChain) -> Collection[int]:
        kind = type(network.acted[3][-1]) if network.acted[3] else acts.Wait
        if kind not in killed | {acts.Wait}:
            killed.add(kind)
            network.restart(3)
        return ()

    network.play(is_over, kill)
    assert network.errors == []
    assert {acts.Advertise, acts.Deal, acts.Hold, acts.Wrap, acts.Submit, acts.Disclose} <= killed
    assert final_state(network) == clear_state(network.chain, range(1, TEN + 1))


def test_node_whose_journal_is_lost_sits_the_attempt_out(begin: Begin) -> None:
    network = begin()

    def lose(chain: MaskedChain) -> Collection[int]:
        if chain.stage()[0] is MaskingStage.SHARES and not network.acted.get(-1):
            network.acted[-1] = [acts.Wait("lost")]
            network.close_node(3)
            network.journals[SiteId(3)].path.unlink()
            network.restart(3)
        return ()

    network.play(is_over, lose)
    reasons = {act.reason for act in network.acted[3] if isinstance(act, acts.Wait)}
    assert "sitting this attempt out: the journal lost its secrets" in reasons
    counted = [site for site in range(1, TEN + 1) if site != 3]
    assert final_state(network) == clear_state(network.chain, counted)


def test_later_attempt_masks_anew_with_keys_of_its_own(begin: Begin) -> None:
    network = begin()
    late = (*GONE, 10)

    def away(chain: MaskedChain) -> Collection[int]:
        network.paused = set(late) if chain.place.attempt == 1 else set()
        return ()

    network.play(is_over, away)
    assert network.chain.place.attempt == 2
    assert final_state(network) == clear_state(network.chain, range(1, TEN + 1), attempt=2)
    assert len(set(network.journals[SiteId(1)].notes(RUN).roots.values())) == 2

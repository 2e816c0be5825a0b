"""Whole nodes under a plan whose noise hides each site in the sum: drawn anew, cut to, paid for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fednet.domain.disclosure_events import BudgetSpent
from fednet.domain.disclosures import PrivacyLoss
from fednet.domain.identity import DatasetId, Digest, RoundNumber, SiteId
from fednet.domain.ledger import Phase
from fednet.domain.masking_stages import MaskingStage
from fednet.domain.privacy import noise_of_training
from fednet.errors import BudgetExceededError
from fednet.node import acts
from fednet.node.expenses import ExpenseBook
from fednet.node.ports import TrainingResult
from fednet.node.treasury import Treasurer
from fednet.privacy.accounting import spent_by
from fednet.privacy.clipping import cut_to_norm
from fednet.privacy.masking import agree_on
from tests.masked_chain import MaskedChain, sections
from tests.masked_network import Network, Trainer, stop_time, values_of
from tests.memory_disclosures import MemoryDisclosures
from tests.unit.audit.books import DEPLOYMENT
from tests.unit.node.test_masked_rounds import final_state, from_stage, is_over

TEN, GONE = 10, (2, 5, 9)
DELTA = Decimal("0.00001")
PLENTY = PrivacyLoss.of(Decimal(5_000), Decimal("0.0001"))
Begin = Callable[..., "Paying"]


HIDDEN: dict[str, Any] = {
    "privacy": {
        "mechanism": "distributed-gaussian", "clip_norm": "0.25", "noise_multiplier": 2,
        "epsilon": 20, "delta": DELTA,
    },
}  # fmt: skip
"""Updates of the world's sites are many times as long as that."""


def weight_of(site: int) -> int:
    return min(1_000, 200 * site)


class Heavy(Trainer):
    """Train on as many examples as noise is measured by, or nearly."""

    def train(self, plan: Any, base: Path, place: Any, site: int, *rest: object) -> TrainingResult:
        return replace(super().train(plan, base, place, site, *rest), examples=weight_of(site))


class Paying(Network):
    """Nodes with treasurers, each with a ledger of its own spending."""

    def __init__(self, chain: MaskedChain, folder: Path) -> None:
        self.ledgers: dict[SiteId, MemoryDisclosures] = {}
        self.books: list[ExpenseBook] = []
        super().__init__(chain, folder)

    def tools(self, site: SiteId) -> Any:
        ledger: Any = MemoryDisclosures(site)
        for dataset in self.datasets:
            ledger.set_ceiling(dataset, PLENTY, Digest(b"\1" * 32))
        self.ledgers[site] = ledger
        self.books.append(ExpenseBook(self.folder / "privacy", DEPLOYMENT, site))
        treasurer = Treasurer(site, ledger, ledger, self.books[-1])
        return replace(super().tools(site), treasurer=treasurer, trainer=Heavy())

    @property
    def datasets(self) -> list[DatasetId]:
        return [DatasetId(number) for number in range(1, 100)]

    def close(self) -> None:
        super().close()
        for book in self.books:
            book.close()

    def spent(self, site: int) -> list[tuple[int, Decimal]]:
        """Return what a site told of: the round, and epsilon so far."""
        log = self.ledgers[SiteId(site)].log
        return [(each.round, each.spent.epsilon) for each in log if isinstance(each, BudgetSpent)]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    opened: list[Paying] = []

    def make(
        sites: int,
        rounds: int = 1,
        privacy: dict[str, Any] | None = None,
        **masking: Any,
    ) -> Paying:
        class Chain(MaskedChain):
            pass

        said = {"privacy": HIDDEN["privacy"] | (privacy or {})}
        Chain.sections = sections(sites, **masking) | said
        folder = tmp_path / "chain"
        folder.mkdir()
        chain = Chain(folder, sites, rounds)
        stop_time(monkeypatch, chain)
        network = Paying(chain, folder)
        opened.append(network)
        return network

    yield make
    for network in opened:
        network.close()


def cost(chain: MaskedChain, sums: int) -> Decimal:
    """Return the accountant's epsilon."""
    noise = noise_of_training(chain.plan.training, chain.plan.privacy, 1_000)
    return spent_by([noise] * sums, DELTA)


def settled_norm(network: Network, number: int) -> Decimal:
    """Read the norm that a final round's record settles for the next."""
    (record,) = {
        path.read_text()
        for path in network.folder.glob("site-1/run-1/*.json")
        if f'"round":{number},' in path.read_text()
    }
    return Decimal(json.loads(record)["outcome"]["next_norm"])


def test_what_is_opened_is_the_sum_of_cut_updates_and_noise_that_was_paid_for(
    begin: Begin,
) -> None:
    network = begin(TEN)
    network.play(is_over, from_stage(MaskingStage.MASKED, GONE))
    assert network.errors == []
    assert network.chain.settlements.keys() == {1}
    counted = [site for site in range(1, TEN + 1) if site not in GONE]
    # The clear sum of what was cut: noise alone stands between it and the state.
    fixed_point = agree_on(network.chain.plan, TEN).fixed_point
    weights = sum(weight_of(site) for site in counted)
    clear = sum(
        weight_of(site) * np.concatenate([each.reshape(-1) for _, each in sorted(cut.items())])
        for site in counted
        if (cut := cut_to_norm(values_of(site, 1, 1), Decimal("0.25")))
    )
    state = np.frombuffer(final_state(network), np.float32)
    noise = state.astype(np.float64) * weights - clear
    # Four of seven sites are reckoned honest: 2 * 0.25 * 1,000 examples, times sqrt(7 / 4).
    deviation = 500 * (7 / 4) ** 0.5
    assert 0.3 * deviation < np.sqrt(np.mean(noise**2)) < 2 * deviation
    assert fixed_point.noise is not None
    # Who vanished before its update was masked has spent nothing.
    for site in range(1, TEN + 1):
        expected = [(1, cost(network.chain, 1))] if site in counted else []
        assert network.spent(site) == expected


def test_a_node_sits_out_what_would_go_past_its_ceiling_and_the_others_go_on(
    begin: Begin,
) -> None:
    network = begin(5, rounds=2, colluding="0.1")
    once = PrivacyLoss.of(cost(network.chain, 1), DELTA)
    for dataset in network.datasets:
        network.ledgers[SiteId(4)].set_ceiling(dataset, once, Digest(b"\1" * 32))
    network.play(lambda chain: chain.phase is Phase.COMPLETED)
    assert network.spent(4) == [(1, cost(network.chain, 1))]
    assert network.spent(5) == [(number, cost(network.chain, number)) for number in (1, 2)]
    (error,) = network.errors
    assert isinstance(error, BudgetExceededError)
    assert "fednet privacy ceiling" in error.hint
    # It advertised no keys that others would have had to make good.
    advertised = [act.key.round for act in network.acted[4] if isinstance(act, acts.Advertise)]
    assert advertised == [1]
    round_two = [each for each in network.chain.submissions() if each.round == RoundNumber(2)]
    assert {each.site for each in round_two} == {1, 2, 3, 5}


def test_nodes_follow_a_norm_that_their_sums_settle_and_the_audit_gets_the_same(
    begin: Begin,
) -> None:
    adapts = {"quantile": "0.5", "norm_rate": 2, "noise_multiplier": "0.1", "epsilon": 1_000}
    network = begin(5, rounds=2, privacy=adapts, colluding="0.1", clip=1)
    network.play(lambda chain: chain.phase is Phase.COMPLETED)
    assert network.errors == []
    chain = network.chain
    norms = [settled_norm(network, number) for number in (1, 2)]
    # Every update is far longer than 0.25: the first sum says so, and the second again. Noise
    # deviates by a tenth of the share, and would have to say half of it.
    assert Decimal("0.25") < norms[0] < norms[1]
    report = chain.audit()
    assert {each.code for each in report.findings} == {"spending-unrecorded"}
    assert report.verified

"""A site trains on a dataset whose privacy is spent, takes spending back, or lifts its ceiling.

Lie: "there is budget left". The contract refuses each on the record, before an
update leaves; a site that records nothing is for its members to ask.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from fednet.audit import audit_run
from fednet.domain.disclosures import NO_LOSS, PrivacyLoss
from fednet.domain.identity import ZERO_DIGEST, RoundNumber
from tests.attacks.lie import Liar, Lie, contract, require_honest
from tests.chain_fixtures import ChainWorld
from tests.disclosing import CEILING, PER_ROUND, DisclosingRun

LIE = Lie(
    "A site spends privacy beyond its ceiling, takes spending back, or lifts the ceiling unsaid",
    Liar.SITE,
    (contract("BudgetExceeded"), contract("SpendingFell"), contract("CeilingGroundsMissing")),
)


@pytest.fixture
def made(anvil_world: ChainWorld, tmp_path: Path) -> DisclosingRun:
    made = DisclosingRun(anvil_world, tmp_path, sites=2, rounds=1, elements=100)
    made.play(1)
    return made


def test_record_beyond_the_ceiling_is_refused(made: DisclosingRun) -> None:
    greedy, second = made.hospitals[0], RoundNumber(2)
    spend = greedy.writer.spend_budget
    with LIE.refused("BudgetExceeded"):
        spend(made.run, second, greedy.dataset, CEILING + PrivacyLoss(1, 0))
    with LIE.refused("SpendingFell"):
        spend(made.run, second, greedy.dataset, NO_LOSS)
    with LIE.refused("CeilingGroundsMissing"):
        greedy.writer.set_ceiling(greedy.dataset, CEILING + PER_ROUND, ZERO_DIGEST)
    spend(made.run, second, greedy.dataset, CEILING)
    assert made.world.reader.budget(greedy.dataset).spent == CEILING


def test_honest_spending_within_the_ceiling_is_verified(made: DisclosingRun) -> None:
    with closing(made.store()) as store:
        report = audit_run(
            made.world.reader, store, made.run, work_dir=made.folder, fetch_seconds=0.5
        )
    require_honest(report)

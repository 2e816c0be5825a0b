"""A site spends more of its records' privacy than the run's plan promised them.

Lie: "the plan's epsilon is kept". The contract knows ceilings and no plans; the audit
holds the site's own record against the plan. A site that records less than it spends
is found by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

from fednet.audit import AuditReport, audit_run
from fednet.domain.disclosures import PrivacyLoss
from fednet.domain.identity import SiteId
from fednet.domain.update import Place
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.chain_fixtures import ChainWorld
from tests.disclosing import DisclosingRun

LIE = Lie(
    "A site spends more privacy than the plan promised",
    Liar.SITE,
    (Found("spent-beyond-promise", 29),),
    accused="the site",
)
ROUNDS = 2


class PrivateRun(DisclosingRun):
    """The plan promises just what an honest site spends in both rounds."""

    sections: ClassVar[Mapping[str, Any]] = {
        "training": {"batch_size": 32},
        "update": {"minimum_examples": 32},
        "privacy": {
            "mechanism": "dp-sgd", "clip_norm": "1", "noise_multiplier": "1",
            "epsilon": "1", "delta": "0.000002",
        },
    }  # fmt: skip


class GreedyRun(PrivateRun):
    """One site spends a millionth more in the end."""

    liar = 1

    def spending(self, number: int, place: Place) -> PrivacyLoss:
        more = number == self.liar and place.round == ROUNDS
        return super().spending(number, place) + PrivacyLoss(int(more), 0)


def audit(made: DisclosingRun) -> AuditReport:
    with closing(made.store()) as store:
        return audit_run(
            made.world.reader, store, made.run, work_dir=made.folder, fetch_seconds=0.5
        )


def test_spending_beyond_the_plans_epsilon_convicts_its_site(
    anvil_world: ChainWorld, tmp_path: Path
) -> None:
    made = GreedyRun(anvil_world, tmp_path, sites=2, rounds=ROUNDS, elements=100)
    made.play(ROUNDS)
    (found,) = LIE.found(audit(made), SiteId(made.hospitals[made.liar].site))
    assert (found.round, found.expected) == (ROUNDS, "at most epsilon 1, delta 0.000002")


def test_honest_spending_up_to_the_plans_epsilon_convicts_nobody(
    anvil_world: ChainWorld, tmp_path: Path
) -> None:
    made = PrivateRun(anvil_world, tmp_path, sites=2, rounds=ROUNDS, elements=100)
    made.play(ROUNDS)
    require_honest(audit(made))

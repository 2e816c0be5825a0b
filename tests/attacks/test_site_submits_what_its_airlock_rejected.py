"""A site submits an update that its own airlock had rejected, and goes on as if nothing were."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from fednet.audit import AuditReport, audit_run
from fednet.domain.disclosures import ReleaseStatus
from fednet.domain.identity import SiteId
from fednet.domain.update import Place
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.chain_fixtures import ChainWorld
from tests.disclosing import DisclosingRun

LIE = Lie(
    "A site submits what its own airlock rejected, returned, let expire or had not decided",
    Liar.SITE,
    (
        Found("submitted-although-rejected", 30),
        Found("submitted-although-expired", 30),
        Found("submitted-although-returned", 30),
        Found("submitted-undecided", 30),
    ),
    accused="the site",
)


class LeakingRun(DisclosingRun):
    """One site submits whatever its airlock says."""

    liar, standing = 1, ReleaseStatus.REJECTED

    def decision(self, number: int, place: Place) -> ReleaseStatus:
        return self.standing if number == self.liar else ReleaseStatus.APPROVED


def audit(made: DisclosingRun) -> AuditReport:
    with closing(made.store()) as store:
        return audit_run(
            made.world.reader, store, made.run, work_dir=made.folder, fetch_seconds=0.5
        )


@pytest.mark.parametrize(
    "standing",
    [
        ReleaseStatus.REJECTED,
        ReleaseStatus.EXPIRED,
        ReleaseStatus.RETURNED,
        ReleaseStatus.REQUESTED,
    ],
)
def test_update_that_was_held_back_convicts_its_site(
    anvil_world: ChainWorld, tmp_path: Path, standing: ReleaseStatus
) -> None:
    made = LeakingRun(anvil_world, tmp_path, sites=2, rounds=1, elements=100)
    made.standing = standing
    made.play(1)
    (found,) = LIE.found(audit(made), SiteId(made.hospitals[made.liar].site))
    assert (found.round, found.actual) == (1, f"on record as {standing.name.lower()}")


def test_honest_updates_that_were_let_out_convict_nobody(
    anvil_world: ChainWorld, tmp_path: Path
) -> None:
    made = DisclosingRun(anvil_world, tmp_path, sites=2, rounds=2, elements=100)
    made.play(2)
    require_honest(audit(made))

"""Nobody lies: no finding, whatever the numbers of sites and rounds, again and again."""

from __future__ import annotations

import pytest

from fednet.domain.ledger import Phase
from tests.attacks.lie import require_honest
from tests.attacks.network import Network

REPETITIONS = 20


def test_honest_run_gives_no_finding(network: Network) -> None:
    play(network, 0)


@pytest.mark.full
@pytest.mark.parametrize("repetition", range(1, REPETITIONS))
def test_honest_run_gives_no_finding_again(network: Network, repetition: int) -> None:
    play(network, repetition)


def play(network: Network, repetition: int) -> None:
    """Play and audit an honest run of three to five sites and one to three rounds."""
    sites, rounds = 3 + repetition % 3, 1 + repetition % 3
    with network.open(network.members(sites), rounds=rounds) as run:
        run.start()
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    require_honest(report)
    assert len(report.rounds) == rounds

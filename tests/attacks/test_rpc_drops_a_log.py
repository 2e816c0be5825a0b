"""A provider keeps one log to itself: each of a run's in turn, and some of other contracts.

The running hash covers the run's own; the receipts of the blocks cover them all.
"""

from __future__ import annotations

import pytest

from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.attacks.network import Network
from tests.attacks.rewriting import RawLog, lying_about_logs, topic
from tests.attacks.vault import Vault

LIE = Lie(
    "An RPC drops one log",
    Liar.PROVIDER,
    (Found("log-incomplete", 2), Found("log-dropped", 25)),
    duty="whoever runs or answers for the chain",
)


def test_each_dropped_log_is_found(network: Network, vault: Vault, finished: Finished) -> None:
    hidden = [0]

    def drop(logs: list[RawLog]) -> list[RawLog]:
        if not any(each["topics"][0] == topic("UpdateSubmitted") for each in logs):
            return logs
        return logs[: hidden[0]] + logs[hidden[0] + 1 :]

    with lying_about_logs(network, drop) as asked:
        for hidden[0] in range(len(finished.history.events)):
            LIE.found(vault.audit(finished, asked))


@pytest.mark.parametrize("event", ["SiteAdmitted", "AccessGranted", "CreditsClaimed"])
def test_dropped_log_of_another_contract_is_found(
    network: Network, vault: Vault, finished: Finished, event: str
) -> None:
    def drop(logs: list[RawLog]) -> list[RawLog]:
        victim = next((each for each in logs if each["topics"][0] == topic(event)), None)
        return [each for each in logs if each is not victim]

    with lying_about_logs(network, drop) as asked:
        report = vault.audit(finished, asked)
    assert "log-dropped" in {each.code for each in LIE.found(report)}
    assert not report.verified


def test_honest_provider_gives_a_verified_run(
    network: Network, vault: Vault, finished: Finished
) -> None:
    with lying_about_logs(network, lambda logs: logs) as asked:
        require_honest(vault.audit(finished, asked))

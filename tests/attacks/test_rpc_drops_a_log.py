"""A provider keeps one log of a run to itself: each in turn, so that none can be missed."""

from __future__ import annotations

from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.attacks.network import Network
from tests.attacks.rewriting import RawLog, lying_about_logs, topic
from tests.attacks.vault import Vault

LIE = Lie("An RPC drops one log of a run", Liar.PROVIDER, (Found("log-incomplete", 2),))


def test_each_dropped_log_is_found(network: Network, vault: Vault, finished: Finished) -> None:
    hidden = [0]

    def drop(logs: list[RawLog]) -> list[RawLog]:
        if not any(each["topics"][0] == topic("UpdateSubmitted") for each in logs):
            return logs
        return logs[: hidden[0]] + logs[hidden[0] + 1 :]

    with lying_about_logs(network, drop) as asked:
        for hidden[0] in range(len(finished.history.events)):
            LIE.found(vault.audit(finished, asked))


def test_honest_provider_gives_a_verified_run(
    network: Network, vault: Vault, finished: Finished
) -> None:
    with lying_about_logs(network, lambda logs: logs) as asked:
        require_honest(vault.audit(finished, asked))

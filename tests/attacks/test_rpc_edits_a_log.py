"""A provider changes one log: a submission, an order, a claimed amount.

The running hash on the chain covers every byte of the run's log, the receipts of
the blocks cover every log. Acts in an edited log are no evidence against those
that it names.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.attacks.network import Network
from tests.attacks.rewriting import RawLog, lying_about_logs, topic
from tests.attacks.vault import Vault

LIE = Lie(
    "An RPC edits one log",
    Liar.PROVIDER,
    (Found("log-incomplete", 2), Found("log-altered", 25)),
)


def edit_data(logs: list[RawLog]) -> list[RawLog]:
    """Change the lowest bit of one submission's data."""
    victim = next(each for each in logs if each["topics"][0] == topic("UpdateSubmitted"))
    changed = bytearray.fromhex(victim["data"][2:])
    changed[95] ^= 1
    victim["data"] = "0x" + changed.hex()
    return logs


def swap(logs: list[RawLog]) -> list[RawLog]:
    """Change the order of two submissions."""
    at = [i for i, each in enumerate(logs) if each["topics"][0] == topic("UpdateSubmitted")]
    logs[at[0]], logs[at[1]] = logs[at[1]], logs[at[0]]
    return logs


EDITS = {"a submission's data": edit_data, "the order": swap}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_edited_log_is_found(
    network: Network,
    vault: Vault,
    finished: Finished,
    edit: Callable[[list[RawLog]], list[RawLog]],
) -> None:
    with lying_about_logs(network, lambda logs: edit(logs) if is_run(logs) else logs) as asked:
        LIE.found(vault.audit(finished, asked))


def is_run(logs: list[RawLog]) -> bool:
    """Tell whether these are a rounds module's logs."""
    return any(each["topics"][0] == topic("UpdateSubmitted") for each in logs)


def test_edited_log_of_another_contract_is_found(
    network: Network, vault: Vault, finished: Finished
) -> None:
    def edit(logs: list[RawLog]) -> list[RawLog]:
        for log in logs:
            if log["topics"][0] == topic("CreditsClaimed"):
                log["data"] = log["data"][:-1] + ("0" if log["data"][-1] != "0" else "1")
        return logs

    with lying_about_logs(network, edit) as asked:
        report = vault.audit(finished, asked)
    assert "log-altered" in {each.code for each in LIE.found(report)}
    assert not report.verified


def test_honest_provider_gives_a_verified_run(
    network: Network, vault: Vault, finished: Finished
) -> None:
    with lying_about_logs(network, lambda logs: logs) as asked:
        require_honest(vault.audit(finished, asked))

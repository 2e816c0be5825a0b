"""A provider changes one log of a run: a submitted weight, an order, a whole event.

The running hash on the chain covers every byte of the run's log. Acts in an
edited log are no evidence against those that it names.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.attacks.network import Network
from tests.attacks.rewriting import RawLog, lying_about_logs, topic
from tests.attacks.vault import Vault

LIE = Lie("An RPC edits one log of a run", Liar.PROVIDER, (Found("log-incomplete", 2),))


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


def test_honest_provider_gives_a_verified_run(
    network: Network, vault: Vault, finished: Finished
) -> None:
    with lying_about_logs(network, lambda logs: logs) as asked:
        require_honest(vault.audit(finished, asked))

"""Whoever runs a chain overwrites what a contract stores, without any transaction.

The events say otherwise, and every slot that a run rests on is what its events
add up to: settlement, running hash, phase, claimed credits.
"""

from __future__ import annotations

import pytest

from fednet.domain.identity import RunId
from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.rewriting import restored, rewrite_slot, slot_value, slots_read
from tests.attacks.tampering import require_control
from tests.attacks.vault import Vault

LIE = Lie(
    "A slot of the chain is rewritten",
    Liar.CHAIN,
    (
        Found("settlement-differs", 13),
        Found("log-incomplete", 2),
        Found("balance-differs", 18),
    ),
)


def arguments_of(view: str, run: RunId, site: int) -> list[int]:
    """Say what to ask a view about."""
    return {"settlementOf": [run, 1], "runningHashOf": [run], "accountOf": [run, site]}[view]


@pytest.mark.parametrize(
    ("contract", "view", "code"),
    [
        ("PlainRounds", "settlementOf", "settlement-differs"),
        ("PlainRounds", "runningHashOf", "log-incomplete"),
        ("Credits", "accountOf", "balance-differs"),
    ],
)
def test_rewritten_slot_is_found(
    network: Network, vault: Vault, finished: Finished, contract: str, view: str, code: str
) -> None:
    arguments = arguments_of(view, finished.run, finished.members[1].site)
    slots = slots_read(network, contract, view, *arguments)
    [told] = network.reader.call(contract, view, *arguments)
    for slot in slots:
        with restored(network):
            rewrite_slot(network, contract, slot, slot_value(network, contract, slot) ^ 1 << 120)
            if network.reader.call(contract, view, *arguments) != (told,):
                found = LIE.found(vault.audit(finished))
                assert code in {each.code for each in found}
                return
    raise AssertionError("no slot was found that the view depends on")


def test_honest_slots_agree_with_the_events(vault: Vault, finished: Finished) -> None:
    require_control(vault, finished)

"""Whoever runs a chain puts a forger in a contract's place that answers to the same ABI.

The forger hands every call on to the true code, except for one view, in which it
lies. Whoever connects compares the code with the deployment's before it asks.
"""

from __future__ import annotations

import pytest

from fednet.domain.identity import RoundNumber
from tests.attacks.finished import Finished
from tests.attacks.lie import Liar, Lie, reader, require_honest
from tests.attacks.network import Network
from tests.attacks.rewriting import address_for, fresh_reader, restored, selector
from tests.attacks.vault import Vault

LIE = Lie(
    "A contract's code is replaced by a forger with the same ABI",
    Liar.CHAIN,
    (reader("DeploymentMismatchError"),),
)


def forger(original: str, view: bytes, answer: int) -> str:
    """Write a contract that lies in one view and hands all else on with `delegatecall`.

    Solidity's own compiler is not needed for two branches.
    """
    lie = bytes.fromhex("5b7f") + answer.to_bytes(32, "big") + bytes.fromhex("5f5260205ff3")
    hand_on = (
        bytes.fromhex("365f5f375f5f365f73")  # copy the call; out 0, 0; in size, 0; address
        + bytes.fromhex(original[2:])
        + bytes.fromhex("5af43d5f5f3e3d5ff3")  # delegatecall; copy what it returned; return it
    )
    head_size = 14
    branch = bytes.fromhex("5f3560e01c63") + view + bytes.fromhex("14")
    target = len(branch) + 3 + len(hand_on)
    jump = bytes([0x60, target, 0x57])
    assert len(branch) == head_size - 3 + 0
    return "0x" + (branch + jump + hand_on + lie).hex()


@pytest.mark.parametrize(
    "name",
    ["PlainRounds", "Credits", "Runs", "SiteRegistry", "DataAccess", "Disclosures", "Masking"],
)
def test_forger_is_not_believed(network: Network, finished: Finished, name: str) -> None:
    at, aside = network.reader.deployment.contracts()[name], address_for(name)
    view = selector("PlainRounds", "settlementOf")
    with restored(network):
        code = network.anvil.rpc("eth_getCode", at, "latest")
        network.anvil.rpc("anvil_setCode", aside, code)
        network.anvil.rpc("anvil_setCode", at, forger(aside, view, 7))
        if name == "PlainRounds":
            # The forger works: whoever does not look at the code is told the lie.
            first = RoundNumber(1)
            assert int.from_bytes(network.reader.settlement(finished.run, first), "big") == 7
            assert network.reader.state(finished.run).final_rounds == 2
        with LIE.refused("DeploymentMismatchError"), fresh_reader(network):
            pass


def test_honest_code_is_the_deployments(network: Network, vault: Vault, finished: Finished) -> None:
    with fresh_reader(network) as asked:
        require_honest(vault.audit(finished, asked))

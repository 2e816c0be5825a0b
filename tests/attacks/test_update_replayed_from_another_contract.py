"""A site hands in the update that it made for a run under another rounds module.

Lie: "this is my work under this contract". Both modules are real, and approved.
Found by the intake: the manifest in the bytes names the rounds module.
"""

from __future__ import annotations

from dataclasses import replace

from fednet.domain.identity import Address
from fednet.domain.ledger import Phase
from fednet.ledger.transacting import Transactor
from tests.attacks import lies
from tests.attacks.lie import Found, LeftOut, Liar, Lie, require_honest
from tests.attacks.network import OWNER, Network
from tests.attacks.replaying import hand_in, require_refused

LIE = Lie(
    "An update is replayed from another contract",
    Liar.SITE,
    (LeftOut("wrong-place"), Found("update-replayed", 23)),
    accused="the site that replays",
)


def second_module(network: Network) -> Address:
    """Put a second rounds module on the chain, and approve it."""
    held = network.reader.deployment
    transactor = Transactor(network.reader.rpc, OWNER, held.chain_id)
    _, module = transactor.create("PlainRounds", [held.site_registry, held.data_access, held.runs])
    network.operator.approve_module(module)
    return module


def test_update_of_another_contract_is_refused(network: Network) -> None:
    module, members = second_module(network), network.members()
    liar = members[0]
    others = [liar, *network.members(1)]
    with network.open(members) as run, network.open(others, module=module) as other:
        assert other.place().contract == module != run.place().contract
        made_there = lies.update(liar, replace(other.place(), run=run.run))
        run.start(*members[1:])
        hand_in(liar, run, made_there)
        require_refused(LIE, network, run, liar)


def test_honest_run_under_a_second_module_is_verified(network: Network) -> None:
    with network.open(network.members(), module=second_module(network)) as run:
        run.start()
        assert run.over() is Phase.COMPLETED
        require_honest(network.audit(run))

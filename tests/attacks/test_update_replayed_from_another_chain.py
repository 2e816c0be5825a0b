"""A site hands in an update that it made for the same run number on another chain.

Lie: "this is my work on this chain". The manifest in the bytes names the chain,
and so does every signature of a transaction (EIP-1559): neither an update nor an
act of elsewhere counts here. (Anvil takes EIP-155's older form from any chain;
public chains do not.)
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from fednet.domain.ledger import Phase
from fednet.ledger import abi, codec
from fednet.ledger.chains import LocalChain
from fednet.ledger.rpc import JsonRpc, RpcRefusedError
from tests.attacks import lies
from tests.attacks.lie import Found, LeftOut, Liar, Lie, Refused
from tests.attacks.network import Member, Network, Run
from tests.attacks.replaying import hand_in, require_honest_round, require_refused

OTHER_CHAIN = 4242
ELSEWHERE = Refused("chain", "RpcRefusedError")
LIE = Lie(
    "An update, or a signed transaction, is replayed from another chain",
    Liar.SITE,
    (LeftOut("wrong-place"), Found("update-replayed", 23), ELSEWHERE),
    accused="the site that replays",
)


def signed_elsewhere(victim: Member, run: Run, nonce: int) -> str:
    """Sign a submission as its site would on the other chain."""
    update = lies.update(victim, run.place())
    promised = (update.commitment, update.weight, victim.store.locate(update.path))
    arguments = [codec.plain(each) for each in (run.run, victim.site, 1, 1, 0, *promised)]
    data = abi.contract("PlainRounds").functions["submit"].encode(arguments)
    transaction = {
        "chainId": OTHER_CHAIN, "nonce": nonce, "gas": 400_000, "value": 0,
        "type": 2, "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1,
        "to": run.place().contract, "data": "0x" + data.hex(),
    }  # fmt: skip
    return "0x" + bytes(victim.account.sign_transaction(transaction).raw_transaction).hex()


def test_update_of_another_chain_is_refused(network: Network) -> None:
    members = network.members()
    liar = members[0]
    with network.open(members) as run:
        run.start(*members[1:])
        elsewhere = replace(run.place(), chain_id=OTHER_CHAIN)
        hand_in(liar, run, lies.update(liar, elsewhere))
        require_refused(LIE, network, run, liar)


def test_transaction_of_another_chain_is_refused(
    network: Network, ganache_chain: LocalChain
) -> None:
    members = network.members()
    with network.open(members) as run:
        for url in (network.anvil.url, ganache_chain.url):
            with closing(JsonRpc(url)) as rpc:
                address = members[0].writer.address
                nonce = int(rpc.call("eth_getTransactionCount", address, "pending"), 16)
                raw = signed_elsewhere(members[0], run, nonce)
                with pytest.raises(RpcRefusedError, match=r"(?i)chain id"):
                    rpc.call("eth_sendRawTransaction", raw)
        LIE.saw(ELSEWHERE)
        assert not run.submissions()
        assert run.state.phase is Phase.COLLECTING


def test_honest_update_of_this_chain_counts(network: Network) -> None:
    require_honest_round(network)

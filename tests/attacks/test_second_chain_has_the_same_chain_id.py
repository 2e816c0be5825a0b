"""Another chain answers with the same chain id and the same contracts at the same addresses.

Anvil with Anvil's own key gives both for nothing, and a Ganache that says it is the
same chain has none of the contracts. The genesis block tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fednet.ledger.chains import LocalChain
from fednet.ledger.deploy import deploy
from tests.attacks.finished import Finished
from tests.attacks.lie import Liar, Lie, reader, require_honest
from tests.attacks.network import OWNER, Network
from tests.attacks.rewriting import fresh_reader
from tests.attacks.vault import Vault
from tests.contracts.chain import Anvil
from tests.rpc_proxy import misbehaving_provider

LIE = Lie(
    "A second chain has the same chain id",
    Liar.PROVIDER,
    (reader("DeploymentMismatchError"),),
)


@contextmanager
def second_anvil() -> Iterator[str]:
    """Start a chain that looks the same, with the same contracts."""
    twin = Anvil(accounts=1)
    try:
        yield twin.url
    finally:
        twin.stop()


def test_twin_with_the_same_contracts_is_refused(network: Network) -> None:
    with second_anvil() as url:
        twin, ours = deploy(url, OWNER), network.reader.deployment
        assert (twin.chain_id, twin.modules) == (ours.chain_id, ours.modules)
        assert twin.code_hashes == ours.code_hashes
        with LIE.refused("DeploymentMismatchError"), fresh_reader(network, url):
            pass


def test_other_engine_that_names_the_same_chain_id_is_refused(
    network: Network, ganache_chain: LocalChain
) -> None:
    ours = hex(network.reader.deployment.chain_id)

    def alter(request: dict[str, Any], result: Any) -> Any:
        return ours if request["method"] == "eth_chainId" else result

    with (
        misbehaving_provider(ganache_chain.url, alter=alter) as url,
        LIE.refused("DeploymentMismatchError"),
        fresh_reader(network, url),
    ):
        pass


def test_honest_chain_is_the_deployments(
    network: Network, vault: Vault, finished: Finished
) -> None:
    with fresh_reader(network) as asked:
        require_honest(vault.audit(finished, asked))

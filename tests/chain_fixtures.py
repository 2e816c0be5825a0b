"""Real local chains for tests: one Ganache and one Anvil a test file, started as users start them.

``deploy_world`` puts fresh contracts on a chain, which costs little; tests
share the chain and not the contracts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from fednet.domain.identity import Address
from fednet.domain.ledger import Deployment
from fednet.ledger.chains import LocalChain
from fednet.ledger.deploy import deploy
from fednet.ledger.reader import Web3Reader
from fednet.ledger.rpc import JsonRpc
from fednet.ledger.writer import Web3Writer

ETHER = 10**18


@dataclass
class ChainWorld:
    """Fresh contracts on a local chain, and funded accounts by name."""

    chain: LocalChain
    deployment: Deployment
    reader: Web3Reader
    operator: Web3Writer
    _writers: dict[str, Web3Writer] = field(default_factory=dict)

    def writer(self, name: str) -> Web3Writer:
        """Return the writer of a funded account, the same for the same name."""
        if name not in self._writers:
            account = Account.create()
            self.chain.fund(Address(account.address), 10 * ETHER)
            self._writers[name] = Web3Writer(self.reader, account)
        return self._writers[name]

    def pass_time(self, seconds: int) -> None:
        """Move the chain's clock, and mine a block that shows it."""
        pass_time(self.chain.url, seconds)


def pass_time(url: str, seconds: int) -> None:
    """Move a local chain's clock, and mine a block that shows it."""
    rpc = JsonRpc(url)
    rpc.call("evm_increaseTime", seconds)
    rpc.call("evm_mine")
    rpc.close()


def funded_account(chain: LocalChain) -> LocalAccount:
    """Make an account with money on a local chain."""
    account: LocalAccount = Account.create()
    chain.fund(Address(account.address), 100_000 * ETHER)
    return account


def deploy_world(chain: LocalChain) -> ChainWorld:
    """Deploy fresh contracts."""
    account = funded_account(chain)
    deployment = deploy(chain.url, account)
    reader = Web3Reader(deployment, chain.url)
    return ChainWorld(chain, deployment, reader, Web3Writer(reader, account))


def running_chain(engine: str, home: Path) -> Iterator[LocalChain]:
    """Start a chain and stop it at the end."""
    chain = LocalChain(engine, home)
    chain.start()
    try:
        yield chain
    finally:
        chain.stop()


@pytest.fixture(scope="module")
def anvil_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalChain]:
    yield from running_chain("anvil", tmp_path_factory.mktemp("anvil chain"))


@pytest.fixture(scope="module")
def ganache_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalChain]:
    yield from running_chain("ganache", tmp_path_factory.mktemp("ganache chain"))


@pytest.fixture(params=["anvil", "ganache"])
def chain(request: pytest.FixtureRequest) -> LocalChain:
    """Each local chain in turn."""
    found: LocalChain = request.getfixturevalue(f"{request.param}_chain")
    return found


@pytest.fixture
def chain_world(chain: LocalChain) -> Iterator[ChainWorld]:
    """Fresh contracts on each local chain in turn."""
    world = deploy_world(chain)
    yield world
    world.reader.close()


@pytest.fixture
def anvil_world(anvil_chain: LocalChain) -> Iterator[ChainWorld]:
    """Fresh contracts on Anvil alone."""
    world = deploy_world(anvil_chain)
    yield world
    world.reader.close()

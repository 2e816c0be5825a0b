"""One Anvil for the contract tests; each test starts from the same fresh consortium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.chain import Anvil
from tests.contracts.world import World


@pytest.fixture(scope="session")
def anvil() -> Iterator[Anvil]:
    chain = Anvil()
    try:
        yield chain
    finally:
        chain.stop()


@pytest.fixture(scope="session")
def consortium(anvil: Anvil) -> World:
    return World(anvil, sites=4)


@pytest.fixture
def world(consortium: World) -> Iterator[World]:
    snapshot = consortium.chain.rpc("evm_snapshot")
    yield consortium
    consortium.chain.rpc("evm_revert", snapshot)

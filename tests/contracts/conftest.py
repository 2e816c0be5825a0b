"""One Anvil for the contract tests; each test starts from the same fresh consortium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.chain import MODULES, Anvil
from tests.contracts.world import World


@pytest.fixture(scope="package")
def anvil() -> Iterator[Anvil]:
    chain = Anvil()
    try:
        yield chain
    finally:
        chain.stop()


ROUNDS = {
    "test_conclude", "test_consents", "test_deadlines", "test_finality", "test_lazy_moves",
    "test_rounds", "test_stragglers", "test_target_updates",
}  # fmt: skip
"""Tests of what every rounds module does alike."""
OF_MODULE = {
    "test_batches": "BatchedRounds",
    "test_committees": "BatchedRounds",
    "test_samples": "SampledRounds",
    "test_masking": "MaskedRounds",
    "test_masked_rounds": "MaskedRounds",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "consortium" in metafunc.fixturenames:
        name = metafunc.module.__name__.rpartition(".")[2]
        modules = MODULES if name in ROUNDS else (OF_MODULE.get(name, "PlainRounds"),)
        metafunc.parametrize("consortium", modules, indirect=True, scope="package")


@pytest.fixture(scope="package")
def consortium(anvil: Anvil, request: pytest.FixtureRequest) -> World:
    return World(anvil, sites=4, module=request.param)


@pytest.fixture
def world(consortium: World) -> Iterator[World]:
    snapshot = consortium.chain.rpc("evm_snapshot")
    yield consortium
    consortium.chain.rpc("evm_revert", snapshot)

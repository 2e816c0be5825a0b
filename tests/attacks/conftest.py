"""One chain and one swarm for all attacks; one honest run that is tampered with and mended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.batched import Batched, play_honestly, play_spoilt
from tests.attacks.finished import Finished, finish
from tests.attacks.lie import Lie
from tests.attacks.network import Network
from tests.attacks.vault import Vault

_SHARED = {"batched", "spoilt"}


@pytest.fixture(scope="package")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    consortium = Network(tmp_path_factory.mktemp("attacked"))
    yield consortium
    consortium.close()


@pytest.fixture(scope="package")
def finished(network: Network) -> Finished:
    """An honest run of two rounds; whoever tampers with it puts it right again."""
    return finish(network)


@pytest.fixture(scope="package")
def batched(network: Network) -> Batched:
    """An honest run whose updates and attestations were carried."""
    return play_honestly(network)


@pytest.fixture(scope="package")
def spoilt(network: Network) -> Batched:
    """A run in whose batch several rows are forged."""
    return play_spoilt(network)


@pytest.fixture(scope="package")
def vault(
    tmp_path_factory: pytest.TempPathFactory, network: Network, finished: Finished
) -> Iterator[Vault]:
    """A real Kubo node of its own that holds the finished run's blobs."""
    held = Vault(tmp_path_factory.mktemp("vault"))
    held.fill(network, finished)
    yield held
    held.close()


@pytest.fixture(autouse=True)
def rewound(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have each test leave the chain as short as it found it: audits read all of it."""
    if "network" not in request.fixturenames:
        yield
        return
    network: Network = request.getfixturevalue("network")
    # Runs that tests share are played before the snapshot, so that they outlive it.
    for shared in ("finished", *(_SHARED & set(request.fixturenames))):
        request.getfixturevalue(shared)
    with network.rewinding():
        yield


@pytest.fixture(autouse=True, scope="module")
def declared(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a file whose tests all ran and did not meet every answer that its lie declares."""
    failed_before = request.session.testsfailed
    yield
    lie = getattr(request.module, "LIE", None)
    whole = not request.config.option.keyword and not any(
        "::" in each for each in request.config.args
    )
    if isinstance(lie, Lie) and whole and request.session.testsfailed == failed_before:
        missing = set(lie.answers) - lie.confirmed
        assert not missing, f"declared and never met: {missing}"

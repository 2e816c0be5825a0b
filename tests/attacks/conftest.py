"""One chain and one swarm for all attacks; each test brings its own sites and run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.network import Network


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    consortium = Network(tmp_path_factory.mktemp("attacked"))
    yield consortium
    consortium.close()

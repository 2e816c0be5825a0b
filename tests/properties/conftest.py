"""One Anvil for the property tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.chain import Anvil


@pytest.fixture(scope="package")
def property_chain() -> Iterator[Anvil]:
    chain = Anvil()
    try:
        yield chain
    finally:
        chain.stop()

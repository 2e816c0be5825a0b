"""Fixtures for every folder."""

# First of all: whoever imports eth-account before it raises the recursion limit (see lean.py).
import fednet.ledger  # noqa: F401, I001

from hypothesis import settings

from tests.chain_fixtures import (
    anvil_chain,
    anvil_world,
    chain,
    chain_world,
    ganache_chain,
)

__all__ = ["anvil_chain", "anvil_world", "chain", "chain_world", "ganache_chain"]

# No test depends on how fast the machine is.
settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")

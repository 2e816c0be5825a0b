"""A chain of one's own on this machine: Ganache by default, Anvil by choice.

For development, demonstrations and small consortia that trust its keeper; any
other chain is used by its address and needs nothing from here.
"""

from fednet.ledger.chains.engines import Engine, install_engine
from fednet.ledger.chains.local import ChainStatus, LocalChain

__all__ = ["ChainStatus", "Engine", "LocalChain", "install_engine"]

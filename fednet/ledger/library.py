"""What the ledger uses of web3, imported without its asynchronous half (see `lean`)."""

# ruff: noqa: E402 - the stand-ins come first

from fednet.ledger.lean import import_web3

import_web3()

from web3 import Web3
from web3.providers.base import JSONBaseProvider
from web3.types import Nonce, RPCEndpoint, RPCResponse
from web3.utils.address import get_create_address

__all__ = [
    "JSONBaseProvider",
    "Nonce",
    "RPCEndpoint",
    "RPCResponse",
    "Web3",
    "get_create_address",
]

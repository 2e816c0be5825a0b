"""What somebody who runs a chain can do to it: rewrite slots and code, go back, answer wrongly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from eth_utils.crypto import keccak

from fednet.ledger import abi, codec
from fednet.ledger.reader import Web3Reader
from tests.attacks.network import Network
from tests.rpc_proxy import misbehaving_provider

RawLog = dict[str, Any]


@contextmanager
def restored(network: Network) -> Iterator[None]:
    """Put the chain back as it was, whatever is done to it meanwhile."""
    snapshot = network.anvil.rpc("evm_snapshot")
    try:
        yield
    finally:
        assert network.anvil.rpc("evm_revert", snapshot) is True


@contextmanager
def fresh_reader(network: Network, url: str = "") -> Iterator[Web3Reader]:
    """Give a reader with connections of its own, to the chain or to what passes for it."""
    with closing(Web3Reader(network.reader.deployment, url or network.anvil.url)) as found:
        yield found


def slots_read(network: Network, contract: str, function: str, *arguments: int) -> list[str]:
    """List the storage slots of a contract that a view reads, in any layout."""
    at = network.reader.deployment.contracts()[contract]
    data = abi.contract(contract).functions[function].encode(arguments)
    call = {"to": at, "data": "0x" + data.hex()}
    answer = network.anvil.rpc("eth_createAccessList", call, "latest")
    lists = {each["address"].lower(): each["storageKeys"] for each in answer["accessList"]}
    return list(lists[at.lower()])


def slot_value(network: Network, contract: str, slot: str) -> int:
    """Read a slot."""
    at = network.reader.deployment.contracts()[contract]
    return int(network.anvil.rpc("eth_getStorageAt", at, slot, "latest"), 16)


def rewrite_slot(network: Network, contract: str, slot: str, value: int) -> None:
    """Overwrite a slot, as only whoever runs the chain can."""
    at = network.reader.deployment.contracts()[contract]
    network.anvil.rpc("anvil_setStorageAt", at, slot, "0x" + value.to_bytes(32, "big").hex())


@contextmanager
def lying_about_logs(
    network: Network, change: Callable[[list[RawLog]], list[RawLog]]
) -> Iterator[Web3Reader]:
    """Give a reader whose provider changes the logs that it gives."""

    def alter(request: dict[str, Any], result: Any) -> Any:
        return change(result) if request["method"] == "eth_getLogs" else result

    with (
        misbehaving_provider(network.anvil.url, alter=alter) as url,
        fresh_reader(network, url) as found,
    ):
        yield found


def topic(event: str) -> str:
    """Give the first topic of an event's logs."""
    [kind] = [each for name, each in codec.event_classes().items() if name == event]
    return "0x" + codec.topic_of(kind).hex()


def selector(contract: str, function: str) -> bytes:
    """Give the four bytes that call a function."""
    return bytes(abi.contract(contract).functions[function].selector[:4])


def address_for(text: str) -> str:
    """Make an address that nobody has."""
    return "0x" + keccak(text=text)[12:].hex()

"""Batches as honest parties make them: rows by roster position, and signed attestations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eth_abi import encode as abi_encode
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from tests.contracts.chain import digest
from tests.contracts.world import Party, World, key_of

WORD_POSITIONS = 216
MOST_DRAWS = 256
_ATTESTATION = {
    "Attestation": [
        {"name": "run", "type": "uint64"},
        {"name": "round", "type": "uint32"},
        {"name": "attempt", "type": "uint8"},
        {"name": "proposal", "type": "uint8"},
        {"name": "site", "type": "uint32"},
        {"name": "settlement", "type": "bytes32"},
        {"name": "witness", "type": "bytes32"},
    ]
}


def words(positions: Sequence[int]) -> list[int]:
    """Mark roster positions, 216 in each word."""
    found = [0] * (max(positions, default=-1) // WORD_POSITIONS + 1)
    for position in positions:
        found[position // WORD_POSITIONS] |= 1 << position % WORD_POSITIONS
    return found


def rows(entries: Mapping[int, tuple[bytes, int]]) -> bytes:
    """Write commitment and weight of each position, in the order of positions."""
    return b"".join(
        commitment + weight.to_bytes(5, "big")
        for _, (commitment, weight) in sorted(entries.items())
    )


def batch(world: World, run: int, sender: Party, parties: Sequence[Party], **changes: Any) -> Any:
    """Make the act of handing in the updates of some sites."""
    state = world.state(run)
    entries = {
        world.member(run, each)["position"]: (digest("update", run, state["round"], each.site), 100)
        for each in parties
    }
    values = {
        "run": run,
        "site": sender.site,
        "round": state["round"],
        "attempt": state["attempt"],
        "sheet": digest("sheet", run, state["round"]),
        "sheetLocator": digest("sheet locator"),
        "positions": words(list(entries)),
        "rows": rows(entries),
    } | changes
    return world.rounds.functions.submitBatch(*values.values())


def submit_batch(
    world: World, run: int, sender: Party, parties: Sequence[Party], **changes: Any
) -> dict[str, Any]:
    """Hand in the updates of some sites."""
    return world.send(sender.account, batch(world, run, sender, parties, **changes))


def settled(world: World, run: int, number: int, total: int) -> bytes:
    """Hash what the proposals of these tests settle, as the module stores it."""
    settlement = (
        digest("record", run, number), digest("state", run, number), digest("root"), total
    )  # fmt: skip
    return keccak(abi_encode(["bytes32", "bytes32", "bytes32", "uint64"], settlement))


def typed_attestation(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the domain and the type of signed attestations."""
    domain = {
        "name": "fednet BatchedRounds",
        "version": "1",
        "chainId": world.chain.w3.eth.chain_id,
        "verifyingContract": world.rounds.address,
    }
    return domain, _ATTESTATION


def vote(world: World, run: int, index: int, /, key: Any = None, **changes: Any) -> bytes:
    """Write the signed attestation of a site, by its index among the world's parties."""
    state, site = world.state(run), world.parties[index].site
    number = state["round"]
    message = {
        "run": run,
        "round": number,
        "attempt": state["attempt"],
        "proposal": state["proposal"],
        "site": site,
        "settlement": settled(world, run, number, 1_000 * number),
        "witness": digest("witness", run, site),
    } | changes
    signer = key or key_of(f"hospital {index}")
    signed = signer.sign_message(encode_typed_data(*typed_attestation(world), message))
    return bytes(site.to_bytes(4, "big") + message["witness"] + bytes(signed.signature))


def carriage(world: World, run: int, votes: Sequence[bytes], **changes: Any) -> Any:
    """Make the act of carrying signed attestations."""
    state = world.state(run)
    values = {
        "run": run,
        "round": state["round"],
        "attempt": state["attempt"],
        "proposal": state["proposal"],
        "rows": b"".join(votes),
        "andAdvance": False,
    } | changes
    return world.rounds.functions.attestBatch(*values.values())


def drawn(
    block_hash: bytes, place: tuple[int, int, int, int], size: int, roster: int, seats: set[int]
) -> list[int]:
    """Draw a committee as the interface says; place is run, round, attempt and proposal."""
    types = ["bytes32", "uint64", "uint32", "uint8", "uint8"]
    seed, found = keccak(abi_encode(types, [block_hash, *place])), list[int]()
    for i in range(MOST_DRAWS):
        if len(found) == size:
            break
        position = int.from_bytes(keccak(abi_encode(["bytes32", "uint256"], [seed, i]))) % roster
        if position in seats and position not in found:
            found.append(position)
    return found


def committee(world: World, run: int) -> tuple[int, list[int], int]:
    """Read size and members drawn; before the draw, the proposal's block as the third."""
    packed = int(world.rounds.functions.committeeOf(run).call())
    count, field = packed & 0xFF, packed >> 8 & (1 << 240) - 1
    members = [field >> 16 * i & 0xFFFF for i in range(count)]
    return packed >> 248, members, 0 if count else field

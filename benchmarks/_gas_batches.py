"""Gas of whole rounds in which one transaction carries the updates and one the attestations.

Measured like the other acts, by `benchmarks.gas`, into the same table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eth_account.messages import encode_typed_data

from benchmarks._crowd import Crowd, Row, gas_of
from tests.contracts.batching import committee, drawn, rows, settled, typed_attestation, words
from tests.contracts.chain import Anvil, digest
from tests.contracts.world import Party, key_of

PROMISED_FORK = "shanghai"
"""What the contracts are compiled for, and what the embedded chain keeps to."""
SIZES = (50, 200, 1_000)
COMMITTEE = 4
"""Three of four attest, so that one may be absent and two liars are not enough."""
ROUND_BASE, ROUND_PER_UPDATE = 300_000, 1_000
MOST_EXAMPLES = 500
"""Of every site; two bytes of a weight are not zero, as in most cohorts."""


def measure_batches() -> Iterator[Row]:
    """Measure whole rounds by the number of updates, the first and a later one."""
    for fork, sizes in ((PROMISED_FORK, SIZES), (None, SIZES[-1:])):
        chain = Anvil(hardfork=fork)
        try:
            crowd = Crowd(chain, sizes[-1], module="BatchedRounds")
            for sites in sizes:
                run = crowd.run_of(sites, rounds=3, committee=COMMITTEE)
                for number, name in ((1, "first"), (2, "later")):
                    gas = sum(play_batched(crowd, run, crowd.parties[:sites], number).values())
                    act = f"{name} round in batches, {sites} updates"
                    limit = limit_of(sites) if fork else None
                    yield Row(act if fork else f"{act}, by the rules since Prague", gas, limit)
        finally:
            chain.stop()


def limit_of(sites: int) -> int:
    """Give what a whole round may cost."""
    return ROUND_BASE + ROUND_PER_UPDATE * sites


def play_batched(crowd: Crowd, run: int, parties: Sequence[Party], number: int) -> dict[str, int]:
    """Play a round in which everybody submits and a committee attests; give the gas of each act."""
    gas: dict[str, int] = {}
    acts = crowd.rounds.functions
    entries = {
        at: (digest("u", run, number, each.site), MOST_EXAMPLES) for at, each in enumerate(parties)
    }
    turn = parties[(number + 1 + 1) % len(parties)]
    batch = acts.submitBatch(
        run, turn.site, number, 1, digest("s", number), digest("l", number),
        words(list(entries)), rows(entries),
    )  # fmt: skip
    gas["batch"] = gas_of(crowd.send(turn.account, batch))
    gas["proposal"] = gas_of(crowd.propose(run, turn, creditsTotal=number))
    block = committee(crowd, run)[2]
    crowd.chain.rpc("evm_mine")  # a call sees the proposal's hash only in a later block
    block_hash = bytes(crowd.chain.w3.eth.get_block(block)["hash"])
    count, place = len(parties), (run, number, 1, 1)
    chosen = drawn(block_hash, place, COMMITTEE, count, set(range(count)))
    votes = b"".join(_vote(crowd, run, parties[at], number) for at in chosen)
    attesting = acts.attestBatch(run, number, 1, 1, votes, True)
    gas["attestations"] = gas_of(crowd.send(turn.account, attesting))
    return gas


def _vote(crowd: Crowd, run: int, party: Party, number: int) -> bytes:
    witness = digest("w", run, number, party.site)
    message = {
        "run": run, "round": number, "attempt": 1, "proposal": 1, "site": party.site,
        "settlement": settled(crowd, run, number, number), "witness": witness,
    }  # fmt: skip
    key = key_of(f"hospital {party.site - 1}")
    signed = key.sign_message(encode_typed_data(*typed_attestation(crowd), message))
    return bytes(party.site.to_bytes(4, "big") + witness + bytes(signed.signature))

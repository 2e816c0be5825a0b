"""Gas of every act of a masked attempt, and of a whole masked round.

Measured like the other acts, by `benchmarks.gas`, into the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from web3.contract.contract import ContractFunction

from benchmarks._crowd import Crowd, Row, gas_of
from tests.contracts.chain import Anvil, digest
from tests.contracts.world import Party

SIZES = (10, 100)
TEN = 10
ACT, SET, PROPOSAL, TEN_SITE_ROUND = 84_000, 90_000, 92_000, 5_000_000
_ATTEMPT = 1


def measure_masking() -> Iterator[Row]:
    """Measure a later round, by the number of sites; first rounds fill slots that stay."""
    chain = Anvil()
    try:
        crowd = Crowd(chain, SIZES[-1], module="MaskedRounds")
        for sites in SIZES:
            run = crowd.run_of(sites, rounds=3)
            play_masked(crowd, run, crowd.parties[:sites], 1)
            gas = play_masked(crowd, run, crowd.parties[:sites], 2)
            for act, used in gas.items():
                limit = {"set of masked updates": SET, "proposal, masked": PROPOSAL}
                yield Row(f"{act}, {sites} sites", max(used), limit.get(act, ACT))
            if sites == TEN:
                whole = sum(map(sum, gas.values()))
                yield Row(
                    "whole masked round of ten sites, with the advance", whole, TEN_SITE_ROUND
                )
    finally:
        chain.stop()


def play_masked(
    crowd: Crowd, run: int, parties: Sequence[Party], number: int
) -> dict[str, list[int]]:
    """Play a round in which everybody does everything; give the gas of each act, by its name."""
    acts, rounds = crowd.masking.functions, crowd.rounds.functions
    place, quorum = (number, _ATTEMPT), len(parties) // 2 + 1

    def each(
        act: Callable[..., ContractFunction], *more: object, of: Sequence[Party] = parties
    ) -> list[int]:
        return crowd.batch(
            [(party.account, act(run, party.site, *place, *more), 0) for party in of]
        )

    blob = digest("blob", number), digest("at", number)
    first, turn = parties[0], parties[(number + _ATTEMPT + 1) % len(parties)]
    advertised = each(acts.advertise, digest("mask", number), digest("channel", number))
    closed = gas_of(crowd.send(first.account, acts.closeKeys(run)))
    dealt, held = each(acts.deal, *blob), each(acts.hold, b"\xff\x03")
    submitted = each(rounds.submit, 0, digest("u", number), 500, digest("l", number))
    proposed = gas_of(crowd.send(turn.account, acts.proposeSet(run, turn.site, *place, b"")))
    affirmed = each(acts.affirmSet, 1, of=parties[:quorum])
    disclosed = each(acts.disclose, *blob)
    proposal = gas_of(crowd.propose(run, turn))
    attested = each(rounds.attest, 1, digest("w", number))
    advanced = gas_of(crowd.send(first.account, rounds.advance(run)))
    return {
        "keys for masks": advertised,
        "closing of the keys": [closed],
        "dealing of shares": dealt,
        "holding of shares": held,
        "submission, masked": submitted,
        "set of masked updates": [proposed],
        "affirmation of a set": affirmed[:-1],
        "affirmation that freezes": affirmed[-1:],
        "disclosure of shares": disclosed,
        "proposal, masked": [proposal],
        "attestation, masked": attested,
        "advance, masked": [advanced],
    }

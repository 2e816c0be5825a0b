"""Samples of a cohort: which roster positions may submit to an attempt, drawn by a block's hash.

The twin of ``SampledRounds.sol`` and ``Samples.sol``: a generalised Feistel
network (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002) over a
rectangle just larger than the roster, walked until it leads back into the roster.
It puts the positions in an order; the first so many are the sample.
"""

from __future__ import annotations

from eth_hash.auto import keccak

from fednet.domain.identity import Digest, RunId

STEPS = 8
"""With fewer, the samples of rosters of less than ten are visibly uneven."""
BLOCKS_REMEMBERED = 256
"""Blocks after which a contract can no longer ask for a block's hash."""
_WORD_SIZE_BYTES = 32
_SEED_MASK = (1 << 128) - 1
_DROPPED_BITS = 16


def seed_of(block_hash: Digest) -> int:
    """Return the seed that a block's hash gives."""
    return int.from_bytes(block_hash) & _SEED_MASK


def sample_size(sampled_sites: int, cohort: int, roster_length: int) -> int:
    """Return how many positions of a roster are drawn; all of them if that is the whole cohort.

    Positions whose consent had ended when the cohort was frozen are drawn, too;
    for each of them one site more is in the sample.
    """
    return min(sampled_sites, cohort) + roster_length - cohort


def sampled_positions(
    run: RunId, place: tuple[int, int], seed: int, roster_length: int, size: int
) -> frozenset[int]:
    """Return the roster positions that a seed draws.

    Args:
        run: Run.
        place: Round and attempt.
        seed: Seed of the attempt; see ``seed_of``.
        roster_length: Positions to draw from.
        size: How many are drawn; see ``sample_size``.
    """
    round_number, attempt = place
    key = keccak(_word(run) + _word(round_number << 8 | attempt) + _word(seed))
    return frozenset(at for at in range(roster_length) if rank_of(key, at, roster_length) < size)


def rank_of(key: bytes, position: int, length: int) -> int:
    """Return a position's place in the order that the key draws, from 0."""
    width = 1
    while width * width < length:
        width <<= 1
    height = (length + width - 1) // width
    rank = position
    while True:
        row, column = divmod(rank, width)
        for step in range(0, STEPS, 2):
            column = (column + _mix(key, step, row)) % width
            row = (row + _mix(key, step + 1, column)) % height
        rank = row * width + column
        if rank < length:
            return rank


def _mix(key: bytes, step: int, other: int) -> int:
    return int.from_bytes(keccak(key + _word(step << 16 | other))) >> _DROPPED_BITS


def _word(value: int) -> bytes:
    return value.to_bytes(_WORD_SIZE_BYTES)

"""Samples of a cohort: which roster positions may submit to an attempt, drawn by a block's hash.

The twin of ``SampledRounds.sol`` and ``Samples.sol``: a generalised Feistel
network (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002) over a
rectangle just larger than the roster, walked until it leads back into the roster.
It puts the positions in an order; the first so many are the sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from eth_hash.auto import keccak

from fednet.domain.events import AttemptStarted, SampleDrawn
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


def awaited_source(
    started: AttemptStarted, draws: Sequence[SampleDrawn], sampled_sites: int
) -> int | None:
    """Name the block whose hash is still to draw an attempt's sample; None if none is to.

    Args:
        started: The attempt's beginning; its block draws unless nobody asked in time.
        draws: What was drawn or put off since.
        sampled_sites: Of the plan; 0 where the module draws no sample.
    """
    if not 0 < sampled_sites < started.cohort:
        return None
    if not draws:
        return started.log.block
    return None if draws[-1].seed else draws[-1].source


def drawn_positions(
    started: AttemptStarted, draws: Sequence[SampleDrawn], sampled_sites: int
) -> frozenset[int]:
    """Return the roster positions that may submit to an attempt: none before the draw."""
    if not 0 < sampled_sites < started.cohort:
        return frozenset(range(started.roster_length))
    if not draws or not draws[-1].seed:
        return frozenset()
    size = sample_size(sampled_sites, started.cohort, started.roster_length)
    place = (started.round, started.attempt)
    return sampled_positions(started.run, place, draws[-1].seed, started.roster_length, size)


@lru_cache(maxsize=16)
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

"""Batches of the batched rounds module: their bytes, what of them counts, and who is drawn.

A batch is one event for many sites. ``Unfolding`` turns it into the entries that
count, by the module's own rules, so that whoever walks a run's events meets the
same submissions and attestations as in a run of the plain module. The contract
checks no update's signature: the batch's sheet holds them, one fixed-size entry
a row. See ``contracts/interfaces/IBatchedRounds.sol``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from eth_hash.auto import keccak

from fednet.domain import events as ev
from fednet.domain.batch_events import AttestationsBatched, CommitteeDrawn, UpdatesBatched
from fednet.domain.identity import (
    ZERO_DIGEST,
    Commitment,
    Digest,
    Locator,
    RoundNumber,
    SiteId,
)
from fednet.errors import MalformedBlobError

WORD_POSITIONS = 216
ROW_SIZE_BYTES = 37
"""Of an update: commitment 32, weight 5."""
MOST_ROW_EXAMPLES = (1 << 40) - 1
"""Largest weight that a row can say."""
SIGNATURE_SIZE_BYTES = 65
SHEET_ENTRY_SIZE_BYTES = 32 + SIGNATURE_SIZE_BYTES
VOTE_SIZE_BYTES = 4 + 32 + SIGNATURE_SIZE_BYTES
"""Of an attestation: site 4, witness 32, signature."""
MAXIMUM_COMMITTEE_SITES = 15
_MOST_DRAWS = 256
_MEMBER_BITS = 16
_WORD_BYTES = 32


@dataclass(frozen=True, slots=True)
class BatchedUpdate(ev.UpdateSubmitted):
    """A row of a batch that counts; ``locator`` is zero, since the sheet tells it."""

    batcher: SiteId
    sheet: Commitment
    sheet_locator: Locator
    row: int
    """Position among the batch's rows and the sheet's entries, from 0."""
    rows: int
    """How many rows the batch has."""
    consent: ev.ConsentGiven
    """The site's consent that stood when the batch came."""


@dataclass(frozen=True, slots=True)
class CarriedAttestation(ev.RoundAttested):
    """An attestation carried with others, and the signature that the contract verified."""

    signature: bytes


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """What a batch's sheet says of a row."""

    locator: Locator
    signature: bytes
    """65 bytes, by the site's account (EIP-712)."""


def pack_positions(positions: Iterable[int]) -> tuple[int, ...]:
    """Mark roster positions in words of 216 bits, lowest first."""
    words: dict[int, int] = {}
    for position in positions:
        index, bit = divmod(position, WORD_POSITIONS)
        words[index] = words.get(index, 0) | 1 << bit
    return tuple(words.get(index, 0) for index in range(max(words, default=-1) + 1))


def unpack_positions(words: Sequence[int]) -> list[int]:
    """List the positions that words mark, in ascending order."""
    return [
        index * WORD_POSITIONS + bit
        for index, word in enumerate(words)
        for bit in range(word.bit_length())
        if word >> bit & 1
    ]


def pack_rows(entries: Mapping[int, tuple[Commitment, int]]) -> bytes:
    """Write commitment and weight, in examples, in the order of the positions.

    Raises:
        OverflowError: A weight needs more than 40 bits.
    """
    return b"".join(
        commitment + weight.to_bytes(ROW_SIZE_BYTES - len(commitment), "big")
        for _, (commitment, weight) in sorted(entries.items())
    )


def pack_sheet(entries: Sequence[SheetEntry]) -> bytes:
    """Write a sheet: locator and signature of each row, in the order of the rows."""
    return b"".join(entry.locator + entry.signature for entry in entries)


def sheet_size_bytes(rows: int) -> int:
    """Return how large the sheet of so many rows is."""
    return rows * SHEET_ENTRY_SIZE_BYTES


def read_sheet(data: bytes, rows: int, subject: str) -> list[SheetEntry]:
    """Read the sheet of a batch with so many rows.

    Raises:
        MalformedBlobError: It has another size.
    """
    if len(data) != sheet_size_bytes(rows):
        raise MalformedBlobError(
            "a batch's sheet has the wrong size",
            subject=subject,
            expected=f"{sheet_size_bytes(rows)} bytes",
            actual=f"{len(data)} bytes",
        )
    starts = range(0, len(data), SHEET_ENTRY_SIZE_BYTES)
    return [
        SheetEntry(Locator(data[at : at + 32]), data[at + 32 : at + SHEET_ENTRY_SIZE_BYTES])
        for at in starts
    ]


def pack_vote(site: SiteId, witness: Digest, signature: bytes) -> bytes:
    """Write a signed attestation as ``attestBatch`` takes it."""
    return site.to_bytes(4, "big") + witness + signature


def draw_committee(
    block_hash: Digest,
    event: ev.RoundProposed,
    size: int,
    roster_length: int,
    seats: Collection[int],
) -> tuple[int, ...]:
    """Draw the committee of a proposal: roster positions in the order of the draw.

    Args:
        block_hash: Of the seed block, which is the proposal's own unless nobody voted
            within 256 blocks.
        event: The proposal.
        size: Members wanted, at most 15.
        roster_length: Frozen at the attempt's start.
        seats: Positions whose consent stands when the first vote comes.

    Returns:
        Fewer than ``size`` only where 256 draws do not find as many.
    """
    place = (event.run, event.round, event.attempt, event.proposal)
    seed = keccak(block_hash + b"".join(number.to_bytes(_WORD_BYTES, "big") for number in place))
    found: list[int] = []
    for draw in range(_MOST_DRAWS):
        if len(found) == size:
            break
        drawn = keccak(seed + draw.to_bytes(_WORD_BYTES, "big"))
        position = int.from_bytes(drawn, "big") % roster_length
        if position in seats and position not in found:
            found.append(position)
    return tuple(found)


def committee_of(event: CommitteeDrawn) -> tuple[int, ...]:
    """List the positions that the chain says were drawn, in the order of the draw."""
    mask = (1 << _MEMBER_BITS) - 1
    return tuple(event.members >> _MEMBER_BITS * at & mask for at in range(event.size))


@dataclass(slots=True)
class Unfolding:
    """Turn batches into the entries that count, event by event in the order of the chain."""

    seats: dict[int, SiteId] = field(default_factory=dict)
    """Site by position, where the consent stands."""
    _consents: dict[SiteId, ev.ConsentGiven] = field(default_factory=dict)
    _submitted: set[SiteId] = field(default_factory=set)
    _voted: dict[tuple[RoundNumber, int, int], set[SiteId]] = field(default_factory=dict)

    @classmethod
    def before(
        cls,
        batch: UpdatesBatched | AttestationsBatched,
        consents: Iterable[ev.ConsentGiven],
        acted: Iterable[SiteId],
    ) -> Self:
        """Stand before a batch, where all that went before is known by what came of it.

        Args:
            batch: The event that is taken next.
            consents: Those that stand.
            acted: Sites that have submitted to its attempt, or voted on its proposal.
        """
        made = cls()
        for consent in consents:
            made.take(consent)
        if isinstance(batch, UpdatesBatched):
            made._submitted.update(acted)
        else:
            made._voters(batch).update(acted)
        return made

    def take(self, event: ev.RunEvent) -> Sequence[ev.RunEvent]:
        """Take in the next event; give the entries that a batch stands for, nothing for others."""
        match event:
            case ev.ConsentGiven():
                self.seats[event.position] = event.site
                self._consents[event.site] = event
            case ev.ConsentEnded():
                if (consent := self._consents.pop(event.site, None)) is not None:
                    self.seats.pop(consent.position, None)
            case ev.AttemptStarted():
                self._submitted.clear()
            case ev.UpdateSubmitted():
                self._submitted.add(event.site)
            case UpdatesBatched():
                return self._updates(event)
            case ev.RoundAttested() | ev.RoundObjected():
                self._voters(event).add(event.site)
            case AttestationsBatched():
                return self._attestations(event)
            case _:
                pass
        return ()

    def _updates(self, event: UpdatesBatched) -> list[BatchedUpdate]:
        found, positions = [], unpack_positions(event.positions)
        for row, position in enumerate(positions):
            site = self.seats.get(position)
            if site is None or site in self._submitted:
                continue
            self._submitted.add(site)
            data = event.rows[row * ROW_SIZE_BYTES : (row + 1) * ROW_SIZE_BYTES]
            found.append(
                BatchedUpdate(
                    log=event.log, run=event.run, round=event.round, site=site,
                    attempt=event.attempt, stage=0, commitment=Commitment(data[:32]),
                    weight=int.from_bytes(data[32:], "big"), locator=Locator(ZERO_DIGEST),
                    batcher=event.site, sheet=event.sheet, sheet_locator=event.sheet_locator,
                    row=row, rows=len(positions), consent=self._consents[site],
                )
            )  # fmt: skip
        return found

    def _attestations(self, event: AttestationsBatched) -> list[CarriedAttestation]:
        voters, found = self._voters(event), []
        for at in range(0, len(event.rows), VOTE_SIZE_BYTES):
            row = event.rows[at : at + VOTE_SIZE_BYTES]
            site = SiteId(int.from_bytes(row[:4], "big"))
            if site in voters:
                continue
            voters.add(site)
            found.append(
                CarriedAttestation(
                    log=event.log, run=event.run, round=event.round, site=site,
                    attempt=event.attempt, proposal=event.proposal, witness=Digest(row[4:36]),
                    signature=row[36:],
                )
            )  # fmt: skip
        return found

    def _voters(
        self, event: ev.RoundAttested | ev.RoundObjected | AttestationsBatched
    ) -> set[SiteId]:
        return self._voted.setdefault((event.round, event.attempt, event.proposal), set())


def unfold(events: Iterable[ev.RunEvent]) -> list[ev.RunEvent]:
    """Give a run's events with each batch followed by the entries that it stands for."""
    unfolding, found = Unfolding(), list[ev.RunEvent]()
    for event in events:
        found.append(event)
        found.extend(unfolding.take(event))
    return found

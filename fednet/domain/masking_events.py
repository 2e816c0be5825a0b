"""What the ledger of masked rounds says; see ``fednet.domain.events``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from fednet.domain.events import LedgerEvent
from fednet.domain.identity import Commitment, Locator, RoundNumber, RunId, SiteId


@dataclass(frozen=True, slots=True)
class KeysAdvertised(LedgerEvent):
    """A site of the cohort advertised its two public keys of an attempt."""

    run: RunId
    round: RoundNumber
    site: SiteId
    attempt: int
    mask_key: bytes
    """X25519 public key, 32 bytes, that agrees on masks."""
    channel_key: bytes
    """X25519 public key, 32 bytes, that agrees on the encryption of shares."""


@dataclass(frozen=True, slots=True)
class KeysClosed(LedgerEvent):
    """No more keys are taken; the hash of the block that holds this event draws the graph."""

    run: RunId
    round: RoundNumber
    attempt: int
    advertised: int


@dataclass(frozen=True, slots=True)
class SharesDealt(LedgerEvent):
    """A site dealt its neighbours shares of its secrets."""

    run: RunId
    round: RoundNumber
    site: SiteId
    attempt: int
    commitment: Commitment
    locator: Locator


@dataclass(frozen=True, slots=True)
class SharesHeld(LedgerEvent):
    """A site said whose shares it holds."""

    run: RunId
    round: RoundNumber
    site: SiteId
    attempt: int
    holding: bytes


@dataclass(frozen=True, slots=True)
class SetProposed(LedgerEvent):
    """An aggregator proposed which masked updates count."""

    run: RunId
    round: RoundNumber
    site: SiteId
    attempt: int
    number: int
    """Counted from 1 within the attempt."""
    inclusion: bytes
    """What does not count, by roster position; see ``pack_inclusion``."""


@dataclass(frozen=True, slots=True)
class SetAffirmed(LedgerEvent):
    """A member affirmed a set."""

    run: RunId
    round: RoundNumber
    site: SiteId
    attempt: int
    number: int


@dataclass(frozen=True, slots=True)
class SetFrozen(LedgerEvent):
    """A quorum affirmed a set; the attempt unmasks this one or none."""

    run: RunId
    round: RoundNumber
    attempt: int
    number: int


@dataclass(frozen=True, slots=True)
class SharesDisclosed(LedgerEvent):
    """A site disclosed one share of each neighbour, for the frozen set."""

    run: RunId
    round: RoundNumber
    site: SiteId
    attempt: int
    commitment: Commitment
    locator: Locator


MaskingEvent: TypeAlias = (
    KeysAdvertised
    | KeysClosed
    | SharesDealt
    | SharesHeld
    | SetProposed
    | SetAffirmed
    | SetFrozen
    | SharesDisclosed
)
MASKING_EVENTS: tuple[type[MaskingEvent], ...] = (
    KeysAdvertised,
    KeysClosed,
    SharesDealt,
    SharesHeld,
    SetProposed,
    SetAffirmed,
    SetFrozen,
    SharesDisclosed,
)
"""Every class of record, which the running hash covers all together."""

"""Small messages between members, off the chain: signed acts that somebody may carry.

Nothing that comes this way is trusted, complete or in order, and nothing depends
on it: who is not heard acts on the chain by itself. A message is one signed
value of fixed size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from struct import Struct, error
from typing import Protocol

from fednet.domain.batch_signing import Attestation, Update
from fednet.domain.batches import MOST_ROW_EXAMPLES, SIGNATURE_SIZE_BYTES
from fednet.domain.identity import (
    ZERO_DIGEST,
    Commitment,
    Digest,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)

_UPDATE = Struct(f">cQIBI32sQ32s{SIGNATURE_SIZE_BYTES}s")
_ATTESTATION = Struct(f">cQIBBI32s32s{SIGNATURE_SIZE_BYTES}s")
_UPDATE_MARK, _ATTESTATION_MARK = b"U", b"A"
MOST_WAITING = 8192
"""Messages of one topic that wait for their reader; the oldest go first."""
MAX_MESSAGE_SIZE_BYTES = max(_UPDATE.size, _ATTESTATION.size)

Signed = tuple[Update | Attestation, bytes]
"""A value and the signature under it, which nobody has verified."""


class MessageBus(Protocol):
    """Bring a message to whoever listens at a topic now; it may be lost, doubled or forged."""

    def post(self, topic: str, message: bytes) -> None:
        """Send to everybody; comes back without knowing who heard it.

        Raises:
            StoreError: The messages of this machine are out of order; nothing was sent.
        """
        ...

    def take(self, topic: str) -> Sequence[bytes]:
        """Return what came since the last time; the first call begins to listen.

        Raises:
            StoreError: The messages of this machine are out of order.
        """
        ...

    def leave(self, topic: str) -> None:
        """Listen no more at a topic; of one that was never listened at nothing happens."""
        ...


class LocalBus:
    """Carry messages between members of one process.

    Args:
        beside: Another member's bus; none begins a circle of its own.
    """

    def __init__(self, beside: LocalBus | None = None) -> None:
        self._circle: list[LocalBus] = beside._circle if beside else []
        self._circle.append(self)
        self._waiting: dict[str, deque[bytes]] = {}

    def post(self, topic: str, message: bytes) -> None:
        """Bring the message to every member of the circle that listens."""
        for member in self._circle:
            if (waiting := member._waiting.get(topic)) is not None:
                waiting.append(message)

    def take(self, topic: str) -> Sequence[bytes]:
        """Return what came since the last time; the first call begins to listen."""
        waiting = self._waiting.setdefault(topic, deque(maxlen=MOST_WAITING))
        return [waiting.popleft() for _ in range(len(waiting))]

    def leave(self, topic: str) -> None:
        """Listen no more."""
        self._waiting.pop(topic, None)


def pack(value: Update | Attestation, signature: bytes) -> bytes:
    """Write a signed value as a message."""
    if isinstance(value, Update):
        return _UPDATE.pack(
            _UPDATE_MARK, value.run, value.round, value.attempt, value.site, value.commitment,
            value.weight, value.locator, signature,
        )  # fmt: skip
    return _ATTESTATION.pack(
        _ATTESTATION_MARK, value.run, value.round, value.attempt, value.proposal, value.site,
        value.settlement, value.witness, signature,
    )  # fmt: skip


def unpack(message: bytes) -> Signed | None:
    """Read a message; None if it is none, or nothing that a contract would take from a carrier.

    Else one member could spoil the transaction in which its message is carried with others.
    """
    try:
        if message[:1] == _UPDATE_MARK:
            _, run, number, attempt, site, made, weight, at, signature = _UPDATE.unpack(message)
            update = Update(
                RunId(run), RoundNumber(number), attempt, SiteId(site), Commitment(made), weight,
                Locator(at),
            )  # fmt: skip
            return (update, signature) if 0 < weight <= MOST_ROW_EXAMPLES else None
        _, run, number, attempt, proposal, site, settled, witness, signature = _ATTESTATION.unpack(
            message
        )
    except error:
        return None
    if message[:1] != _ATTESTATION_MARK or witness == ZERO_DIGEST:
        return None
    attestation = Attestation(
        RunId(run), RoundNumber(number), attempt, proposal, SiteId(site), Digest(settled),
        Digest(witness),
    )  # fmt: skip
    return attestation, signature

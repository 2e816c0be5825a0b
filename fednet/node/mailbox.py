"""Keep the signed acts of other members that came off the chain, once each is verified.

What comes from others costs little: messages are of a fixed size, so many are
looked at and no more, each site has so many tries an attempt, and one that was
heard needs no second check. A site that is not heard acts by itself.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fednet.domain.batch_signing import Attestation, Module, Update
from fednet.domain.identity import Address, Digest, RunId, SiteId
from fednet.domain.messages import MOST_WAITING, MessageBus, pack, unpack
from fednet.errors import StoreError
from fednet.node.places import AttemptKey, ProposalKey

_MOST_TRIES = 16
"""Bad signatures in a site's name before its messages of an attempt are passed over."""

_log = logging.getLogger(__name__)

SignerOf = Callable[[Digest, bytes], Address | None]


@dataclass(frozen=True, slots=True)
class Now:
    """What a message must fit to be kept."""

    key: ProposalKey
    """Attempt and proposal at hand."""
    settlement: Digest | None
    """Of the proposal at hand; None while there is none."""
    accounts: Mapping[SiteId, Address]
    """Of every site that may take part."""


@dataclass(slots=True)
class Mailbox:
    """Post this node's signed acts in one run, and keep those of others for the attempt at hand."""

    bus: MessageBus
    run: RunId
    module: Module
    signer_of: SignerOf
    updates: dict[SiteId, tuple[Update, bytes]] = field(default_factory=dict)
    """Verified updates of the attempt at hand, in the order in which they came."""
    votes: dict[SiteId, tuple[Attestation, bytes]] = field(default_factory=dict)
    """Verified attestations of the proposal at hand."""
    is_open: bool = True
    """Whether messages could be had at the last look."""
    _waiting: deque[bytes] = field(default_factory=lambda: deque(maxlen=MOST_WAITING))
    _tries: Counter[SiteId] = field(default_factory=Counter)
    _key: ProposalKey | None = None

    @property
    def topic(self) -> str:
        """Name the run among all runs of all chains."""
        return f"fednet/{self.module.chain_id}/{self.module.address.lower()}/{self.run}"

    def post(self, value: Update | Attestation, signature: bytes) -> None:
        """Send a signed act of this node's to all who listen, itself among them.

        Raises:
            StoreError: It could not be sent.
        """
        self.bus.post(self.topic, pack(value, signature))

    def listen(self) -> None:
        """Take in what came; the first time begins to listen. Where nothing can be had, say so."""
        try:
            # Whoever floods a topic fills the queue with its own messages, and the oldest go.
            self._waiting.extend(self.bus.take(self.topic))
        except StoreError as exc:
            if self.is_open:
                _log.warning("run %s: no messages, so this site acts by itself: %s", self.run, exc)
            self.is_open = False
        else:
            self.is_open = True

    def leave(self) -> None:
        """Listen no more."""
        self.bus.leave(self.topic)

    def look(self, now: Now) -> None:
        """Take in what came; keep what fits, and what may fit later."""
        self._turn_to(now.key)
        self.listen()
        for _ in range(len(self._waiting)):
            message = self._waiting.popleft()
            if self._is_early(message, now):
                self._waiting.append(message)

    def _turn_to(self, key: ProposalKey) -> None:
        """Let go of what belongs to another attempt or proposal."""
        if key == self._key:
            return
        if self._key is None or key.attempt_key != self._key.attempt_key:
            self.updates = {}
            self._tries.clear()
        self.votes = {}
        self._key = key

    def _is_early(self, message: bytes, now: Now) -> bool:
        """Keep what a message brings if it fits now; tell whether it may fit later."""
        found = unpack(message)
        if found is None or found[0].run != self.run:
            return False
        value, signature = found
        attempt = AttemptKey(value.round, value.attempt)
        if isinstance(value, Update):
            is_new = attempt == now.key.attempt_key and value.site not in self.updates
            if is_new and self._is_genuine(value, signature, now):
                self.updates[value.site] = (value, signature)
            return attempt > now.key.attempt_key
        key = attempt.proposal(value.proposal)
        if key == now.key and now.settlement is not None:
            # Votes for another settlement are those of members that see another proposal.
            is_new = value.settlement == now.settlement and value.site not in self.votes
            if is_new and self._is_genuine(value, signature, now):
                self.votes[value.site] = (value, signature)
            return False
        return key >= now.key

    def _is_genuine(self, value: Update | Attestation, signature: bytes, now: Now) -> bool:
        account = now.accounts.get(value.site)
        if account is None or self._tries[value.site] >= _MOST_TRIES:
            return False
        if self.signer_of(self.module.digest(value), signature) == account:
            return True
        self._tries[value.site] += 1
        return False

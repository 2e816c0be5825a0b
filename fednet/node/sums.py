"""What a node knows of the sums in an encrypted run: which one is agreed on, and its bytes.

Everything follows from the ledger and from published bytes; nothing is kept that
could not be had again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fednet.audit.inputs import EncryptedInputs
from fednet.audit.sum_claims import AgreedSum, SumClaims
from fednet.codec import sum_size_limit_bytes
from fednet.domain import events as ev
from fednet.domain.blobs import Wanted
from fednet.domain.identity import Commitment, RoundNumber
from fednet.domain.ports import LedgerReader
from fednet.errors import MalformedBlobError
from fednet.node.fetching import Fetcher
from fednet.node.places import AttemptKey, final_key, find_attempt
from fednet.node.reading import RunReading
from fednet.node.terms import RunTerms
from fednet.privacy.homomorphic import Decrypting

_MOST_LOOKED_AT = 16
"""Blobs that may be the sum of an attempt: aggregators can agree on others."""


class Sums:
    """Follow what aggregators announce, and fetch the sums that they agree on.

    Args:
        reader: Ledger to read.
        terms: What the run agreed on.
        reading: Where the run stands.
        fetcher: Holds the sums.
        first_block: Block in which the run was opened.
        key: Finds what decrypts; None at an aggregator, which has no key.
    """

    def __init__(
        self,
        reader: LedgerReader,
        terms: RunTerms,
        reading: RunReading,
        fetcher: Fetcher,
        first_block: int,
        key: Callable[[], Decrypting] | None = None,
    ) -> None:
        self._reader = reader
        self._terms = terms
        self._reading = reading
        self._fetcher = fetcher
        self._first_block = first_block
        self._key = key
        self._limit = sum_size_limit_bytes(terms.plan)
        self._generation = -1
        self._block = first_block - 1
        self._reset()

    def look(self) -> None:
        """Read what was announced since, and begin to fetch what a majority agreed on.

        Raises:
            LedgerError: The chain does not answer.
        """
        if self._generation != self._reading.generation:
            self._generation = self._reading.generation
            self._reset()
        block = self._reading.block
        if block > self._block:
            self.claims.extend(self._reader.events((ev.LocatorAnnounced,), self._block + 1))
            self._block = block

    def want(self, key: AttemptKey) -> None:
        """Begin to fetch what may be the sum of an attempt."""
        for candidate in self._candidates(key):
            for locator in candidate.locators:
                self._fetcher.want(Wanted(candidate.commitment, locator, self._limit))

    def find(self, key: AttemptKey) -> tuple[AgreedSum, EncryptedInputs] | None:
        """Return the sum of an attempt, once its bytes are here; what decrypts it left out."""
        if key in self._found:
            return self._found[key]
        attempt = find_attempt(self._reading.history, key)
        submissions = tuple(attempt.submissions.values()) if attempt else ()
        for candidate in self._candidates(key):
            if candidate.commitment in self._others.get(key, ()):
                continue
            path = self._fetcher.path(candidate.commitment, self._limit)
            if path is None:
                continue
            found = self._read(key, candidate, path, submissions)
            if found is not None:
                self._found[key] = candidate, found
                return self._found[key]
            self._others.setdefault(key, set()).add(candidate.commitment)
        return None

    def inputs(self, key: AttemptKey) -> EncryptedInputs | None:
        """Return the sum of an attempt with what decrypts it; None if it is not here.

        Raises:
            SettingsError: This site has no such key, or no library for it.
        """
        found = self.find(key)
        if found is None:
            return None
        said = found[1]
        decrypting = self._key() if self._key else None
        return EncryptedInputs(said.commitment, said.path, said.header, decrypting)

    def ready(self, ground: RoundNumber) -> frozenset[AttemptKey]:
        """List the attempts at hand, and those to be recomputed, whose sums are here."""
        keys = self._needed(ground)
        for key in keys:
            self.want(key)
        return frozenset(key for key in keys if self.find(key) is not None)

    def agreed(self, key: AttemptKey) -> list[AgreedSum]:
        """List what a majority agreed on since an attempt began, the first first."""
        attempt = find_attempt(self._reading.history, key)
        return self.claims.agreed(attempt.started.log) if attempt else []

    @property
    def agreed_attempts(self) -> frozenset[AttemptKey]:
        """Attempts whose sums everybody with the key may have decrypted."""
        return frozenset(self._found)

    def named_since(self, first: RoundNumber) -> set[Commitment]:
        """Name the sums of rounds from one on."""
        history = self._reading.history
        keys = [
            AttemptKey(number, attempt)
            for number, entry in history.rounds.items()
            if number >= first
            for attempt in entry.attempts
        ]
        return {each.commitment for key in keys for each in self._candidates(key)}

    def wanted(self, key: AttemptKey) -> Wanted | None:
        """Name the sum of an attempt as a blob, once it is here."""
        found = self.find(key)
        if found is None:
            return None
        return Wanted(found[0].commitment, found[0].locators[0], self._limit)

    def _read(
        self,
        key: AttemptKey,
        candidate: AgreedSum,
        path: Path,
        submissions: tuple[ev.UpdateSubmitted, ...],
    ) -> EncryptedInputs | None:
        # Loaded when there is something to read.
        from fednet.audit.encrypted_updates import read_sum

        place = self._terms.place(*key)
        try:
            header = read_sum(path, self._terms.plan, place, submissions)
        except MalformedBlobError:
            return None
        return EncryptedInputs(candidate.commitment, path, header, None)

    def _needed(self, ground: RoundNumber) -> list[AttemptKey]:
        """Name the attempt at hand, and those that made final what is not on this disk."""
        history, state = self._reading.history, self._reading.state
        keys = [AttemptKey(state.round, state.attempt)]
        first = ground + 1 if ground else max(state.round - 1, 1)
        for number in range(first, state.round):
            final = final_key(history, RoundNumber(number))
            keys += [final.attempt_key] if final else []
        return keys

    def _candidates(self, key: AttemptKey) -> list[AgreedSum]:
        return self.agreed(key)[:_MOST_LOOKED_AT]

    def _reset(self) -> None:
        section = self._terms.plan.homomorphic
        self.claims = SumClaims(section.aggregator_sites, section.majority)
        self._block = self._first_block - 1
        self._found: dict[AttemptKey, tuple[AgreedSum, EncryptedInputs]] = {}
        self._others: dict[AttemptKey, set[Commitment]] = {}

"""Keys to a run's sealed blobs: gathered by who opens them, read by who was granted them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fednet.audit.recipients import REGISTER
from fednet.audit.sealed import AttemptSeals, RunSeals
from fednet.codec import update_blob_limit_bytes
from fednet.domain import disclosure_events as de
from fednet.domain.blobs import BlobFile, BlobStore, InPlaceStore
from fednet.domain.events import RoundProposed
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Locator, RoundNumber, RunId
from fednet.domain.plan import Plan
from fednet.domain.ports import LedgerReader
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from fednet.domain.update import Place
from fednet.errors import BlobMissingError, PhaseError, SealedError, SettingsError, UnsealingError
from fednet.privacy.sealing import (
    BlobPlace,
    ContentKey,
    GrantPlace,
    KeySource,
    SealedBlob,
    read_grant,
)
from fednet.privacy.sealing.grants import SIZE_CAP_BYTES

Keys = dict[Commitment, ContentKey]
"""Content keys by the commitment of the sealed bytes."""
Note = Callable[[str], object]
"""Told of each blob that gives no key, and why."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A sealed blob as the ledger and a record name it."""

    commitment: Commitment
    locator: Locator
    size_cap_bytes: int
    place: BlobPlace
    seals: AttemptSeals


class SealedRun:
    """Find the sealed blobs of a run, for whoever has keys to them.

    Args:
        reader: The ledger.
        store: Where blobs come from.
        run: Which run.
        plan: Its plan.
        keys: What opens them.
        folder: Gets what is opened; the caller removes it.
        fetch_seconds: How long to look for one blob.
    """

    def __init__(
        self, reader: LedgerReader, store: BlobStore, run: RunId, plan: Plan, keys: KeySource,
        folder: Path, fetch_seconds: float,
    ) -> None:  # fmt: skip
        self._reader = reader
        self._store = store
        self._plan = plan
        self._keys = keys
        self._fetch_seconds = fetch_seconds
        block = reader.deployment.block
        self._history = RunHistory.of(run, reader.run_events(run, block))
        self._module = reader.run(run).module
        register = reader.events(REGISTER, block)
        named = plan.homomorphic.aggregator_sites if plan.is_encrypted else None
        self._seals = RunSeals(lambda: register, keys, folder, named)

    def gather_keys(self, note: Note) -> Keys:
        """Collect the keys to all updates that were proposed on, and to the final states.

        Raises:
            ErasedError: One was destroyed.
            FednetError: The ledger or the store does not answer.
        """
        found: Keys = {}
        for named in self._all():
            try:
                file = self._fetch(named.commitment, named.locator, named.size_cap_bytes)
                blob = SealedBlob(file, named.commitment, named.place, named.seals.recipients)
                found[named.commitment] = self._keys.key_of(blob)
            except (BlobMissingError, SealedError, UnsealingError) as exc:
                note(str(exc))
        return found

    def open_state(self, wanted: int | None = None) -> tuple[RoundProposed, Path]:
        """Open the sealed state of a final round; the latest unless another is wanted.

        Raises:
            PhaseError: The round is not final.
            SealedError: No key to it is here.
            FednetError: Its blobs cannot be had.
        """
        number = RoundNumber(wanted or self._history.final_rounds)
        named = self._state(number)
        if named is None:
            raise PhaseError(
                "the round is not final",
                subject=f"run {self._history.run}, round {number}",
                hint="only what members have vouched for is given out",
            )
        said, blob = named
        file = self._fetch(blob.commitment, blob.locator, blob.size_cap_bytes)
        return said, blob.seals.open_state(blob.commitment, file)

    def _all(self) -> Iterator[_Named]:
        cap = update_blob_limit_bytes(self._plan)
        for number, entry in sorted(self._history.rounds.items()):
            for attempt, of_attempt in sorted(entry.attempts.items()):
                seals = self._of(number, attempt)
                for each in of_attempt.submissions.values() if of_attempt.proposals else ():
                    place = seals.update_place(each.site)
                    yield _Named(each.commitment, each.locator, cap, place, seals)
            if self._plan.privacy.sealed and (named := self._state(number)):
                yield named[1]

    def _state(self, number: RoundNumber) -> tuple[RoundProposed, _Named] | None:
        entry = self._history.rounds.get(number)
        if entry is None or entry.final_proposal is None or entry.finalized is None:
            return None
        said, seals = entry.final_proposal.proposed, self._of(number, entry.finalized.attempt)
        file = self._fetch(said.record, said.record_locator, MAX_RECORD_SIZE_BYTES)
        record = RoundRecord.from_bytes(file.read_bytes(), f"record of round {number}")
        locator, cap = Locator(record.state_locator), record.state_size_bytes
        return said, _Named(said.state, locator, cap, seals.state_place, seals)

    def _of(self, number: RoundNumber, attempt: int) -> AttemptSeals:
        chain_id, run = self._reader.deployment.chain_id, self._history.run
        place = Place(chain_id, self._module, run, number, attempt)
        history = self._history.rounds[number].attempts[attempt]
        return self._seals.of(place, history, self._history.events)

    def _fetch(self, commitment: Commitment, locator: Locator, size_cap_bytes: int) -> BlobFile:
        locators = [locator, *self._reader.announced(commitment)]
        return _find(self._store, commitment, locators, size_cap_bytes, self._fetch_seconds)


def granted_keys(
    reader: LedgerReader,
    store: BlobStore,
    run: RunId,
    private_of: Callable[[bytes], X25519PrivateKey],
    fetch_seconds: float,
    note: Note,
) -> Keys:
    """Read every letter by which a reader was granted keys to a run, and which stands.

    Where two grants differ, the earlier one counts: a blob opens with one key only, so that
    a false one is found out at the blob.

    Args:
        reader: The ledger.
        store: Where letters come from.
        run: Which run.
        private_of: Finds the private half of a key; raises SettingsError for another's.
        fetch_seconds: How long to look for one letter.
        note: Told of each letter that gives no key.

    Raises:
        FednetError: The ledger or the store does not answer.
    """
    events = reader.events((de.ReaderAdmitted, de.ReaderDismissed), reader.deployment.block)
    dismissed = {event.reader for event in events if isinstance(event, de.ReaderDismissed)}
    chain_id, module = reader.deployment.chain_id, reader.run(run).module
    found: Keys = {}
    for event in events:
        if not isinstance(event, de.ReaderAdmitted):
            continue
        if event.run != run or event.reader in dismissed:
            continue
        try:
            private = private_of(bytes(event.key))
        except SettingsError:
            continue
        place = GrantPlace(chain_id, module, run, event.site)
        try:
            places = [event.letter_locator]
            letter = _find(store, event.letter, places, SIZE_CAP_BYTES, fetch_seconds)
            found = read_grant(letter.read_bytes(), place, private) | found
        except (BlobMissingError, UnsealingError) as exc:
            note(f"grant to reader {event.reader}: {exc}")
    return found


def _find(
    store: BlobStore, commitment: Commitment, locators: Sequence[Locator], cap: int, seconds: float
) -> BlobFile:
    if isinstance(store, InPlaceStore):
        return store.find(commitment, cap)
    return store.fetch(commitment, locators, cap, seconds)

"""The sealed blobs of a run: opened for whoever has keys, and the next state sealed again.

Members and auditors open with the same code and with keys from elsewhere. What
does not open as the protocol asks is invalid, and everybody who has a key sees
it alike; what nobody here has a key to is neither right nor wrong.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import partial
from pathlib import Path

from fednet.audit.inputs import OpenedUpdates
from fednet.audit.recipients import recipients_at
from fednet.codec import Reason
from fednet.domain import events as ev
from fednet.domain.blobs import BlobFile
from fednet.domain.history import AttemptHistory
from fednet.domain.identity import CONSORTIUM, Commitment, RoundNumber, SiteId
from fednet.domain.update import Place
from fednet.errors import SealedError, UnsealingError
from fednet.privacy.sealing import (
    BlobPlace,
    ContentKey,
    KeySource,
    OpenedBlobs,
    Recipients,
    SealedBlob,
    Written,
    is_key_of,
    seal,
)

UPDATE, STATE = "update", "state"
"""Kinds of sealed blobs."""


class AttemptSeals:
    """Open and seal the blobs of one attempt.

    Args:
        place: The attempt.
        recipients: For whom its blobs are sealed.
        keys: Where keys come from.
        folder: Private; gets what is opened.
    """

    def __init__(self, place: Place, recipients: Recipients, keys: KeySource, folder: Path) -> None:
        self.place = place
        self.recipients = recipients
        self._keys = keys
        self._opened = OpenedBlobs(folder, keys)

    def update_place(self, site: SiteId) -> BlobPlace:
        """Name the update of a site."""
        return BlobPlace(self.place, site, UPDATE)

    def open_updates(
        self, submissions: Iterable[ev.UpdateSubmitted], files: Mapping[SiteId, BlobFile | None]
    ) -> OpenedUpdates:
        """Open updates whose sealed bytes are here.

        One that repeats another's commitment is opened in that one's place, so that the
        intake can tell whose it is.

        Args:
            submissions: All those of the attempt.
            files: Verified sealed bytes by site; None if they are not here.

        Raises:
            SealedError: No key to one of them is here.
            SettingsError: The disk refuses.
        """
        commitments = {each.site: each.commitment for each in submissions}
        paths: dict[SiteId, BlobFile | None] = dict.fromkeys(files)
        refused: dict[SiteId, Reason] = {}
        keys: dict[SiteId, ContentKey] = {}
        for site, file in files.items():
            if file is None:
                continue
            alike = [other for other in sorted(commitments) if other != site]
            authors = [other for other in alike if commitments[other] == commitments[site]]
            places = [self.update_place(author) for author in (site, *authors)]
            found = self._open_first(file, commitments[site], places)
            if found is None:
                refused[site] = Reason.NOT_SEALED
            else:
                paths[site], keys[site] = found
        return OpenedUpdates(paths, refused, partial(self._seal_state, keys))

    def open_state(self, commitment: Commitment, file: BlobFile) -> Path:
        """Open the state that the attempt led to.

        Raises:
            SealedError: No key to it is here.
            UnsealingError: It does not open as the protocol asks, though its key is here.
            SettingsError: The disk refuses.
        """
        place = self.state_place
        found = self._open_first(file, commitment, [place])
        if found is None:
            raise UnsealingError(
                "does not open for the members of its attempt",
                subject=str(place),
                hint="whoever made it did not seal it by the protocol; see `fednet audit`",
            )
        return found[0]

    @property
    def state_place(self) -> BlobPlace:
        """Name the state that the attempt led to."""
        return BlobPlace(self.place, CONSORTIUM, STATE)

    def _open_first(
        self, file: BlobFile, commitment: Commitment, places: Sequence[BlobPlace]
    ) -> tuple[Path, ContentKey] | None:
        """Open a blob in the first place where it belongs; None if it provably has none here."""
        doubted: BlobPlace | None = None
        for place in places:
            blob = SealedBlob(file, commitment, place, self.recipients)
            try:
                key = self._keys.key_of(blob)
            except UnsealingError:
                continue  # a member reads the letter itself: no key could be better
            try:
                return self._opened.open(blob), key
            except UnsealingError:
                if not is_key_of(file, key, place, self.recipients):
                    doubted = doubted or place
        if doubted is not None:
            raise SealedError(
                "is sealed, and the key that was granted does not open it",
                commitment=commitment,
                subject=str(doubted),
                hint="ask another member for a grant",
            )
        return None

    def _seal_state(
        self,
        keys: Mapping[SiteId, ContentKey],
        content: Path,
        target: Path,
        included: Sequence[SiteId],
    ) -> Written:
        place = self.state_place
        key = ContentKey.combine([keys[site] for site in sorted(included)], place)
        return seal(content, target, key, place, self.recipients)


class RunSeals:
    """Open and seal the blobs of one run, attempt by attempt.

    Args:
        register: Reads the events that tell members and keys; see ``recipients.REGISTER``.
        keys: Where keys come from.
        folder: Gets what is opened; made private.
        named: Sites that blobs are sealed for, in place of the members of each attempt.
    """

    def __init__(
        self,
        register: Callable[[], Sequence[ev.LedgerEvent]],
        keys: KeySource,
        folder: Path,
        named: Set[SiteId] | None = None,
    ) -> None:
        self._named = named
        self._register = register
        self._keys = keys
        self._folder = folder
        self._attempts: dict[ev.Log, AttemptSeals] = {}

    def of(
        self, place: Place, attempt: AttemptHistory, run_events: Iterable[ev.RunEvent]
    ) -> AttemptSeals:
        """Return the seals of an attempt; who its recipients are is read once.

        Raises:
            LedgerError: The register cannot be read.
            SettingsError: Nobody has a usable key, or the disk refuses.
        """
        began = attempt.started.log
        if began not in self._attempts:
            recipients = recipients_at(began, run_events, self._register(), self._named)
            folder = self._folder / f"{place.round}-{place.attempt}"
            self._attempts[began] = AttemptSeals(place, recipients, self._keys, folder)
        return self._attempts[began]

    def forget(self, before: RoundNumber) -> None:
        """Remove what was opened of rounds before another; it can be opened again."""
        gone = [log for log, each in self._attempts.items() if each.place.round < before]
        for log in gone:
            del self._attempts[log]
        for folder in self._folder.glob("*-*"):
            number = folder.name.split("-")[0]
            if number.isdecimal() and int(number) < before:
                shutil.rmtree(folder, ignore_errors=True)

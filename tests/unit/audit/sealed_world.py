"""A small run whose updates and states are sealed for its members."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fednet.audit.inputs import OpenedUpdates, SealState
from fednet.audit.recipients import REGISTER
from fednet.audit.sealed import AttemptSeals, RunSeals
from fednet.codec import Reason
from fednet.domain import events as ev
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Digest, Locator, SiteId
from fednet.domain.sections import PrivacySection
from fednet.privacy.sealing import ContentKey, Keyring, KeyStore, MemberKeys, seal
from tests.unit.audit.books import RUN
from tests.unit.audit.world import World


def private_of(site: int, generation: int = 1) -> X25519PrivateKey:
    """Return the private half of a key that a site registered."""
    secret = hashlib.sha256(b"site %d, key %d" % (site, generation)).digest()
    return X25519PrivateKey.from_private_bytes(secret)


def public_of(site: int, generation: int = 1) -> Digest:
    """Return the public half."""
    return Digest(private_of(site, generation).public_key().public_bytes_raw())


class Sealing(World):
    """Play a run that seals; it knows every content key, as all members together would."""

    def _open(self, rounds: int) -> None:
        self.keys: dict[Commitment, ContentKey] = {}
        self.blobs: dict[Commitment, Path] = {}
        self.in_the_clear: set[int] = set()
        """Sites that hand in their updates as they are, against the plan."""
        super()._open(rounds)

    def encryption_key(self, site: SiteId) -> Digest:
        return public_of(site)

    def announced(self, commitment: Commitment) -> Sequence[Locator]:
        return ()

    def seals(self) -> AttemptSeals:
        """Return the seals of the attempt at hand, with every key."""
        found = RunSeals(
            lambda: self.events(REGISTER), Keyring(self.keys), self.folder / "all-opened"
        )
        history = RunHistory.of(RUN, self.logged)
        attempt = history.rounds[self.place.round].attempts[self.place.attempt]
        return found.of(self.place, attempt, history.events)

    def stored(self, site: SiteId, path: Path) -> Path:
        blob = path
        if site not in self.in_the_clear:
            seals, blob = self.seals(), path.with_name(f"{path.name}.sealed")
            key = ContentKey(hashlib.sha256(path.name.encode()).digest())
            made = seal(path, blob, key, seals.update_place(site), seals.recipients)
            self.keys[made.commitment] = key
        self.blobs[Commitment.of(blob.read_bytes())] = blob
        return blob

    def copy(self, site: int, other: int) -> ev.UpdateSubmitted:
        """Let a site submit another's commitment as its own."""
        said = next(entry for entry in self.submissions() if entry.site == other)
        self.updates[self.place.round, self.place.attempt, SiteId(site)] = self.updates[
            self.place.round, self.place.attempt, SiteId(other)
        ]
        copied: ev.UpdateSubmitted = self.emit(
            ev.UpdateSubmitted, round=said.round, site=SiteId(site), attempt=said.attempt,
            stage=0, commitment=said.commitment, weight=said.weight, locator=said.locator,
        )  # fmt: skip
        return copied

    def _opened(self) -> OpenedUpdates:
        files = {
            entry.site: None if entry.site in self.in_the_clear else self.blobs[entry.commitment]
            for entry in self.submissions()
        }
        return self.seals().open_updates(self.submissions(), files)

    def refused(self) -> dict[SiteId, Reason]:
        return {SiteId(site): Reason.NOT_SEALED for site in self.in_the_clear}

    def seal(self) -> SealState | None:
        return self._opened().seal

    def finalize(self, *, stay: bool = False) -> None:
        made = self.proposed
        assert made is not None
        key = ContentKey.combine(
            [
                self.keys[Commitment(entry.commitment)]
                for entry in sorted(made.record.updates, key=lambda each: each.site)
                if entry.verdict == "included"
            ],
            self.seals().state_place,
        )
        self.keys[Commitment(made.record.state)] = key
        super().finalize(stay=stay)

    def keyring(self) -> Keyring:
        """Give every key, as a grant would."""
        return Keyring(self.keys)

    def member(self, site: int, folder: Path) -> MemberKeys:
        """Give what a member opens with: its private key, and a new store of content keys."""
        store = KeyStore(folder, SiteId(site))
        return MemberKeys(store, SiteId(site), lambda public: private_of(site))


class SealedWorld(Sealing):
    """Play a small run that seals."""

    sections: ClassVar[Mapping[str, Any]] = {"privacy": PrivacySection(sealed=True)}

"""A world whose sites encrypt their updates, and whose aggregators add them without the key."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fednet.audit import RoundInputs
from fednet.audit.encrypted_updates import read_sum, write_sum
from fednet.audit.inputs import EncryptedInputs, PreviousRound
from fednet.audit.judging import judge
from fednet.audit.recipients import REGISTER
from fednet.audit.sealed import AttemptSeals, RunSeals
from fednet.codec import check_state, open_update
from fednet.domain import events as ev
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.domain.shape import StateShape
from fednet.domain.update import Manifest
from fednet.privacy.homomorphic import CKKS, encrypt_update, write_encrypted_header
from fednet.privacy.homomorphic import Encrypting as EncryptingKey
from fednet.privacy.homomorphic.agreement import numbers_of
from fednet.privacy.sealing import ContentKey, Keyring, KeyStore, MemberKeys, seal
from tests.encrypting import ckks_key
from tests.unit.audit.books import CREDITS, RUN
from tests.unit.audit.sealed_world import private_of, public_of
from tests.unit.audit.world import World

SITES = 4
AGGREGATORS = (7, 8, 9)
"""Sites of no run."""


def encrypting(**fields: Any) -> dict[str, Any]:
    """Plan a run whose updates are encrypted under the key of these tests."""
    return {
        "homomorphic": {
            "scheme": "ckks", "key": str(ckks_key().identity),
            "aggregators": list(AGGREGATORS), "clip": 8,
        } | fields,
        "update": {"maximum_examples": 1_000},
    }  # fmt: skip


class Encrypting(World):
    """Sites that share a key; three aggregators that have none."""

    def _open(self, rounds: int) -> None:
        self.readers = count(1)
        self.keys: dict[Commitment, ContentKey] = {}
        self.blobs: dict[Commitment, Path] = {}
        self.sum: Path | None = None
        super()._open(rounds)
        for site in AGGREGATORS:
            self.admit(SiteId(site))

    def encryption_key(self, site: SiteId) -> Digest:
        return public_of(site)

    def announced(self, commitment: Commitment) -> list[Any]:
        return []

    def key_at(self, site: SiteId) -> EncryptingKey:
        """Give the key that a site encrypts with."""
        return ckks_key()

    def seals(self, keys: Any) -> AttemptSeals:
        """Return the seals of the attempt at hand, for who has some keys."""
        folder = self.folder / f"opened-{next(self.readers)}"
        named = frozenset(map(SiteId, AGGREGATORS))
        found = RunSeals(lambda: self.events(REGISTER), keys, folder, named)
        history = RunHistory.of(RUN, self.logged)
        attempt = history.rounds[self.place.round].attempts[self.place.attempt]
        return found.of(self.place, attempt, history.events)

    def stored(self, site: SiteId, path: Path) -> Path:
        """Encrypt an update, and seal that to the aggregators."""
        key, seals = self.key_at(site), self.seals(Keyring({}))
        encrypted, blob = path.with_name(f"{path.name}.enc"), path.with_name(f"{path.name}.sealed")
        with open_update(path, "update", self.plan, self._shape()) as file:
            manifest = Manifest.from_metadata(file.metadata, "update")
            parts = [write_encrypted_header(CKKS, key.identity, manifest, file.element_count)]
            encrypt_update(
                key, numbers_of(self.plan), manifest.examples, file,
                lambda words: parts.append(words.tobytes()), "update",
            )  # fmt: skip
        encrypted.write_bytes(self.spoilt(site, b"".join(parts)))
        content_key = ContentKey(hashlib.sha256(path.name.encode()).digest())
        made = seal(encrypted, blob, content_key, seals.update_place(site), seals.recipients)
        self.keys[made.commitment] = content_key
        self.blobs[made.commitment] = blob
        return blob

    def spoilt(self, site: SiteId, encrypted: bytes) -> bytes:
        """Give what a site hands in in place of its encrypted update."""
        return encrypted

    def member(self, site: int) -> MemberKeys:
        """Give what an aggregator opens with."""
        store = KeyStore(self.folder / f"keys-{site}", SiteId(site))
        return MemberKeys(store, SiteId(site), lambda public: private_of(site))

    def close(self) -> None:
        self.shut()
        self.add()

    def shut(self) -> None:
        """Close submissions, before anybody adds."""
        super().close()

    def add(self, without: Collection[int] = (), says: Collection[int] = AGGREGATORS) -> None:
        """Let aggregators add what is at hand, announce the sum, and serve it."""
        submissions = self.submissions()
        files = {
            entry.site: None if entry.site in without else self.blobs.get(entry.commitment)
            for entry in submissions
        }
        opened = self.seals(self.member(AGGREGATORS[0])).open_updates(submissions, files)
        previous = PreviousRound(self.previous_record, self.base, self.base_path, self.earned)
        inputs = RoundInputs(
            self.plan, self.place, previous, submissions, opened.paths, CREDITS,
            len(self.sites),
            refused=opened.refused,
        )  # fmt: skip
        with ThreadPoolExecutor(1) as pool:
            verdicts = judge(inputs, self._shape(), pool)
        path = self.folder / f"sum-{self.place.round}-{self.place.attempt}-{len(without)}"
        write_sum(inputs, verdicts, self._shape(), path)
        self.announce_sum(self.altered(path), says)

    def altered(self, path: Path) -> Path:
        """Give the sum that aggregators announce in place of the right one."""
        return path

    def announce_sum(self, path: Path, says: Collection[int]) -> None:
        locator = self.store.publish(path)
        commitment = Commitment.of(path.read_bytes())
        for site in says:
            self.emit(
                ev.LocatorAnnounced, commitment=commitment, site=SiteId(site), locator=locator
            )
        if len(says) >= self.plan.homomorphic.majority and self.sum is None:
            self.sum = path

    def hidden(self) -> dict[str, Any]:
        assert self.sum is not None
        header = read_sum(self.sum, self.plan, self.place, self.submissions())
        commitment = Commitment.of(self.sum.read_bytes())
        return {"encrypted": EncryptedInputs(commitment, self.sum, header, ckks_key())}

    def begin(self, number: int, attempt: int = 1) -> None:
        self.sum = None
        super().begin(number, attempt)

    def keyring(self) -> Keyring:
        """Give every content key, as an aggregator's grant would."""
        return Keyring(self.keys)

    def _shape(self) -> StateShape:
        header = check_state(self.base_path, None, self.plan.model.size_bytes)
        return StateShape.of_state(self.plan, header.layout)


class EncryptedWorld(Encrypting):
    """Play a small run of four sites that encrypt."""

    sections: ClassVar[Mapping[str, Any]] = {
        "cohort": {
            "minimum_sites": 3, "target_sites": SITES, "minimum_updates": 3,
            "maximum_sites": SITES,
        },
        **encrypting(),
    }  # fmt: skip

    def __init__(self, folder: Path, rounds: int = 1) -> None:
        super().__init__(folder, SITES, rounds)


def added_to(path: Path) -> Path:
    """Write a sum that decrypts to other numbers, as a site in league with aggregators could."""
    data = bytearray(path.read_bytes())
    words = np.frombuffer(data, "<u8", offset=len(data) - 8 * CKKS.block_words)
    more = ckks_key().encrypt(np.array([1, -1], np.int64))
    words[:] = (words + more) % np.uint64(CKKS.modulus)
    other = path.with_name(f"{path.name}-altered")
    other.write_bytes(bytes(data))
    return other

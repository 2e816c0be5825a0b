"""Encrypt this site's update with the run's key, and seal it to the aggregators.

The key that the sites share is asked for here and nowhere else in the node.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from fednet.audit.recipients import REGISTER, recipients_at
from fednet.audit.sealed import UPDATE
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Digest
from fednet.domain.plan import Plan
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Manifest, UpdateFile
from fednet.errors import SettingsError
from fednet.node.files import disk_error
from fednet.node.masked_update import require_new
from fednet.node.places import AttemptKey, find_attempt
from fednet.node.site import SiteTools
from fednet.node.sums import Sums
from fednet.node.terms import RunTerms
from fednet.node.values import digest_of
from fednet.privacy.homomorphic import (
    WordArray,
    encrypt_update,
    write_encrypted_header,
)
from fednet.privacy.homomorphic.agreement import form_of, numbers_of
from fednet.privacy.sealing import BlobPlace, seal

if TYPE_CHECKING:
    from fednet.privacy.homomorphic import CkksKey

KEY_SUFFIX = ".ckks"
"""Of the file in which a home keeps a shared key."""


def key_of(tools: SiteTools, plan: Plan) -> Callable[[], CkksKey]:
    """Return what finds the key of a plan at this site, and reads it once."""

    @cache
    def find() -> CkksKey:
        if tools.shared_key is None:
            raise SettingsError(
                "the run's updates are encrypted, and this node keeps no keys for that",
                subject="homomorphic.key",
                hint="run it with `fednet node run`, in the home that has the run's key",
            )
        return tools.shared_key(Digest(plan.homomorphic.key))

    return find


class Encryption:
    """Hide updates of one site in one run.

    Args:
        tools: What the site acts with.
        terms: Of the run.
        sums: Which attempts' sums may have been decrypted.
    """

    def __init__(self, tools: SiteTools, terms: RunTerms, sums: Sums) -> None:
        self._tools = tools
        self._terms = terms
        self._sums = sums
        self._key = key_of(tools, terms.plan)

    def cut(
        self, update: dict[str, FloatArray], key: AttemptKey, history: RunHistory
    ) -> tuple[dict[str, FloatArray], bool]:
        """Return an update as it is: values are cut as they are encrypted."""
        return update, True

    def hide(
        self,
        key: AttemptKey,
        path: Path,
        file: UpdateFile,
        manifest: Manifest,
        history: RunHistory,
        *,
        within: bool,
    ) -> Commitment:
        """Encrypt an update, seal that to the aggregators, and commit to the sealed bytes.

        Other ciphertexts come out each time: what was committed to is kept, and no second
        time made.

        Raises:
            TrainingError: This very update was in a sum already, or cannot be encrypted.
            SettingsError: The key or the library is not here, nobody can open what would be
                sealed, or the disk refuses.
        """
        tools, journal, run = self._tools, self._tools.journal, self._terms.run
        values, notes = digest_of(file), journal.notes(run)
        require_new(notes, key, values, self._sums.agreed_attempts)
        if notes.masked.get(key) != values:
            journal.mask(run, key, values)
        attempt = find_attempt(history, key)
        if attempt is None or tools.keys is None:
            raise SettingsError(
                "cannot seal what is encrypted",
                subject=f"run {run}",
                hint="run the node in the home that holds the site's keystores",
            )
        register = tools.reader.events(REGISTER, tools.reader.deployment.block)
        aggregators = self._terms.plan.homomorphic.aggregator_sites
        began = attempt.started.log
        recipients = recipients_at(began, history.events, register, aggregators)
        place = BlobPlace(self._terms.place(*key), tools.site, UPDATE)
        encrypted = path.with_suffix(".encrypted")
        try:
            with file:
                self._write(encrypted, file, manifest)
            content_key = tools.keys.store.obtain(place)
            return seal(encrypted, path, content_key, place, recipients).commitment
        finally:
            encrypted.unlink(missing_ok=True)

    def _write(self, path: Path, file: UpdateFile, manifest: Manifest) -> None:
        plan, key = self._terms.plan, self._key()
        head = write_encrypted_header(form_of(plan), key.identity, manifest, file.element_count)
        subject = f"update of site {manifest.site}"
        try:
            with path.open("wb") as out:

                def write(words: WordArray) -> None:
                    out.write(words.data.cast("B"))

                out.write(head)
                encrypt_update(key, numbers_of(plan), manifest.examples, file, write, subject)
        except OSError as exc:
            raise disk_error(path, exc) from exc


def shared_keys(folder: Path) -> Callable[[Digest], CkksKey]:
    """Return what finds the keys of runs in a folder, each in a file named by its identity."""

    def find(identity: Digest) -> CkksKey:
        path = folder / f"{identity}{KEY_SUFFIX}"
        try:
            data = path.read_bytes()
        except OSError as exc:
            raise SettingsError(
                "the key that the run's sites share is not here",
                subject=f"homomorphic key {identity}",
                expected=str(path),
                actual=exc.strerror,
                hint="ask another site of the run for it, and put it there with "
                "`fednet homomorphic take FILE`",
            ) from exc
        if hashlib.sha256(data).digest() != identity:
            raise SettingsError(
                "is not the key that it is named after",
                subject=str(path),
                expected=identity,
                hint="ask another site of the run for it again",
            )
        # Loaded when there is a key to use: it costs a library that most sites do without.
        from fednet.privacy.homomorphic import CkksKey

        return CkksKey(data)

    return find


def keep_shared_key(folder: Path, key: CkksKey) -> Path:
    """Put a key where `shared_keys` finds it, for the owner alone.

    Raises:
        SettingsError: The disk refuses.
    """
    path = folder / f"{key.identity}{KEY_SUFFIX}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        opened = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(opened, "wb") as file:
            file.write(key.to_bytes())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as exc:
        raise disk_error(path, exc) from exc
    return path

"""Seal what leaves this site in one run, and open what its members sealed.

The keys of a site are asked for here and nowhere else in the node; what is in
the clear stays in private folders on this disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fednet.domain.history import RunHistory
from fednet.domain.identity import RoundNumber, SiteId
from fednet.domain.ports import LedgerReader
from fednet.errors import SettingsError
from fednet.node.places import AttemptKey, find_attempt
from fednet.node.terms import RunTerms

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from fednet.audit.sealed import AttemptSeals
    from fednet.privacy.sealing import KeyStore, Written

FOLDER = "opened"


@dataclass(frozen=True, slots=True)
class SiteKeys:
    """What a site seals and opens with."""

    store: KeyStore
    """Of the content keys, each of which can be destroyed."""
    private_of: Callable[[bytes], X25519PrivateKey]
    """Finds the private half of a key that this site registered."""


class Vault:
    """Seal and open for one site in one run.

    Args:
        keys: The site's.
        site: Who it is.
        terms: Of the run.
        reader: Tells members and their keys.
        folder: The run's; gets a private folder with what is opened.
    """

    def __init__(
        self, keys: SiteKeys, site: SiteId, terms: RunTerms, reader: LedgerReader, folder: Path
    ) -> None:
        # Imported when a run seals: most do not, and cryptography takes its time.
        from fednet.audit.recipients import REGISTER
        from fednet.audit.sealed import RunSeals
        from fednet.privacy.sealing import MemberKeys

        self._keys = keys
        self._site = site
        self._terms = terms
        self._seals = RunSeals(
            lambda: reader.events(REGISTER, reader.deployment.block),
            MemberKeys(keys.store, site, keys.private_of),
            folder / FOLDER,
        )

    def of(self, history: RunHistory, key: AttemptKey) -> AttemptSeals:
        """Return the seals of an attempt."""
        attempt = find_attempt(history, key)
        if attempt is None:
            raise RuntimeError(f"no attempt {key}")
        place = self._terms.place(key.round, key.attempt)
        return self._seals.of(place, attempt, history.events)

    def seal_update(
        self, history: RunHistory, key: AttemptKey, content: Path, target: Path
    ) -> Written:
        """Seal this site's update for the attempt's members, itself among them.

        The same content gives the same bytes, whenever it is sealed.

        Raises:
            UnsealingError: This site is no member of the attempt.
            SettingsError: The disk refuses.
        """
        from fednet.privacy.sealing import seal

        seals = self.of(history, key)
        seals.recipients.position(self._site)
        place = seals.update_place(self._site)
        return seal(content, target, self._keys.store.obtain(place), place, seals.recipients)

    def tidy(self, before: RoundNumber) -> None:
        """Remove what was opened of earlier rounds."""
        self._seals.forget(before)


def open_vault(
    keys: SiteKeys | None, site: SiteId, terms: RunTerms, reader: LedgerReader, folder: Path
) -> Vault | None:
    """Return the vault of a run that seals; None for one that does not.

    Raises:
        SettingsError: The run seals, and this node has no keys.
    """
    if not terms.plan.privacy.sealed:
        return None
    if keys is None:
        raise SettingsError(
            "the run's blobs are sealed, and this node has no keys",
            subject=f"run {terms.run}",
            hint="run it with `fednet node run`, in the home that holds the site's keystores",
        )
    return Vault(keys, site, terms, reader, folder)


def destroy_opened(run_folder: Path, key: AttemptKey) -> None:
    """Destroy what was opened of an attempt; what still has a key can be opened again.

    Raises:
        SettingsError: The disk refuses.
    """
    from fednet.privacy.sealing.destroying import destroy

    for path in (run_folder / FOLDER / f"{key.round}-{key.attempt}").glob("*"):
        destroy(path)

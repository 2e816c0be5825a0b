"""Remove what one machine holds of an update that was erased: bytes, copies in the clear, key.

Nothing here asks whether it may: see ``fednet.cli.erasing`` for a site's own updates
and ``fednet.node.sweeping`` for those of others. Every step can be done again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fednet.domain.batches import BatchedUpdate, read_sheet, sheet_size_bytes
from fednet.domain.blobs import ErasingStore
from fednet.domain.events import UpdateSubmitted
from fednet.domain.identity import Commitment, Locator
from fednet.domain.ports import LedgerReader
from fednet.domain.update import Place
from fednet.errors import BlobMissingError, VerificationError
from fednet.node.files import file_matches
from fednet.node.places import AttemptKey
from fednet.node.vault import destroy_opened

if TYPE_CHECKING:
    from fednet.privacy.sealing import KeyStore

_SHEET_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Remover:
    """Remove updates from one home and its store."""

    runs: Path
    """Where the node keeps the files of runs."""
    reader: LedgerReader
    store: ErasingStore
    keys: KeyStore | None
    """Of sealed updates; None where this home keeps no such keys."""

    def remove(self, update: UpdateSubmitted, grounds: Commitment) -> bool:
        """Destroy an update's key, and remove its bytes from runs, cache and store.

        Args:
            update: Whosever it is.
            grounds: That the erasure names; the mark left in the key's place names them, too.

        Returns:
            Whether anything of its bytes was here.

        Raises:
            StoreError: The store does not let go of it.
            SettingsError: The disk refuses.
        """
        places = {update.locator, *self.reader.announced(update.commitment)}
        if isinstance(update, BatchedUpdate):
            places |= self._in_sheet(update)
        had = False
        folder = self.runs / f"run-{update.run}"
        for path in folder.glob(f"update-{update.round}-{update.attempt}-*"):
            if file_matches(path, update.commitment):
                places.add(self.store.locate(path))
                path.unlink()
                had = True
        self._shred(update, grounds)
        destroy_opened(folder, AttemptKey(update.round, update.attempt))
        named = [place for place in places if not Locator(place).is_zero]
        return self.store.erase(update.commitment, named) or had

    def _in_sheet(self, update: BatchedUpdate) -> set[Locator]:
        """Find where the sheet of a batch says that an update is."""
        cap = sheet_size_bytes(update.rows)
        try:
            path = self.store.fetch(update.sheet, [update.sheet_locator], cap, _SHEET_SECONDS)
            rows = read_sheet(path.read_bytes(), update.rows, f"sheet {update.sheet}")
        except (BlobMissingError, VerificationError):
            return set()
        return {rows[update.row].locator}

    def _shred(self, update: UpdateSubmitted, grounds: Commitment) -> None:
        if self.keys is None:
            return
        # Imported when there are keys: cryptography takes its time.
        from fednet.privacy.sealing import BlobPlace, Erasure

        deployment, module = self.reader.deployment, self.reader.run(update.run).module
        place = Place(deployment.chain_id, module, update.run, update.round, update.attempt)
        erasure = Erasure(update.commitment, grounds, self.reader.head().timestamp)
        self.keys.shred(BlobPlace(place, update.site, "update"), erasure)

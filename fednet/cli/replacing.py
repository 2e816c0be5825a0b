"""Put a dataset in another's place: the way in which a patient's withdrawal takes effect.

The new bytes are registered under a salt of their own, what was promised of the old
dataset's privacy is carried over, grants on it are revoked (so that consents end), it
is closed. What is being done stands in a file until it is done; the command repeated
after a kill goes on from there and does nothing twice.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fednet.cli import private_data, queries, settings
from fednet.cli.app import App
from fednet.domain.disclosures import NO_LOSS, PrivacyLoss
from fednet.domain.identity import Commitment, DatasetId, Digest, GrantId, SiteId
from fednet.domain.ledger import AccessStatus
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.errors import DataError, FednetError, SettingsError
from fednet.node.data import SaltedData
from fednet.privacy.sealing.destroying import destroy


@dataclass(frozen=True, slots=True)
class Replaced:
    """What took the old dataset's place."""

    old: DatasetId
    new: DatasetId
    examples: int
    revoked: tuple[GrantId, ...]
    """Grants on the old dataset that this call revoked."""
    ceiling: PrivacyLoss
    """What the new dataset may spend: what the old one had left."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """A replacement that has begun."""

    path: Path
    salt: str
    old_salt: str

    def write(self, note: Path) -> None:
        told = {"path": str(self.path), "salt": self.salt, "old_salt": self.old_salt}
        settings.write_durably(note, json.dumps(told).encode(), private=True)

    @classmethod
    def read(cls, note: Path) -> _Begun | None:
        """Read what has begun; None if nothing has."""
        try:
            told = json.loads(note.read_text("utf-8"))
            return cls(Path(told["path"]), str(told["salt"]), str(told["old_salt"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise SettingsError(
                "cannot be read", subject=str(note), actual=type(exc).__name__,
                hint="remove the file and give the command again: if it was registered already,"
                " close the new dataset that `fednet dataset list` shows",
            ) from exc  # fmt: skip


def replace(
    app: App,
    reader: LedgerReader,
    writer: LedgerWriter,
    site: SiteId,
    old: DatasetId,
    chosen: private_data.Chosen,
    description: bytes,
    examples: int,
) -> Replaced:
    """Put the chosen data in the place of an old dataset.

    Raises:
        DataError: The data is the old dataset's, or is not what was begun with.
        FednetError: The old dataset is another's, or closed already.
    """
    note = app.home / "datasets" / f"replacing-{old}.json"
    begun = _Begun.read(note) or _begin(app, reader, site, old, chosen, note)
    if begun.path != chosen.path:
        raise DataError(
            "another file was to take the dataset's place", subject=f"dataset {old}",
            expected=begun.path, actual=chosen.path,
            hint=f"give the first file again, or remove {note} to begin anew",
        )  # fmt: skip
    new = private_data.register(
        app, reader, writer, site, chosen, description, examples, begun.salt
    )
    revoked = _revoke(reader, writer, old)
    ceiling = _carry_over(reader, writer, old, new)
    if not reader.dataset(old).closed:
        writer.close_dataset(old)
    done = {"by": int(new), "salt": begun.old_salt}
    kept = app.home / "datasets" / f"replaced-{old}.json"
    settings.write_durably(kept, json.dumps(done).encode(), private=True)
    note.unlink(missing_ok=True)
    return Replaced(old, new, examples, tuple(revoked), ceiling)


def destroy_salt(app: App, reader: LedgerReader, site: SiteId, old: DatasetId) -> bool:
    """Destroy the salt of a dataset that was replaced here, unless another may rest on it."""
    salt, stored = salt_of_replaced(app.home, old), app.settings().data
    others = {
        each.dataset for each in queries.datasets(reader) if each.site == site and not each.closed
    }
    if not salt or salt == stored.salt or others - {stored.dataset}:
        return False
    destroy(app.path(salt))
    return True


def salt_of_replaced(home: Path, old: DatasetId) -> str:
    """Name the salt of a dataset that was replaced here; empty if it was not."""
    try:
        told = json.loads((home / "datasets" / f"replaced-{old}.json").read_text("utf-8"))
        return str(told["salt"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _begin(
    app: App,
    reader: LedgerReader,
    site: SiteId,
    old: DatasetId,
    chosen: private_data.Chosen,
    note: Path,
) -> _Begun:
    held = reader.dataset(old)
    if held.site != site:
        raise SettingsError(
            "is not this site's", subject=f"dataset {old}", expected=f"site {site}",
            actual=f"site {held.site}" if held.site else "no such dataset",
            hint="`fednet dataset list` shows whose each is",
        )  # fmt: skip
    if held.closed:
        raise FednetError(
            "is closed already", subject=f"dataset {old}",
            hint="register the new data with `fednet dataset register`",
        )  # fmt: skip
    salt = app.settings().data.salt
    salt_path = app.path(salt)
    if salt_path.exists() and SaltedData(chosen.path, salt_path).commitment() == held.data:
        raise DataError(
            "holds the same bytes as the dataset", subject=str(chosen.path),
            hint="take out the records that were withdrawn, and give the command again",
        )  # fmt: skip
    begun = _Begun(chosen.path, f"datasets/salt-{secrets.token_hex(8)}", salt)
    begun.write(note)
    return begun


def _revoke(reader: LedgerReader, writer: LedgerWriter, old: DatasetId) -> Sequence[GrantId]:
    revoked = []
    for entry in queries.accesses(reader):
        access = entry.access
        if access.dataset == old and access.status is AccessStatus.GRANTED:
            writer.revoke_access(access.grant)
            revoked.append(access.grant)
    return revoked


def _carry_over(
    reader: LedgerReader, writer: LedgerWriter, old: DatasetId, new: DatasetId
) -> PrivacyLoss:
    """Let the new dataset spend what the old one had left, and be kept as long.

    Most of its records are the old one's: with a ceiling of its own they would be spent twice.
    """
    before, after = reader.budget(old), reader.budget(new)
    if before.retention_seconds and not after.retention_seconds:
        writer.set_retention(new, before.retention_seconds)
    if after.ceiling != NO_LOSS:
        return after.ceiling
    left = PrivacyLoss(
        max(0, before.ceiling.epsilon_micro - before.spent.epsilon_micro),
        max(0, before.ceiling.delta_pico - before.spent.delta_pico),
    )
    if left != NO_LOSS:
        grounds = Commitment.of(f"what dataset {old} had left".encode())
        writer.set_ceiling(new, left, Digest(grounds))
    return left

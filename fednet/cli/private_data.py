"""The site's private data: find it, try it with the task, commit to it.

The bytes are read and hashed here and go nowhere. The ledger learns
SHA-256(salt, bytes), so that nobody can guess the data from its commitment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fednet.cli import queries, settings, wiring
from fednet.cli.app import App
from fednet.domain.identity import Commitment, DatasetId, SiteId
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.errors import DataError, SettingsError
from fednet.learning import Inspection
from fednet.node.data import SaltedData, create_salt


@dataclass(frozen=True, slots=True)
class Chosen:
    """A data file or folder, and the task that reads it."""

    path: Path
    task: str


def choose(app: App, path: Path | None, task: str | None) -> Chosen:
    """Take data and task from the command line, or from the settings.

    Raises:
        SettingsError: Neither names them.
        DataError: The file is missing or empty.
    """
    stored = app.settings()
    if path is None and not stored.data.path:
        raise SettingsError("no data named", hint="give its path, or set data.path in fednet.toml")
    source = task or stored.task.source
    if not source:
        raise SettingsError("no task named", hint="give --task, or set task.source in fednet.toml")
    found = path.absolute() if path is not None else app.path(stored.data.path)
    try:
        size = next(found.iterdir(), None) if found.is_dir() else found.stat().st_size
    except OSError as exc:
        raise DataError(
            "cannot read the data",
            subject=str(found),
            actual=exc.strerror,
            hint="check the path of the data",
        ) from exc
    if not size or not (found.is_file() or found.is_dir()):
        raise DataError(
            "the data is no file or folder with something in it",
            subject=str(found),
            hint="give a CSV, Parquet, Arrow or NumPy file, or the folder of a dataset",
        )
    return Chosen(found, source)


def inspect(app: App, chosen: Chosen) -> Inspection:
    """Let the task, behind its walls, read the data and count it.

    Raises:
        DataError: The data does not fit the task.
        TaskError: The task's code failed.
    """
    with wiring.trainer(app, chosen.task, chosen.path) as trainer:
        return trainer.inspect()


def describe(inspection: Inspection) -> str:
    """Say what the task found."""
    classes = inspection.class_counts
    shares = ", ".join(f"class {name}: {number}" for name, number in classes.items())
    return f"{inspection.examples} examples" + (f" ({shares})" if shares else "")


def salted(app: App, path: Path, salt: str | None = None) -> SaltedData:
    """Name data and salt, the settings' unless another is named; the first call makes the salt."""
    salt_path = app.path(app.settings().data.salt if salt is None else salt)
    try:
        create_salt(salt_path)
    except OSError as exc:
        raise SettingsError("cannot write", subject=str(salt_path), actual=exc.strerror) from exc
    return SaltedData(path, salt_path)


def register(
    app: App,
    reader: LedgerReader,
    writer: LedgerWriter,
    site: SiteId,
    chosen: Chosen,
    description: bytes,
    examples: int,
    salt: str | None = None,
) -> DatasetId:
    """Register the data unless just these bytes are; remember it in the settings.

    Args:
        app: Whose settings, and whose private folder.
        reader: The ledger.
        writer: Acts for the site.
        site: Whose data it is.
        chosen: File or folder, and task.
        description: Its SHA-256 goes on the ledger; empty says how many examples there are.
        examples: As the task counts them.
        salt: File of the salt, relative to the home; None takes the settings'.
    """
    data = salted(app, chosen.path, salt).commitment()
    about = description or f"{examples} examples for {chosen.task}".encode()
    number = DatasetId(0)
    for known in queries.datasets(reader):
        same = known.site == site and known.data == data and known.examples == examples
        if same and not known.closed:
            number = known.dataset
    if not number:
        created = writer.register_dataset(site, Commitment.of(about), data, examples).created
        number = DatasetId(created)
        settings.write_durably(app.home / "datasets" / f"{number}.txt", about, private=True)
    app.update(
        {
            "data": {"path": str(chosen.path), "dataset": int(number)}
            | ({} if salt is None else {"salt": salt}),
            "task": {"source": chosen.task},
            "site": {"id": int(site)},
        }
    )
    return number

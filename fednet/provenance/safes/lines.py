"""What the Five Safes view is made of: lines, each with the ledger's records that it stands on.

The Five Safes are those of Desai, Ritchie and Welpton (2016, "Five Safes: designing data
access for research"): safe people, projects, settings, data and outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from fednet.domain.identity import DatasetId, Digest, RunId, SiteId
from fednet.domain.ledger import Role

MOST_RECORDS = 3
"""Records that a line names; how many more there are stands beside them."""
_LAST_SECOND = 253_402_300_799
"""End of the year 9999."""


class Placed(Protocol):
    """Whatever stands at a place on the ledger, as every row of the index does."""

    @property
    def block(self) -> int:
        """Return the number of its block."""
        ...

    @property
    def time(self) -> int:
        """Return the time of its block, in seconds since 1970."""
        ...

    @property
    def transaction(self) -> Digest:
        """Return the transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """Name a record of the ledger."""

    block: int
    time: int
    """Seconds since 1970, as the block says."""
    transaction: Digest


@dataclass(frozen=True, slots=True)
class Line:
    """Say one thing of a run, in words that are ours but for ``name``."""

    about: str
    name: str
    """A stranger's own words, which no view may mix with ours; empty where there are none."""
    says: str
    records: tuple[Source, ...]
    """The latest records that it stands on, in the order of the chain."""
    more_records: int = 0
    site: SiteId | None = None
    dataset: DatasetId | None = None


@dataclass(frozen=True, slots=True)
class FiveSafes:
    """Say of a run who, for what, where, on which data, and what came out."""

    run: RunId
    people: tuple[Line, ...]
    projects: tuple[Line, ...]
    settings: tuple[Line, ...]
    data: tuple[Line, ...]
    outputs: tuple[Line, ...]


PARTS = ("people", "projects", "settings", "data", "outputs")
"""Fields of ``FiveSafes``, in the order in which they are read."""
QUESTIONS = {
    "people": "Who may act here, and who admitted them?",
    "projects": "What is the data used for, and who approved it?",
    "settings": "Where does it run, and which code?",
    "data": "Which data, on which grants, and how little of it may an update rest on?",
    "outputs": "What left the sites, and what was done so that it betrays nobody?",
}
"""What each part answers."""


def line(
    about: str,
    says: str,
    rows: Sequence[Placed | None],
    *,
    name: str = "",
    site: SiteId | None = None,
    dataset: DatasetId | None = None,
    more_records: int = 0,
) -> Line:
    """Make a line that stands on some rows of the index; None is no row."""
    known = sorted(
        {Source(row.block, row.time, row.transaction) for row in rows if row is not None},
        key=lambda source: (source.block, source.transaction),
    )
    left_out = len(known) - MOST_RECORDS if len(known) > MOST_RECORDS else 0
    kept = tuple(known[left_out:])
    return Line(about, name, says, kept, left_out + more_records, site, dataset)


def moment(seconds: int) -> str:
    """Write a time of the ledger."""
    if not 0 < seconds <= _LAST_SECOND:
        return f"second {seconds}"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def roles_of(roles: Role) -> str:
    """Name an account's roles."""
    names = [each.name.lower() for each in Role if each and each in roles and each.name]
    return ", ".join(names) or "none"

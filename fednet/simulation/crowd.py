"""Let a crowd of virtual sites join a consortium, by the acts that real ones send."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fednet.domain.identity import Commitment, DatasetId, GrantId, Locator, RunId, SiteId
from fednet.domain.ledger import Application, Role
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.node import SaltedData, create_salt

ALLOWANCE_WEI = 10**18
_DAY_SECONDS = 86_400
_NOTHING = Commitment.of(b"a rehearsal")
_NOWHERE = Locator(hashlib.sha256(b"a rehearsal").digest())

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class VirtualData:
    """One virtual site's records."""

    path: Path
    examples: int


@dataclass(slots=True)
class Member:
    """One virtual site."""

    site: SiteId
    writer: LedgerWriter
    data: SaltedData
    records: VirtualData
    dataset: DatasetId


class Crowd:
    """Sites of one machine, admitted to one deployment.

    Args:
        reader: Ledger to read.
        operator: Acts for the operator and as the researcher.
        new_writer: Makes a writer with a new account each time.
        pool: Where independent acts are sent from side by side.
    """

    def __init__(
        self,
        reader: LedgerReader,
        operator: LedgerWriter,
        new_writer: Callable[[], LedgerWriter],
        pool: Executor,
    ) -> None:
        self.reader = reader
        self.operator = operator
        self._new_writer = new_writer
        self._pool = pool
        self.members: list[Member] = []

    def join(self, records: Sequence[VirtualData]) -> None:
        """Admit one site for each dataset, in order, and register its data."""
        writers = [self._new_writer() for _ in records]
        sites = [self._admit(number, writer) for number, writer in enumerate(writers, start=1)]

        def register(item: tuple[SiteId, LedgerWriter, VirtualData]) -> Member:
            site, writer, found = item
            salt = found.path.with_suffix(".salt")
            create_salt(salt)
            data = SaltedData(found.path, salt)
            made = writer.register_dataset(site, _NOTHING, data.commitment(), found.examples)
            return Member(site, writer, data, found, DatasetId(made.created))

        self.members = self._all(register, list(zip(sites, writers, records, strict=True)))

    def consent(self, run: RunId) -> None:
        """Let every site grant access to its data and consent to a run.

        The first ones' consents stand before the last, which begins the run, so
        that positions follow the order of sites.
        """
        requested = [
            self.operator.request_access(member.dataset, _NOTHING, _NOWHERE)
            for member in self.members
        ]
        expiry = self.reader.head().timestamp + _DAY_SECONDS

        def grant(item: tuple[Member, int]) -> GrantId:
            member, created = item
            member.writer.grant_access(GrantId(created), _NOTHING, _NOWHERE, expiry)
            return GrantId(created)

        pairs = [(m, r.created) for m, r in zip(self.members, requested, strict=True)]
        grants = self._all(grant, pairs)
        for member, given in zip(self.members, grants, strict=True):
            member.writer.consent(run, member.site, given)

    def _admit(self, number: int, writer: LedgerWriter) -> SiteId:
        application = Application(
            account=writer.address,
            name=f"virtual site {number}",
            metadata=_NOTHING,
            encryption_key=hashlib.sha256(b"virtual site %d" % number).digest(),
            store_address="",
            deadline=int(time.time()) + _DAY_SECONDS,
        )
        created = self.operator.apply_for(application, writer.sign_application(application))
        site = SiteId(created.created)
        self.operator.admit(site, Role.SITE | Role.AGGREGATOR, ALLOWANCE_WEI)
        return site

    def _all(self, act: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
        return list(self._pool.map(act, items))

"""Let a crowd of virtual sites join a consortium, by the acts that real ones send."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    GrantId,
    Locator,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Application, Receipt, Role
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.node import SaltedData, create_salt

ALLOWANCE_WEI = 10**18
_DAY_SECONDS = 86_400
_GRANT_SECONDS = 3_650 * _DAY_SECONDS
"""The chain's clock may leap over many deadlines within one rehearsal."""
_NOTHING = Commitment.of(b"a rehearsal")
_NOWHERE = Locator(hashlib.sha256(b"a rehearsal").digest())


@dataclass(frozen=True, slots=True)
class VirtualData:
    """One virtual site's records."""

    path: Path
    examples: int


class UnchangedData(SaltedData):
    """Data that nobody touches during a rehearsal: hashed once."""

    def commitment(self) -> Commitment:
        """Return what it hashed to."""
        return self._found

    @cached_property
    def _found(self) -> Commitment:
        return super().commitment()


@dataclass(slots=True)
class Member:
    """One virtual site."""

    site: SiteId
    writer: LedgerWriter
    data: SaltedData
    records: VirtualData
    dataset: DatasetId


class Convoy(Protocol):
    """Sends what several writers would send, all of it at once."""

    def aboard(self, writer: Any) -> LedgerWriter:  # noqa: ANN401 - a writer of the same ledger
        """Return a writer of the same account whose acts wait for `send`."""
        ...

    def send(self, *, in_order: bool = False) -> list[Receipt]:
        """Send what waits; return the receipts in the order of the acts."""
        ...


class Crowd:
    """Sites of one machine, admitted to one deployment.

    Args:
        reader: Ledger to read.
        operator: Acts for the operator and as the researcher.
        new_writer: Makes a writer with a new account each time.
        convoy: Takes what they do all at once.
    """

    def __init__(
        self,
        reader: LedgerReader,
        operator: LedgerWriter,
        new_writer: Callable[[], LedgerWriter],
        convoy: Convoy,
    ) -> None:
        self.reader = reader
        self.operator = operator
        self._new_writer = new_writer
        self._convoy = convoy
        self.members: list[Member] = []

    def join(self, records: Sequence[VirtualData]) -> None:
        """Admit one site for each dataset, in order, and register its data."""
        writers = [self._new_writer() for _ in records]
        operator, aboard = self._convoy.aboard(self.operator), self._convoy.aboard
        for number, writer in enumerate(writers, start=1):
            application = _application(number, writer.address)
            operator.apply_for(application, writer.sign_application(application))
        sites = [SiteId(receipt.created) for receipt in self._convoy.send()]
        for site in sites:
            operator.admit(site, Role.SITE | Role.AGGREGATOR, ALLOWANCE_WEI)
        self._convoy.send()
        data = [_salted(found) for found in records]
        for site, writer, salted, found in zip(sites, writers, data, records, strict=True):
            aboard(writer).register_dataset(site, _NOTHING, salted.commitment(), found.examples)
        datasets = [DatasetId(receipt.created) for receipt in self._convoy.send()]
        self.members = [
            Member(*each) for each in zip(sites, writers, data, records, datasets, strict=True)
        ]

    def consent(self, run: RunId) -> None:
        """Let every site grant access to its data and consent to a run, in the order of sites.

        Consents give the positions on the roster.
        """
        operator, aboard = self._convoy.aboard(self.operator), self._convoy.aboard
        for member in self.members:
            operator.request_access(member.dataset, _NOTHING, _NOWHERE)
        grants = [GrantId(receipt.created) for receipt in self._convoy.send()]
        expiry = self.reader.head().timestamp + _GRANT_SECONDS
        for member, grant in zip(self.members, grants, strict=True):
            aboard(member.writer).grant_access(grant, _NOTHING, _NOWHERE, expiry)
        self._convoy.send()
        for member, grant in zip(self.members, grants, strict=True):
            aboard(member.writer).consent(run, member.site, grant)
        self._convoy.send(in_order=True)


def _application(number: int, account: Address) -> Application:
    return Application(
        account=account,
        name=f"virtual site {number}",
        metadata=_NOTHING,
        encryption_key=hashlib.sha256(b"virtual site %d" % number).digest(),
        store_address="",
        deadline=int(time.time()) + _DAY_SECONDS,
    )


def _salted(records: VirtualData) -> SaltedData:
    salt = records.path.with_suffix(".salt")
    create_salt(salt)
    return UnchangedData(records.path, salt)

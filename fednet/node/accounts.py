"""Whose account is whose at any moment of the chain: the register's events, folded when asked."""

from __future__ import annotations

from fednet.audit import Register
from fednet.domain import events as ev
from fednet.domain.events import Log
from fednet.domain.identity import Address, SiteId
from fednet.domain.ledger import Role
from fednet.domain.ports import LedgerReader

_KINDS: tuple[type[ev.LedgerEvent], ...] = (
    ev.SiteApplied,
    ev.SiteAdmitted,
    ev.SiteStandingChanged,
    ev.SiteAccountRotated,
    ev.AccountRolesChanged,
)


class AccountBook:
    """Know the accounts of sites that may take part.

    Args:
        reader: Ledger to read.
    """

    def __init__(self, reader: LedgerReader) -> None:
        self._reader = reader
        self.reset()

    def reset(self) -> None:
        """Forget everything, as after a chain that went back."""
        self._events: list[ev.LedgerEvent] = []
        self._read_until = -1

    def at(self, block: int, log: Log | None = None) -> dict[SiteId, Address]:
        """List the accounts of active sites at the end of a block, or just before one of its logs.

        Raises:
            LedgerError: The chain does not answer.
        """
        self._read(block)
        place = (log.block, log.index) if log else (block + 1, 0)
        register = Register()
        for event in self._events:
            if (event.log.block, event.log.index) < place:
                register.take(event)
        return register.accounts(Role.SITE)

    def _read(self, block: int) -> None:
        if block <= self._read_until:
            return
        first = max(self._read_until + 1, self._reader.deployment.block)
        head = self._reader.head().number
        self._events += [
            event for event in self._reader.events(_KINDS, first) if event.log.block <= head
        ]
        self._read_until = head

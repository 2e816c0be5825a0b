"""Who is who, as the register and the catalogue of runs say; kept fresh by the node."""

from __future__ import annotations

from collections.abc import Sequence

from fednet.domain import events as ev
from fednet.domain.disclosure_events import BlobsErased
from fednet.domain.identity import RunId, SiteId
from fednet.domain.ledger import Head, Role, Standing
from fednet.domain.ports import LedgerReader

_KINDS: tuple[type[ev.LedgerEvent], ...] = (
    ev.SiteApplied,
    ev.SiteAdmitted,
    ev.SiteStandingChanged,
    ev.SiteStoreMoved,
    ev.SiteAccountRotated,
    ev.AccountRolesChanged,
    ev.RunOpened,
    BlobsErased,
)


class Consortium:
    """Fold the register's events; one question to the chain while nothing happens.

    Args:
        reader: Ledger to read.
        site: Site whose own standing and roles are kept.
    """

    def __init__(self, reader: LedgerReader, site: SiteId) -> None:
        self._reader = reader
        self._site = site
        self._head: Head | None = None
        self._last_log = (-1, -1)
        self._ask_own = True
        self.standing = Standing.NONE
        self.roles = Role.NONE
        self.runs: dict[RunId, ev.RunOpened] = {}
        self.erasures = 0
        """Records of erasures on the ledger, lawful or not."""
        self._standings: dict[SiteId, Standing] = {}
        self._stores: dict[SiteId, str] = {}

    @property
    def lost(self) -> frozenset[SiteId]:
        """Sites that were admitted and may act no more."""
        over = (Standing.SUSPENDED, Standing.REVOKED)
        return frozenset(site for site, at in self._standings.items() if at in over)

    @property
    def store_addresses(self) -> tuple[str, ...]:
        """Addresses of the stores of other active sites that can be dialled."""
        return tuple(
            address
            for site, address in sorted(self._stores.items())
            if address and site != self._site and self._standings.get(site) is Standing.ACTIVE
        )

    def ask_again(self) -> None:
        """Read this site's own standing anew at the next look."""
        self._ask_own = True

    def look(self) -> bool:
        """Read what is new; tell whether the chain has moved.

        Raises:
            LedgerError: The chain does not answer.
        """
        head = self._reader.head()
        moved = head != self._head
        if moved:
            if self._head is not None and head.number <= self._head.number:
                self._head, self._last_log, self.erasures = None, (-1, -1), 0
            first = self._reader.deployment.block if self._head is None else self._head.number + 1
            self._fold(self._reader.events(_KINDS, first))
            self._head = head
        if self._ask_own:
            own = self._reader.site(self._site)
            self.standing, self.roles = own.standing, own.roles
            self._ask_own = False
        return moved

    def _fold(self, events: Sequence[ev.LedgerEvent]) -> None:
        for event in events:
            place = (event.log.block, event.log.index)
            if place <= self._last_log:
                continue
            self._last_log = place
            if getattr(event, "site", None) == self._site:
                self._ask_own = True
            match event:
                case ev.SiteApplied():
                    self._standings[event.site] = Standing.APPLIED
                    self._stores[event.site] = event.store_address
                case ev.SiteAdmitted():
                    self._standings[event.site] = Standing.ACTIVE
                case ev.SiteStandingChanged():
                    self._standings[event.site] = event.standing
                case ev.SiteStoreMoved():
                    self._stores[event.site] = event.store_address
                case ev.RunOpened():
                    self.runs[event.run] = event
                case BlobsErased():
                    self.erasures += 1
                case _:
                    pass

"""Ledger records made by rule: as many as wanted, with whatever names, and no chain behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fednet.domain import events as ev
from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Deployment, Head, Modules, Role
from fednet.errors import LedgerUnavailableError
from fednet.provenance import IndexedBlock

ACCOUNT = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
BEGAN = 1_800_000_000
CONTRACTS = [Address("0x" + f"{number:040x}") for number in range(1, 11)]
DEPLOYMENT = Deployment(
    31_337, Digest(bytes(32)), 1, *CONTRACTS[:6], Modules(*CONTRACTS[6:]), code_hashes=()
)


def digest(*parts: object) -> Digest:
    """Make a digest that is the same for the same parts."""
    return Digest(Commitment.of(repr(parts).encode()))


class SilentChain:
    """A chain that was read once and does not answer any more."""

    deployment = DEPLOYMENT

    def __getattr__(self, name: str) -> object:
        raise LedgerUnavailableError("the chain does not answer", subject="http://127.0.0.1:1")


@dataclass
class Ledger:
    """Blocks of events, one event a block and one block every ten seconds."""

    events: list[ev.LedgerEvent] = field(default_factory=list)

    def log(self) -> ev.Log:
        number = len(self.events) + 1
        return ev.Log(number, 0, digest("transaction", number), ACCOUNT)

    def blocks(self) -> Iterator[IndexedBlock]:
        for event in self.events:
            number = event.log.block
            yield IndexedBlock(Head(number, digest("block", number), BEGAN + 10 * number), [event])

    def site(self, number: int, name: str, store_address: str = "") -> None:
        """Let a site apply and be admitted, with one dataset and one granted request."""
        site, dataset, grant = SiteId(number), DatasetId(number), GrantId(number)
        add, key = self.events.append, digest("key", number)
        metadata = Commitment(digest("metadata", number))
        add(ev.SiteApplied(self.log(), site, ACCOUNT, name, metadata, key, store_address))
        add(ev.SiteAdmitted(self.log(), site, ACCOUNT, Role.SITE | Role.AGGREGATOR, 10))
        description, data = (Commitment(digest(each, number)) for each in ("description", "data"))
        add(ev.DatasetRegistered(self.log(), dataset, site, description, data, 100))
        purpose, terms = (Commitment(digest(each, number)) for each in ("purpose", "terms"))
        add(ev.AccessRequested(self.log(), grant, dataset, ACCOUNT, purpose, Locator(purpose)))
        expiry = BEGAN + 10**8
        add(ev.AccessGranted(self.log(), grant, dataset, site, terms, Locator(terms), expiry))

    def run(self, number: int, sites: int, rounds: int, parameters: bytes = b"") -> None:
        """Play a run to its end: all submit, the first proposes, the others attest, all count."""
        run, add = RunId(number), self.events.append
        plan, model = (Commitment(digest(each, number)) for each in ("plan", "model"))
        add(ev.RunOpened(self.log(), run, ACCOUNT, CONTRACTS[4], plan, Locator(plan), model,
                         Locator(model), False, parameters))  # fmt: skip
        members = [SiteId(each) for each in range(1, sites + 1)]
        for site in members:
            add(ev.ConsentGiven(self.log(), run, site, GrantId(site), site - 1, 100, BEGAN + 10**8))
        for count in range(1, rounds + 1):
            self._round(run, RoundNumber(count), members)
        add(ev.RunCompleted(self.log(), run, rounds))

    def _round(self, run: RunId, number: RoundNumber, members: list[SiteId]) -> None:
        add, size = self.events.append, len(members)
        add(ev.AttemptStarted(self.log(), run, number, 1, size, size, size // 2 + 1, BEGAN))
        for site in members:
            made = Commitment(digest("update", run, number, site))
            add(ev.UpdateSubmitted(
                self.log(), run, number, site, 1, 0, made, 100 + site, Locator(made)))  # fmt: skip
        add(ev.SubmissionsClosed(self.log(), run, number, 1, size, BEGAN))
        record, state = (Commitment(digest(each, run, number)) for each in ("record", "state"))
        add(ev.RoundProposed(
            self.log(), run, number, members[0], 1, 1, 1_000 * number, record, Locator(record),
            state, digest("root", run, number), BEGAN, b""))  # fmt: skip
        for site in members[1 : size // 2 + 2]:
            add(ev.RoundAttested(self.log(), run, number, site, 1, 1, digest("w", number, site)))
        add(ev.RoundFinalized(self.log(), run, number, 1, 1))

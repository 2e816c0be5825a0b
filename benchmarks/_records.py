"""Ledger records as a busy consortium would make them, without a chain; deterministic."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

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
from fednet.provenance import IndexedBlock

SITES = 200
COHORT = 10
ROUNDS = 100
_MODULE = Address("0x00000000000000000000000000000000000000A1")
_RESEARCHER = Address("0x00000000000000000000000000000000000000B2")
_SECONDS_PER_BLOCK = 12
_EVENTS_PER_BLOCK = 5
_START = 1_700_000_000


def deployment() -> Deployment:
    """Name a consortium that is nowhere."""
    a, b, c, d, e, f, *modules = (Address(f"0x{at:040x}") for at in range(1, 11))
    return Deployment(1, digest("genesis"), 0, a, b, c, d, e, f, Modules(*modules), ())


def digest(*parts: object) -> Digest:
    """Make 32 bytes of a name."""
    return Digest(hashlib.sha256("/".join(map(str, parts)).encode()).digest())


def state_of(run: int, round_number: int) -> Commitment:
    """Name the state of a round."""
    return Commitment(digest("state", run, round_number))


def update_of(run: int, round_number: int, place: int) -> Commitment:
    """Name the update of the site at a place of the roster."""
    return Commitment(digest("update", run, round_number, place))


def blocks_of(records: int) -> Iterator[tuple[int, IndexedBlock]]:
    """Give out blocks until there were so many records; with the run that is on."""
    block = 1
    held: list[ev.LedgerEvent] = []
    for given, (run, make) in enumerate(_stream(), start=1):
        held.append(make(ev.Log(block, len(held), digest("transaction", given), _MODULE)))
        if len(held) == _EVENTS_PER_BLOCK or given == records:
            yield run, IndexedBlock(_head(block), held)
            block, held = block + 1, []
        if given == records:
            return


def _head(number: int) -> Head:
    return Head(number, digest("block", number), _START + number * _SECONDS_PER_BLOCK)


def _stream() -> Iterator[tuple[int, _Make]]:
    yield from ((0, make) for make in _sites())
    run = 0
    while True:
        run += 1
        yield from ((run, make) for make in _run(run))


def _sites() -> Iterator[_Make]:
    for number in range(1, SITES + 1):
        site, dataset = SiteId(number), DatasetId(number)
        account = Address(f"0x{number + 1_000:040X}")
        yield _Make(
            ev.SiteApplied, site, account, f"Hospital {number}", digest("metadata", number),
            digest("key", number), "/dns4/hub.example/tcp/4001",
        )  # fmt: skip
        yield _Make(ev.SiteAdmitted, site, _RESEARCHER, Role.SITE | Role.AGGREGATOR, 10**18)
        yield _Make(
            ev.DatasetRegistered, dataset, site, digest("description", number),
            digest("data", number), 500,
        )  # fmt: skip


def _run(number: int) -> Iterator[_Make]:
    run = RunId(number)
    sites = [SiteId((number * COHORT + place) % SITES + 1) for place in range(COHORT)]
    yield _Make(
        ev.RunOpened, run, _RESEARCHER, _MODULE, digest("plan", number), digest("p", number),
        digest("model", number), digest("m", number), True, b"",
    )  # fmt: skip
    for place, site in enumerate(sites):
        grant, dataset = GrantId(number * COHORT + place), DatasetId(site)
        purpose, terms = digest("purpose", grant), digest("terms", grant)
        yield _Make(ev.AccessRequested, grant, dataset, _RESEARCHER, purpose, purpose)
        yield _Make(ev.AccessGranted, grant, dataset, site, terms, terms, 1 << 33)
        yield _Make(ev.ConsentGiven, run, site, grant, place, 500, 1 << 33)
    for round_number in range(1, ROUNDS + 1):
        yield from _round(run, RoundNumber(round_number), sites)
    yield _Make(ev.RunCompleted, run, ROUNDS)
    for site in sites:
        yield _Make(ev.CreditsClaimed, run, RoundNumber(ROUNDS), site, 1_000, 1_000)


def _round(run: RunId, number: RoundNumber, sites: list[SiteId]) -> Iterator[_Make]:
    yield _Make(ev.AttemptStarted, run, number, 1, COHORT, COHORT, 6, 1 << 33)
    for place, site in enumerate(sites):
        update = update_of(run, number, place)
        locator = Locator(digest("locator", update))
        yield _Make(ev.UpdateSubmitted, run, number, site, 1, 0, update, 500, locator)
    yield _Make(ev.SubmissionsClosed, run, number, 1, COHORT, 1 << 33)
    # In one round of ten, the last of the roster is left out as invalid.
    inclusion = b"\x00\x00\x08" if number % 10 == 0 else b""
    yield _Make(
        ev.RoundProposed, run, number, sites[number % COHORT], 1, 1, 1_000 * number,
        digest("record", run, number), digest("r", run, number), state_of(run, number),
        digest("credits", run, number), 1 << 33, inclusion,
    )  # fmt: skip
    for site in sites:
        witness = digest("witness", run, number, site)
        yield _Make(ev.RoundAttested, run, number, site, 1, 1, witness)
    yield _Make(ev.RoundFinalized, run, number, 1, 1)


class _Make:
    """An event that waits for its place."""

    def __init__(self, kind: type[ev.LedgerEvent], *arguments: object) -> None:
        self._kind, self._arguments = kind, arguments

    def __call__(self, log: ev.Log) -> ev.LedgerEvent:
        return self._kind(log, *self._arguments)

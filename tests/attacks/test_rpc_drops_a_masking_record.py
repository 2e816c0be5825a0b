"""A provider keeps one record of masked rounds to itself: a dealing, then what froze a set.

Without its dealing a site would be one that vanished, and without the frozen set any sum
would do. The records of all runs are one log, so that an audit of any run sees the gap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fednet.audit import AuditReport, audit_run
from fednet.domain.masking_events import MASKING_EVENTS, SetFrozen, SharesDealt
from fednet.domain.ports import LedgerReader
from fednet.ledger.reader import Web3Reader
from tests import ledger_acts as acts
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.chain_fixtures import ChainWorld
from tests.handmade import HandmadeRun
from tests.rpc_proxy import misbehaving_provider

LIE = Lie(
    "An RPC drops a record of the ledger of masked rounds",
    Liar.PROVIDER,
    (Found("masking-incomplete", 2), Found("log-dropped", 25)),
    duty="whoever runs or answers for the chain",
)
RawLogs = list[dict[str, Any]]


@pytest.fixture
def made(anvil_world: ChainWorld, tmp_path: Path) -> HandmadeRun:
    made = HandmadeRun(anvil_world, tmp_path, sites=2, rounds=1, elements=100)
    made.play(1)
    run, hospitals = acts.masked_run(anvil_world, ("d", "e", "f"))
    acts.mask_round(anvil_world, run, hospitals, b"")
    return made


@contextmanager
def lying(world: ChainWorld, change: Callable[[RawLogs], RawLogs]) -> Iterator[Web3Reader]:
    def alter(request: dict[str, Any], result: Any) -> Any:
        return change(result) if request["method"] == "eth_getLogs" else result

    with (
        misbehaving_provider(world.chain.url, alter=alter) as url,
        closing(Web3Reader(world.deployment, url)) as reader,
    ):
        yield reader


def audit(made: HandmadeRun, reader: LedgerReader) -> AuditReport:
    with closing(made.store()) as store:
        return audit_run(reader, store, made.run, work_dir=made.folder, fetch_seconds=0.5)


def test_dropped_record_is_found(anvil_world: ChainWorld, made: HandmadeRun) -> None:
    records, hidden = anvil_world.reader.events(MASKING_EVENTS), [(0, 0)]

    def drop(logs: RawLogs) -> RawLogs:
        places = [(int(each["blockNumber"], 16), int(each["logIndex"], 16)) for each in logs]
        return [log for log, place in zip(logs, places, strict=True) if place != hidden[0]]

    with lying(anvil_world, drop) as asked:
        for kind in (SharesDealt, SetFrozen):
            record = next(each for each in records if isinstance(each, kind))
            hidden[0] = record.log.block, record.log.index
            found = LIE.found(audit(made, asked))
            assert {each.code for each in found} == {"masking-incomplete", "log-dropped"}


def test_honest_provider_gives_a_verified_run(anvil_world: ChainWorld, made: HandmadeRun) -> None:
    with lying(anvil_world, lambda logs: logs) as asked:
        require_honest(audit(made, asked))

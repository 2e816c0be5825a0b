"""A provider keeps one record of the ledger of disclosures to itself: each in turn.

A decision that is not seen would leave its site's update unapproved: nobody is
accused of that by a log that the contract does not bear out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from fednet.audit import AuditReport, audit_run
from fednet.domain.disclosure_events import DISCLOSURES
from fednet.domain.ports import LedgerReader
from fednet.ledger import codec
from fednet.ledger.reader import Web3Reader
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.chain_fixtures import ChainWorld
from tests.disclosing import DisclosingRun
from tests.rpc_proxy import misbehaving_provider

LIE = Lie(
    "An RPC drops a record of the ledger of disclosures",
    Liar.PROVIDER,
    (Found("disclosures-hash-differs", 28), Found("log-dropped", 25)),
    duty="whoever runs or answers for the chain",
)
RawLogs = list[dict[str, Any]]
TOPICS = {"0x" + codec.topic_of(kind).hex() for kind in DISCLOSURES}


@pytest.fixture
def made(anvil_world: ChainWorld, tmp_path: Path) -> DisclosingRun:
    made = DisclosingRun(anvil_world, tmp_path, sites=2, rounds=1, elements=100)
    made.play(1)
    made.admit_reader(0)
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


def audit(made: DisclosingRun, reader: LedgerReader) -> AuditReport:
    with closing(made.store()) as store:
        return audit_run(reader, store, made.run, work_dir=made.folder, fetch_seconds=0.5)


def test_each_dropped_record_is_found(anvil_world: ChainWorld, made: DisclosingRun) -> None:
    records = anvil_world.reader.events(DISCLOSURES)
    hidden = [""]

    def drop(logs: RawLogs) -> RawLogs:
        return [each for each in logs if each["transactionHash"] != hidden[0]]

    with lying(anvil_world, drop) as asked:
        for record in records:
            hidden[0] = "0x" + record.log.transaction.hex()
            found = LIE.found(audit(made, asked))
            assert {each.code for each in found} == {"disclosures-hash-differs", "log-dropped"}
    assert len(records) == 11


def test_records_in_another_order_are_found(anvil_world: ChainWorld, made: DisclosingRun) -> None:
    def swap(logs: RawLogs) -> RawLogs:
        first, second, *_ = [at for at, log in enumerate(logs) if log["topics"][0] in TOPICS] or (
            0, 0,
        )  # fmt: skip
        logs[first], logs[second] = logs[second], logs[first]
        return logs

    with lying(anvil_world, swap) as asked:
        LIE.found(audit(made, asked))


def test_honest_provider_gives_a_verified_run(anvil_world: ChainWorld, made: DisclosingRun) -> None:
    with lying(anvil_world, lambda logs: logs) as asked:
        require_honest(audit(made, asked))

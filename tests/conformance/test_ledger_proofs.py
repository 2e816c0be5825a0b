"""Headers, receipts and storage proofs of real chains, and nodes that lie about their logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fednet.domain import events as ev
from fednet.domain.identity import RoundNumber, RunId
from fednet.domain.masking_events import MASKING_EVENTS
from fednet.domain.proofs import LedgerClaims, LogProof
from fednet.ledger import abi
from fednet.ledger.codec import topic_of
from fednet.ledger.reader import Web3Reader
from fednet.ledger.rpc import JsonRpc
from tests import ledger_acts as acts
from tests.chain_fixtures import ChainWorld

KINDS = (ev.RunOpened, ev.AccessGranted, ev.AccessRequested, ev.SiteApplied, ev.SiteAdmitted)


@pytest.fixture
def played(chain_world: ChainWorld) -> tuple[ChainWorld, RunId]:
    """A run with one final round, on each chain."""
    run, hospitals, _ = acts.started_run(chain_world)
    acts.play_round(chain_world, run, hospitals)
    acts.request_release(run, hospitals[0])
    return chain_world, run


def claims_of(reader: Web3Reader, run: RunId) -> LedgerClaims:
    final, head = reader.state(run).final_rounds, reader.head()
    return LedgerClaims(
        run=run,
        module=reader.run(run).module,
        head=head,
        running_hash=reader.running_hash(run),
        disclosures=reader.disclosures().running_hash,
        masking=reader.masking_log().running_hash,
        settlements={
            RoundNumber(number): reader.settlement(run, RoundNumber(number))
            for number in range(1, final + 1)
        },
        kinds=KINDS,
        events=[*reader.events(KINDS), *reader.run_events(run)],
        blocks={head.number: head},
    )


class LyingNode(JsonRpc):
    """A node that changes some of its answers on the way."""

    def __init__(self, url: str, method: str, lie: Callable[[Any], Any]) -> None:
        super().__init__(url)
        self._lies_about, self._lie = method, lie

    def call(self, method: str, *params: object, again: bool = True) -> Any:
        answer = super().call(method, *params, again=again)
        return self._lie(answer) if method == self._lies_about else answer

    def batch(self, *calls: tuple[Any, ...]) -> list[Any]:
        answers = super().batch(*calls)
        return [
            self._lie(answer) if method == self._lies_about else answer
            for (method, *_), answer in zip(calls, answers, strict=True)
        ]


class LiedTo(Web3Reader):
    """A reader that asks a lying node."""

    def __init__(self, world: ChainWorld, method: str, lie: Callable[[Any], Any]) -> None:
        self._begin(world.deployment, LyingNode(world.chain.url, method, lie))


def proof_under_lie(
    played: tuple[ChainWorld, RunId], method: str, lie: Callable[[Any], Any]
) -> LogProof:
    world, run = played
    reader = LiedTo(world, method, lie)
    proof = reader.prove(claims_of(reader, run))
    reader.close()
    return proof


def codes(proof: LogProof) -> list[str]:
    assert not proof.proven
    return [problem.code for problem in proof.problems]


def test_honest_node_is_proven_with_code_running_hash_and_settlement(
    played: tuple[ChainWorld, RunId],
) -> None:
    world, run = played
    claims = claims_of(world.reader, run)
    assert len(claims.events) > 15
    proof = world.reader.prove(claims)
    assert proof.problems == ()
    assert proof.proven, proof.reason
    hashes = {"running hash", "running hash of disclosures", "running hash of masked rounds"}
    assert set(proof.stored) == hashes | {"settlement of round 1"} | {
        f"code of {name}" for name in abi.CONTRACTS
    }
    assert proof.first_block == 0
    assert proof.last_block == claims.head.number


def _without_grants(logs: Any) -> Any:
    return [log for log in logs if log["topics"][0] != _topic(ev.AccessGranted)]


def _topic(kind: type[ev.LedgerEvent]) -> str:
    return "0x" + topic_of(kind).hex()


def test_dropped_grant_is_named(played: tuple[ChainWorld, RunId]) -> None:
    proof = proof_under_lie(played, "eth_getLogs", _without_grants)
    assert codes(proof) == ["log-dropped"] * 3
    assert all("AccessGranted" in problem.subject for problem in proof.problems)


def _with_other_data(logs: Any) -> Any:
    for log in logs:
        if log["topics"][0] == _topic(ev.AccessGranted):
            log["data"] = log["data"][:-1] + ("0" if log["data"][-1] != "0" else "1")
    return logs


def test_edited_grant_is_named(played: tuple[ChainWorld, RunId]) -> None:
    proof = proof_under_lie(played, "eth_getLogs", _with_other_data)
    assert codes(proof) == ["log-altered"] * 3
    assert all("AccessGranted" in problem.subject for problem in proof.problems)


def test_invented_log_is_named(played: tuple[ChainWorld, RunId]) -> None:
    def invent(logs: Any) -> Any:
        return [*logs, logs[-1] | {"logIndex": "0x7"}]

    assert "log-invented" in codes(proof_under_lie(played, "eth_getLogs", invent))


def test_chain_of_unknown_rules_is_called_unproven(played: tuple[ChainWorld, RunId]) -> None:
    def lie(block: Any) -> Any:
        return block | {"timestamp": hex(int(block["timestamp"], 16) + 1)}

    proof = proof_under_lie(played, "eth_getBlockByNumber", lie)
    assert not proof.proven
    assert proof.problems == ()
    assert "follows no known rule" in proof.reason


def test_one_edited_header_is_named(played: tuple[ChainWorld, RunId]) -> None:
    def lie(block: Any) -> Any:
        return block | {"gasUsed": "0x1"} if block["number"] == "0x9" else block

    proof = proof_under_lie(played, "eth_getBlockByNumber", lie)
    assert codes(proof) == ["header-altered"]
    assert proof.problems[0].subject == "block 9"


def test_other_running_hash_than_stored_is_named(played: tuple[ChainWorld, RunId]) -> None:
    world, run = played
    claims = claims_of(world.reader, run)
    forged = replace(claims, running_hash=claims.settlements[RoundNumber(1)])
    problems = world.reader.prove(forged).problems
    assert [problem.code for problem in problems] == ["storage-differs"]
    assert problems[0].subject.startswith("running hash,")
    forged = replace(claims, disclosures=claims.settlements[RoundNumber(1)])
    problems = world.reader.prove(forged).problems
    assert [problem.code for problem in problems] == ["storage-differs"]
    assert problems[0].subject.startswith("running hash of disclosures")
    forged = replace(claims, masking=claims.settlements[RoundNumber(1)])
    problems = world.reader.prove(forged).problems
    assert [problem.code for problem in problems] == ["storage-differs"]
    assert problems[0].subject.startswith("running hash of masked rounds")


def test_records_of_masked_rounds_are_proven(chain_world: ChainWorld) -> None:
    run, hospitals = acts.masked_run(chain_world)
    acts.mask_round(chain_world, run, hospitals, b"")
    reader = chain_world.reader
    claims, records = claims_of(reader, run), reader.events(MASKING_EVENTS)
    kinds, events = (*KINDS, *MASKING_EVENTS), [*claims.events, *records]
    heard = replace(claims, kinds=kinds, events=events)
    assert not heard.masking.is_zero
    proof = reader.prove(heard)
    assert (proof.problems, proof.proven) == ((), True)
    assert "running hash of masked rounds" in proof.stored
    for record in (records[0], records[-1]):
        others = [event for event in events if event != record]
        (problem,) = reader.prove(replace(heard, events=others)).problems
        assert problem.code == "log-dropped"
        assert type(record).__name__ in problem.subject


def test_other_time_of_a_block_is_named(played: tuple[ChainWorld, RunId]) -> None:
    world, run = played
    claims = claims_of(world.reader, run)
    late = replace(claims.head, timestamp=claims.head.timestamp + 60)
    forged = replace(claims, blocks={late.number: late})
    problems = world.reader.prove(forged).problems
    assert [(each.code, each.subject) for each in problems] == [
        ("header-altered", f"block {late.number}")
    ]

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from fednet.domain.events import RunEvent
from fednet.domain.identity import Digest
from fednet.domain.ledger import Head, Phase, RunState
from fednet.domain.ports import LedgerReader
from fednet.errors import HeadMovedError, LedgerUnavailableError
from fednet.node.reading import RunReading
from tests.unit.node.views import RUN, Chain


class Ledger:
    """Answer three questions from a played chain; each event is a block of its own."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.asked: list[str] = []
        self.timestamp = 0
        self.fork = 0
        self.is_state_away = False

    def head(self) -> Head:
        self.asked.append("head")
        return Head(len(self.chain.log) - 1, Digest(bytes([self.fork]) * 32), self.timestamp)

    def run_events(self, run: int, from_block: int = 0) -> Sequence[RunEvent]:
        self.asked.append("events")
        return [event for event in self.chain.log if event.log.block >= from_block]

    def state(self, run: int) -> RunState:
        self.asked.append("state")
        if self.is_state_away:
            raise LedgerUnavailableError("away")
        return self.chain.state


def follow(chain: Chain) -> tuple[Ledger, RunReading]:
    ledger = Ledger(chain)
    return ledger, RunReading(cast(LedgerReader, cast(Any, ledger)), RUN, 0)


def test_reading_asks_for_the_head_alone_while_nothing_happens() -> None:
    ledger, reading = follow(Chain().start())
    assert reading.look()
    ledger.asked.clear()
    assert not reading.look()
    assert ledger.asked == ["head"]


def test_reading_takes_in_each_event_once() -> None:
    chain = Chain().start()
    ledger, reading = follow(chain)
    reading.look()
    chain.submit(1)
    ledger.asked.clear()
    assert reading.look()
    assert ledger.asked == ["head", "events"]
    assert reading.history.events == chain.log


def test_reading_asks_for_the_state_when_the_phase_changes() -> None:
    chain = Chain().start()
    _, reading = follow(chain)
    reading.look()
    assert reading.state.phase is Phase.COLLECTING
    chain.submit(1, 2, 3).close().propose(1)
    reading.look()
    assert reading.state.phase is Phase.ATTESTING
    chain.attest(1, 2).finalize()
    reading.look()
    assert reading.state.phase is Phase.FINAL
    chain.start(round_number=2)
    reading.look()
    assert reading.state.phase is Phase.COLLECTING


def test_reading_asks_for_the_state_when_submissions_may_have_closed() -> None:
    chain = Chain().start().submit(1)
    ledger, reading = follow(chain)
    reading.look()
    ledger.asked.clear()
    chain.submit(2)
    reading.look()
    assert "state" not in ledger.asked
    chain.submit(3).close()
    reading.look()
    assert reading.state.phase is Phase.PROPOSING


def test_reading_asks_for_the_state_when_a_consent_ends_while_collecting() -> None:
    chain = Chain().start().submit(1, 2)
    _, reading = follow(chain)
    reading.look()
    chain.end(3).close()
    reading.look()
    assert reading.state.phase is Phase.PROPOSING


def test_reading_asks_again_for_a_state_it_did_not_get() -> None:
    chain = Chain().start().submit(1, 2)
    ledger, reading = follow(chain)
    reading.look()
    chain.submit(3).close()
    ledger.is_state_away = True
    with pytest.raises(LedgerUnavailableError):
        reading.look()
    ledger.is_state_away = False
    reading.look()
    assert reading.state.phase is Phase.PROPOSING
    assert reading.history.events == chain.log


@pytest.mark.parametrize("dropped", [0, 2])
def test_reading_starts_again_when_the_chain_went_back_or_aside(dropped: int) -> None:
    chain = Chain().start().submit(1, 2, 3)
    ledger, reading = follow(chain)
    reading.look()
    del chain.log[len(chain.log) - dropped :]
    chain.log[-1] = replace(chain.log[-1], weight=11)  # type: ignore[call-arg]
    ledger.fork = 1
    reading.look()
    assert reading.history.events == chain.log


def test_reading_starts_again_when_events_do_not_follow_on() -> None:
    chain = Chain().start()
    _, reading = follow(chain)
    reading.look()
    chain.state = replace(chain.state, attempt=2)
    chain.submit(1)
    with pytest.raises(HeadMovedError):
        reading.look()
    del chain.log[-1]
    reading.look()
    assert reading.history.events == chain.log


def test_reading_never_tells_a_time_before_the_chains() -> None:
    ledger, reading = follow(Chain())
    ledger.timestamp = int(time.time()) + 1_000
    reading.look()
    assert reading.now >= ledger.timestamp


def test_node_imports_neither_torch_nor_web3() -> None:
    check = (
        "import sys, fednet.node; print(sorted({'torch', 'web3', 'click'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"

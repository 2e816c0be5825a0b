"""Logs that no honest contract of ours wrote."""

from __future__ import annotations

import pytest

from fednet.domain import events as ev
from fednet.domain.events import Log
from fednet.domain.identity import ZERO_DIGEST, Digest
from fednet.domain.running_hash import extend_running_hash, running_hash_of
from fednet.errors import LedgerError
from fednet.ledger import abi, codec

CONTRACT = codec.to_address("0x" + "11" * 20)


def log_of(topics: tuple[bytes, ...], data: bytes) -> Log:
    return Log(1, 0, ZERO_DIGEST, CONTRACT, topics, data)


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_text_that_is_no_utf8_does_not_hide_the_event() -> None:
    types = ["bytes", "bytes32", "bytes32", "bytes"]
    data = abi.encode(types, [b"\xff\xfe", bytes(32), bytes(32), b""])
    topics = (codec.topic_of(ev.SiteApplied), word(1), word(2))
    event = codec.read_event(log_of(topics, data))
    assert isinstance(event, ev.SiteApplied)
    assert event.name == "\ufffd\ufffd"


def test_unknown_event_of_a_module_is_kept_for_the_running_hash() -> None:
    event = codec.read_run_event(log_of((b"\7" * 32, word(5)), b"data"))
    assert type(event) is ev.RunEvent
    assert event.run == 5
    assert codec.read_event(event.log) is None
    assert codec.read_event(log_of((), b"")) is None


def test_data_that_does_not_fit_is_a_ledger_error() -> None:
    with pytest.raises(LedgerError):
        codec.read_event(log_of((codec.topic_of(ev.RunCompleted), word(1)), b"\1"))
    with pytest.raises(LedgerError):
        codec.read_log({"blockNumber": "0x1"})


def test_running_hash_depends_on_order_and_content() -> None:
    one, two = log_of((b"\1" * 32,), b"one"), log_of((b"\2" * 32,), b"two")
    assert running_hash_of([]) == ZERO_DIGEST
    assert running_hash_of([one, two]) != running_hash_of([two, one])
    assert running_hash_of([one, two]) == extend_running_hash(
        extend_running_hash(ZERO_DIGEST, one), two
    )
    assert Digest(running_hash_of([one]))[26:] == bytes(6)

from __future__ import annotations

import io

import pytest

from fednet.errors import MalformedBlobError, TaskError, TrainingError
from fednet.learning import wire


def test_frame_reads_back() -> None:
    parts = wire.pack({"do": "train", "rate": "0.1"}, b"payload")
    assert wire.read_frame(io.BytesIO(b"".join(parts))) == (
        {"do": "train", "rate": "0.1"},
        b"payload",
    )
    assert wire.read_frame(io.BytesIO(b"")) is None


def test_lengths_above_their_caps_are_refused() -> None:
    too_long = (wire.MAX_MESSAGE_BYTES + 1).to_bytes(8, "little") + bytes(8)
    too_much = bytes(8) + (101).to_bytes(8, "little")
    for head in (too_long, too_much):
        with pytest.raises(MalformedBlobError):
            wire.unpack_lengths(head, 100)
    assert wire.unpack_lengths(bytes(8) + (100).to_bytes(8, "little"), 100) == (0, 100)


@pytest.mark.parametrize("value", [None, 1, "nan", "inf", "1e999", "one", "1" * 500, ["1"]])
def test_number_refuses_everything_else(value: object) -> None:
    with pytest.raises(TaskError):
        wire.number({"loss": value}, "loss")


@pytest.mark.parametrize("value", [None, -1, 1 << 63, "1", True, 1.0])
def test_count_refuses_everything_else(value: object) -> None:
    with pytest.raises(TaskError):
        wire.count({"examples": value}, "examples")


def test_numbers_refuses_too_many_and_long_names() -> None:
    for value in ({str(n): "1" for n in range(101)}, {"x" * 101: "1"}, {"x": "nan"}, None):
        with pytest.raises(TaskError):
            wire.numbers({"metrics": value}, "metrics")
    assert wire.numbers({"metrics": {"b": "2", "a": "0.5"}}, "metrics") == {"a": 0.5, "b": 2.0}


def test_real_text_refuses_what_is_not_finite() -> None:
    assert wire.real_text(0.1, "loss") == "0.1"
    with pytest.raises(TrainingError):
        wire.real_text(float("nan"), "loss")


def test_plain_text_cannot_steer_a_terminal() -> None:
    assert wire.plain_text("a\x1b[2J\n b\u202e") == "a?[2J b?"
    assert len(wire.plain_text("x" * 10_000)) == 600

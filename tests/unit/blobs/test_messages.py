"""Topics and messages in the RPC's own writing; a long line is passed over, not kept."""

from __future__ import annotations

import json

import pytest

from fednet.blobs.multibase import decode_multibase, encode_multibase
from fednet.blobs.rpc import _messages


def line(data: bytes) -> bytes:
    return json.dumps({"from": "12D3", "data": encode_multibase(data)}).encode() + b"\n"


@pytest.mark.parametrize(
    ("data", "text"), [(b"", "u"), (b"f", "uZg"), (b"\xfb\xff", "u-_8"), (b"yes", "ueWVz")]
)
def test_multibase_is_base64url_without_padding(data: bytes, text: str) -> None:
    assert encode_multibase(data) == text
    assert decode_multibase(text) == data


@pytest.mark.parametrize("text", ["", "Zg", "mZg", "uZ!g", "uZ"])
def test_other_multibase_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (whatever the text is)
        decode_multibase(text)


def test_messages_are_read_across_blocks_and_rubbish_between_them_is_passed_over() -> None:
    stream = line(b"one") + b"rubbish\n[1]\n{}\n" + line(b"two")
    for size in (1, 7, len(stream)):
        blocks = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert list(_messages(iter(blocks))) == [b"one", b"two"]


def test_a_long_line_costs_its_own_message_only() -> None:
    stream = line(b"one") + line(bytes(20_000)) + line(b"two")
    for size in (1_000, len(stream)):
        blocks = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert list(_messages(iter(blocks))) == [b"one", b"two"]

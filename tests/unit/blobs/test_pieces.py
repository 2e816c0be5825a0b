from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fednet.blobs import pieces
from fednet.blobs.cid import cid_of, locate_bytes
from fednet.blobs.pieces import PIECE_SIZE_BYTES, parse, scan
from fednet.domain import canonical
from fednet.domain.identity import Commitment
from fednet.errors import MalformedBlobError, StoreError

CID = "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"
SHA = "ab" * 32


def entry(**changes: object) -> dict[str, object]:
    return {"cid": CID, "sha256": SHA, "size_bytes": 7} | changes


def encoded(**changes: object) -> bytes:
    value = {"format": "fednet-pieces/1", "pieces": [entry()], "size_bytes": 7} | changes
    return canonical.encode(value)


def test_scan_names_pieces_and_the_whole(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096 * 17
    path = tmp_path / "blob"
    path.write_bytes(data)
    listed, commitment = scan(path)
    head, tail = data[:PIECE_SIZE_BYTES], data[PIECE_SIZE_BYTES:]
    assert commitment == Commitment.of(data)
    assert [piece.size_bytes for piece in listed.pieces] == [len(head), len(tail)]
    assert [piece.locator for piece in listed.pieces] == [locate_bytes(head), locate_bytes(tail)]
    assert [piece.commitment for piece in listed.pieces] == [
        Commitment(hashlib.sha256(part).digest()) for part in (head, tail)
    ]
    assert parse(listed.encode(), len(data), "list") == listed


def test_piece_list_has_one_byte_form(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"abc")
    listed, _ = scan(path)
    assert listed.encode() == (
        b'{"format":"fednet-pieces/1","pieces":[{"cid":"'
        + cid_of(locate_bytes(b"abc")).encode()
        + b'","sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",'
        + b'"size_bytes":3}],"size_bytes":3}'
    )


def test_scan_refuses_an_empty_blob(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with pytest.raises(StoreError, match="empty"):
        scan(path)


def test_scan_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot read"):
        scan(tmp_path)


def test_parse_accepts_what_it_should() -> None:
    assert parse(encoded(), 7, "list").size_bytes == 7


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        encoded()[:-1],
        encoded() + b"\n",
        encoded().replace(b":7", b": 7"),
        encoded().replace(b":7}]", b":7.0}]"),
        encoded(format="fednet-pieces/2"),
        encoded(extra=1),
        encoded(pieces=[]),
        encoded(pieces="x"),
        encoded(pieces=[[]]),
        encoded(pieces=[entry(extra=1)]),
        encoded(pieces=[entry(cid=1)]),
        encoded(pieces=[entry(cid="Qm")]),
        encoded(pieces=[entry(sha256="AB" * 32)]),
        encoded(pieces=[entry(sha256="ab" * 31)]),
        encoded(pieces=[entry(sha256="xy" * 32)]),
        encoded(pieces=[entry(sha256="0x" + "ab" * 32)]),
        encoded(pieces=[entry(size_bytes=0)], size_bytes=0),
        encoded(pieces=[entry(size_bytes=-7)], size_bytes=-7),
        encoded(pieces=[entry(size_bytes=True)], size_bytes=1),
        encoded(pieces=[entry(size_bytes=PIECE_SIZE_BYTES + 1)], size_bytes=PIECE_SIZE_BYTES + 1),
        encoded(pieces=[entry(), entry()], size_bytes=14),
        encoded(size_bytes=6),
        encoded(size_bytes="7"),
        encoded(size_bytes=8),
    ],
)
def test_parse_refuses_every_other_form(data: bytes) -> None:
    with pytest.raises(MalformedBlobError):
        parse(data, 100_000_000, "list")


def test_parse_refuses_a_blob_over_the_cap() -> None:
    with pytest.raises(MalformedBlobError) as caught:
        parse(encoded(), 6, "list")
    assert caught.value.actual == 7


def test_parse_refuses_a_long_list_before_reading_it() -> None:
    with pytest.raises(MalformedBlobError, match="too large"):
        parse(b"x" * (pieces.LIST_SIZE_CAP_BYTES + 1), 7, "list")

from __future__ import annotations

import io

import pytest
from ipfshttpclient import multipart

from fednet.blobs.embedded.multipart import BodyError, body_blocks, files

KIND = 'multipart/form-data; boundary="xyz"'
BODY = (
    b'--xyz\r\nContent-Disposition: form-data; filename="a%20b"\r\n\r\none\r\n'
    b"--xyz\r\nContent-Type: x\r\n\r\n\r\n--xyz--\r\n"
)


def read(body: bytes, step: int = 7, cap: int = 100) -> list[tuple[str, bytes]]:
    blocks = (body[i : i + step] for i in range(0, len(body), step))
    return [(name, bytes(data)) for name, data in files(blocks, KIND, cap)]


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_files_are_read_however_the_body_is_cut(step: int) -> None:
    assert read(BODY, step) == [("a b", b"one"), ("", b"")]


def test_files_read_what_the_client_writes() -> None:
    stream = multipart.FilesStream([io.BytesIO(b"\r\n--x" * 99), io.BytesIO(b"2")])
    found = files(iter(list(stream.body())), stream.headers()["Content-Type"], 10_000)
    assert [bytes(data) for _, data in found] == [b"\r\n--x" * 99, b"2"]


def test_files_refuse_a_part_over_the_cap() -> None:
    with pytest.raises(BodyError, match="over 2 bytes"):
        read(BODY, cap=2)


@pytest.mark.parametrize("length", range(len(BODY) - 4))
def test_files_refuse_a_body_cut_short(length: int) -> None:
    with pytest.raises(BodyError):
        read(BODY[:length])


def test_files_refuse_another_kind_of_body() -> None:
    with pytest.raises(BodyError):
        list(files(iter([b""]), "application/json", 10))


def test_chunked_body_is_joined() -> None:
    stream = io.BytesIO(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\nnext")
    assert b"".join(body_blocks(stream, None, "chunked")) == b"abcde"
    assert stream.read() == b"next"


@pytest.mark.parametrize("raw", [b"", b"zz\r\n", b"3\r\nab", b"3\r\nabcde\r\n0\r\n\r\n"])
def test_chunked_body_refuses_broken_framing(raw: bytes) -> None:
    with pytest.raises(BodyError):
        list(body_blocks(io.BytesIO(raw), None, "chunked"))

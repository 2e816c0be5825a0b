import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from fednet.domain import canonical
from fednet.domain.identity import Commitment
from fednet.domain.tensors import (
    Layout,
    TensorSpec,
    decode_tensors,
    encode_tensors,
    require_same_layout,
)
from fednet.errors import MalformedBlobError, ShapeMismatchError

ARRAYS = {
    "layer.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "bias": np.array([0.5, -1.0], dtype=np.float32),
    "scale": np.float32(2.0).reshape(()),
}
METADATA: dict[str, object] = {"format": "test/1", "n": 7}
DATA = encode_tensors(ARRAYS, METADATA)


def with_header(header: object, body: bytes = b"") -> bytes:
    text = canonical.encode(header)
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


def spec(**changes: object) -> dict[str, object]:
    return {"data_offsets": [0, 4], "dtype": "F32", "shape": [1]} | changes


META = {"__metadata__": {"fednet": "{}"}}


def test_encode_has_the_pinned_bytes() -> None:
    assert (
        str(Commitment.of(DATA))
        == "6f773a3f999ae1307d5d175489958f5287d6f5e30ac89158268b22ba72c5a215"
    )


def test_decode_reads_back_what_encode_wrote() -> None:
    arrays, metadata = decode_tensors(DATA, "file")
    assert metadata == METADATA
    assert all(np.array_equal(arrays[name], ARRAYS[name]) for name in ARRAYS)


def test_safetensors_reads_the_same_tensors() -> None:
    arrays = safetensors.numpy.load(DATA)
    assert arrays.keys() == ARRAYS.keys()
    assert all(np.array_equal(arrays[name], ARRAYS[name]) for name in ARRAYS)


def test_encode_refuses_another_dtype() -> None:
    with pytest.raises(TypeError):
        encode_tensors({"a": np.zeros(1)}, {})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        DATA[:5],
        DATA[:40],
        DATA[:-1],
        DATA + b"\0",
        b"\xff" * 8 + DATA[8:],
        with_header(META),
        with_header(META | {"a": spec(dtype="F16")}, bytes(4)),
        with_header(META | {"a": spec(shape=[0])}, bytes(4)),
        with_header(META | {"a": spec(shape=[-1])}, bytes(4)),
        with_header(META | {"a": spec(shape=[True])}, bytes(4)),
        with_header(META | {"a": spec(shape=[1] * 9)}, bytes(4)),
        with_header(META | {"a": spec(data_offsets=[0, 8])}, bytes(8)),
        with_header(META | {"a": spec(data_offsets=[4, 8])}, bytes(8)),
        with_header(META | {"a": spec(extra=1)}, bytes(4)),
        with_header(META | {"": spec()}, bytes(4)),
        with_header({"a": spec()}, bytes(4)),
        with_header({"__metadata__": {"fednet": "{ }"}, "a": spec()}, bytes(4)),
        with_header({"__metadata__": {"other": "{}"}, "a": spec()}, bytes(4)),
        safetensors.numpy.save({"a": np.zeros(1, np.float32)}),
        b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00pickle",
    ],
)
def test_decode_refuses_what_is_not_canonical(data: bytes) -> None:
    with pytest.raises(MalformedBlobError):
        decode_tensors(data, "file")


@given(st.binary(max_size=200))
def test_decode_never_fails_otherwise(data: bytes) -> None:
    with pytest.raises(MalformedBlobError):
        decode_tensors(data, "file")


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_decode_survives_any_changed_byte(position: int, change: int) -> None:
    altered = bytearray(DATA)
    altered[position] ^= change
    try:
        arrays, metadata = decode_tensors(bytes(altered), "file")
    except MalformedBlobError:
        return
    assert encode_tensors(arrays, metadata) == bytes(altered)


@pytest.mark.parametrize(
    "other",
    [
        Layout((TensorSpec("a", (2,)),)),
        Layout((TensorSpec("a", (1,)), TensorSpec("b", (1,)))),
        Layout((TensorSpec("b", (1,)),)),
    ],
)
def test_require_same_layout_names_the_tensor(other: Layout) -> None:
    with pytest.raises(ShapeMismatchError):
        require_same_layout(Layout((TensorSpec("a", (1,)),)), other, "update")

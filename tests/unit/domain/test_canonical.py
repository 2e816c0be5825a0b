import pytest
from hypothesis import given
from hypothesis import strategies as st

from fednet.domain import canonical
from fednet.errors import MalformedBlobError

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_encode_sorts_keys_and_leaves_out_white_space() -> None:
    assert (
        canonical.encode({"b": 1, "a": [True, None, "ä"]}) == '{"a":[true,null,"ä"],"b":1}'.encode()
    )


@given(values)
def test_decode_reads_back_what_encode_wrote(value: object) -> None:
    try:
        data = canonical.encode(value)
    except UnicodeEncodeError:  # a lone surrogate is no text
        return
    assert canonical.decode(data, "value") == value


@pytest.mark.parametrize(
    "spelling",
    [
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b"1.5",
        b"1e3",
        b"NaN",
        b"Infinity",
        b"\xff",
        b"",
        b"01",
        b'"\\u0041"',
        b"[" * 2000 + b"]" * 2000,
        b"[" * 40 + b"]" * 40,
    ],
)
def test_decode_refuses_every_other_spelling(spelling: bytes) -> None:
    with pytest.raises(MalformedBlobError):
        canonical.decode(spelling, "value")


def test_encode_refuses_a_float() -> None:
    with pytest.raises(TypeError):
        canonical.encode({"a": 0.1})


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), ("1.50", "1.5"), (-0.0, "0"), (3, "3"), ("1e3", "1000"), (1e-7, "0.0000001")],
)
def test_decimal_text_has_one_form(value: float | str, text: str) -> None:
    assert canonical.decimal_text(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "abc", ""])
def test_decimal_text_refuses_what_is_no_number(value: float | str) -> None:
    with pytest.raises(ValueError, match="not a"):
        canonical.decimal_text(value)


BOMBS = ["1E+999999999", "1e9999999999999999", "-1E+401", "1E-999999999", "1." + "0" * 401]


@pytest.mark.parametrize("bomb", BOMBS)
def test_decimal_text_never_writes_out_what_would_fill_the_memory(bomb: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        canonical.decimal_text(bomb)


@pytest.mark.parametrize("value", [1.7976931348623157e308, -5e-324])
def test_decimal_text_writes_every_float(value: float) -> None:
    assert float(canonical.decimal_text(value)) == value

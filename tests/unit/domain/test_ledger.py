import pytest
from hypothesis import given
from hypothesis import strategies as st

from fednet.domain.ledger import Inclusion, pack_inclusion, turn_position, unpack_inclusion


@given(st.dictionaries(st.integers(0, 40), st.sampled_from(Inclusion)))
def test_inclusion_reads_back_as_packed(verdicts: dict[int, Inclusion]) -> None:
    assert unpack_inclusion(pack_inclusion(verdicts), verdicts) == verdicts


def test_inclusion_puts_the_first_position_lowest() -> None:
    verdicts = {0: Inclusion.INCLUDED, 1: Inclusion.INVALID, 4: Inclusion.UNAVAILABLE}
    assert pack_inclusion(verdicts) == bytes([0b1000, 0b11])


def test_inclusion_of_every_submission_takes_no_bytes() -> None:
    assert (
        pack_inclusion({}) == pack_inclusion(dict.fromkeys(range(1_000), Inclusion.INCLUDED)) == b""
    )


@pytest.mark.parametrize(
    ("packed", "what"),
    [
        (b"\0", "a trailing zero byte"),
        (b"\x02\0", "a trailing zero byte"),
        (b"\x01", "the unused code"),
        (b"\x08", "a position that did not submit"),
        (b"\0\x02", "a position beyond the roster"),
        (b"\0" * 100_000 + b"\x02", "a position far beyond the roster"),
    ],
)
def test_malformed_inclusion_is_refused(packed: bytes, what: str) -> None:
    assert unpack_inclusion(packed, {0, 2}) is None, what


def test_turn_passes_on_with_every_proposal() -> None:
    assert [turn_position(1, 1, proposal, 4) for proposal in (1, 2, 3)] == [3, 0, 1]

from hypothesis import given
from hypothesis import strategies as st

from fednet.domain.ledger import Inclusion, pack_inclusion, turn_position, unpack_inclusion


@given(st.lists(st.sampled_from(Inclusion), min_size=1, max_size=40))
def test_inclusion_reads_back_as_packed(verdicts: list[Inclusion]) -> None:
    by_position = dict(enumerate(verdicts))
    packed = pack_inclusion(by_position, len(verdicts))
    assert len(packed) == (len(verdicts) + 3) // 4
    assert unpack_inclusion(packed, len(verdicts)) == by_position


def test_inclusion_puts_the_first_position_lowest() -> None:
    verdicts = {0: Inclusion.INCLUDED, 1: Inclusion.INVALID, 4: Inclusion.UNAVAILABLE}
    assert pack_inclusion(verdicts, 5) == bytes([0b1001, 0b11])


def test_inclusion_of_another_length_is_refused() -> None:
    assert unpack_inclusion(b"\0\0", 4) is None


def test_inclusion_beyond_the_roster_is_refused() -> None:
    assert unpack_inclusion(bytes([0b01000000]), 3) is None


def test_turn_passes_on_with_every_proposal() -> None:
    assert [turn_position(1, 1, proposal, 4) for proposal in (1, 2, 3)] == [3, 0, 1]

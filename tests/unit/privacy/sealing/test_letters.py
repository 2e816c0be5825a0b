"""Letters: whom they reach, that they have one spelling, and who can be fooled by none."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from fednet.domain.identity import SiteId
from fednet.errors import SettingsError, UnsealingError
from fednet.privacy.sealing import ContentKey, Member, Recipients, hpke
from fednet.privacy.sealing.letters import (
    MOST_RECIPIENTS,
    WRAP_SIZE_BYTES,
    read_letter,
    verify_letter,
    write_letter,
)
from fednet.privacy.sealing.place import BlobPlace
from tests.unit.privacy.sealing.members import (
    ATTEMPT,
    KEY,
    MEMBERS,
    OTHER_PLACES,
    PLACE,
    elsewhere,
    member,
    recipients,
)

LETTER = write_letter(KEY, PLACE, MEMBERS)
OTHER_KEY = ContentKey(bytes(32))


@pytest.mark.parametrize("site", [1, 3, 7])
def test_letter_reaches_every_member(site: int) -> None:
    assert read_letter(LETTER, PLACE, MEMBERS, member(site)) == KEY


def test_letter_has_one_spelling() -> None:
    unsorted = Recipients.of({SiteId(s): member(s).public_key for s in (7, 1, 3)})
    assert unsorted == MEMBERS
    assert write_letter(KEY, PLACE, unsorted) == LETTER


@pytest.mark.parametrize(("count", "size"), [(1, 80), (10, 512), (50, 2_432)])
def test_letter_is_small(count: int, size: int) -> None:
    many = recipients(range(1, count + 1))
    assert many.letter_size_bytes == size
    assert len(write_letter(KEY, PLACE, many)) == size


@given(st.integers(0, len(LETTER) - 1), st.integers(1, 255), st.sampled_from([1, 3, 7]))
def test_letter_with_any_byte_changed_is_refused(at: int, change: int, site: int) -> None:
    altered = bytearray(LETTER)
    altered[at] ^= change
    with pytest.raises(UnsealingError):
        read_letter(bytes(altered), PLACE, MEMBERS, member(site))
    with pytest.raises(UnsealingError):
        verify_letter(bytes(altered), KEY, PLACE, MEMBERS)


def test_letter_that_wraps_another_key_for_one_member_counts_for_nobody() -> None:
    seed = KEY.expand(PLACE.bind("letter", MEMBERS.digest))
    info = PLACE.bind("wrap", MEMBERS.digest)
    public = MEMBERS.keys[2][1]
    false_wrap = hpke.seal(hpke.derive_key_pair(seed), public, info, OTHER_KEY.secret)
    altered = LETTER[:-WRAP_SIZE_BYTES] + false_wrap
    for site in (1, 3, 7):
        with pytest.raises(UnsealingError) as caught:
            read_letter(altered, PLACE, MEMBERS, member(site))
        assert "another key for some member" in caught.value.hint


@pytest.mark.parametrize("place", OTHER_PLACES, ids=str)
def test_letter_belongs_to_its_place(place: BlobPlace) -> None:
    with pytest.raises(UnsealingError) as caught:
        read_letter(LETTER, place, MEMBERS, member(1))
    assert caught.value.subject == str(place)


def test_letter_belongs_to_its_members() -> None:
    for others in (recipients([1, 3, 8]), recipients([1, 3]), recipients([1, 2, 3, 7])):
        with pytest.raises(UnsealingError):
            read_letter(LETTER, PLACE, others, member(1))


@pytest.mark.parametrize("size", [0, 1, 31, 32, len(LETTER) - 1, len(LETTER) + 1])
def test_letter_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(UnsealingError) as caught:
        read_letter((LETTER + b"\0")[:size], PLACE, MEMBERS, member(1))
    assert caught.value.actual == f"{size} bytes"


def test_letter_names_the_key_that_it_was_sealed_for() -> None:
    fresh = member(3, generation=2)
    with pytest.raises(UnsealingError) as caught:
        read_letter(LETTER, PLACE, MEMBERS, fresh)
    assert caught.value.expected == member(3).public_key.hex()
    assert caught.value.actual == fresh.public_key.hex()


def test_letter_is_for_members_only() -> None:
    with pytest.raises(UnsealingError) as caught:
        read_letter(LETTER, PLACE, MEMBERS, member(4))
    assert caught.value.subject == "site 4"


def test_stranger_in_a_members_name_opens_nothing() -> None:
    stranger = Member(SiteId(3), X25519PrivateKey.generate())
    with pytest.raises(UnsealingError):
        read_letter(LETTER, PLACE, MEMBERS, stranger)


def test_revoked_member_cannot_open_the_next_epoch() -> None:
    next_place, remaining = elsewhere(round=3), recipients([1, 3])
    next_key = ContentKey.generate()
    letter = write_letter(next_key, next_place, remaining)
    revoked = member(7)
    assert read_letter(letter, next_place, remaining, member(1)) == next_key
    with pytest.raises(UnsealingError):
        read_letter(letter, next_place, remaining, revoked)
    # Nor by trying its key on the others' wraps, nor by the key of the round before.
    info = next_place.bind("wrap", remaining.digest)
    for start in (32, 32 + WRAP_SIZE_BYTES):
        wrap = letter[start : start + WRAP_SIZE_BYTES]
        with pytest.raises(UnsealingError):
            hpke.unseal(revoked.private, letter[:32], info, wrap, "another's wrap")
    with pytest.raises(UnsealingError):
        verify_letter(letter, KEY, next_place, remaining)


def test_unusable_keys_are_left_out_and_named() -> None:
    some = Recipients.of({SiteId(1): member(1).public_key, SiteId(2): bytes(32)})
    assert some.unreachable == (2,)
    assert some == Recipients(((SiteId(1), member(1).public_key),), (SiteId(2),))
    assert read_letter(write_letter(KEY, PLACE, some), PLACE, some, member(1)) == KEY


@pytest.mark.parametrize("registered", [{}, {SiteId(1): bytes(32)}], ids=["nobody", "unusable"])
def test_nobody_can_be_sealed_for(registered: dict[SiteId, bytes]) -> None:
    with pytest.raises(SettingsError) as caught:
        Recipients.of(registered)
    assert caught.value.actual == 0


def test_too_many_recipients_are_refused() -> None:
    key = member(1).public_key
    with pytest.raises(SettingsError) as caught:
        Recipients.of({SiteId(site): key for site in range(1, MOST_RECIPIENTS + 2)})
    assert caught.value.actual == MOST_RECIPIENTS + 1


@pytest.mark.parametrize("kind", ["", "Update", "1st", "a b", "x" * 33, "état"])
def test_kind_is_a_short_word(kind: str) -> None:
    with pytest.raises(ValueError, match="not a kind"):
        BlobPlace(ATTEMPT, SiteId(1), kind)


def test_keys_are_never_printed() -> None:
    assert KEY.secret.hex() not in repr(KEY)
    assert str(list(KEY.secret)) not in repr(KEY)
    assert repr(KEY) == "ContentKey()"


@pytest.mark.parametrize("size", [0, 31, 33])
def test_key_has_one_size(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        ContentKey(bytes(size))


def test_combined_key_needs_every_part() -> None:
    parts = [ContentKey(bytes([n]) * 32) for n in range(3)]
    whole = ContentKey.combine(parts, PLACE)
    assert whole == ContentKey.combine(iter(parts), PLACE)
    others = [
        ContentKey.combine(parts[:2], PLACE),
        ContentKey.combine(parts[::-1], PLACE),
        ContentKey.combine(parts, elsewhere(round=3)),
        *parts,
    ]
    assert whole not in others
    assert len({key.secret for key in others}) == len(others)
    with pytest.raises(ValueError, match="no key"):
        ContentKey.combine([], PLACE)

"""Sealed files: they come back, nothing of them can be changed, and nothing half-open is left."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fednet.domain.blobs import FileSpan
from fednet.domain.identity import Commitment
from fednet.errors import SettingsError, UnsealingError
from fednet.privacy.sealing import (
    BlobPlace,
    ContentKey,
    find_key,
    seal,
    sealed_size_bytes,
    unseal,
)
from fednet.privacy.sealing import files as files_module
from fednet.privacy.sealing.chunks import CHUNK_SIZE_BYTES, TAG_SIZE_BYTES, seal_chunks
from tests.unit.privacy.sealing.members import (
    KEY,
    MEMBERS,
    OTHER_PLACES,
    PLACE,
    elsewhere,
    member,
    recipients,
)

C = CHUNK_SIZE_BYTES
HEAD = MEMBERS.letter_size_bytes + 32
SIZES = [0, 1, C - 1, C, C + 1, 2 * C, 3 * C + 5]


def content(size: int) -> bytes:
    return (b"fednet " * (size // 7 + 1))[:size]


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    return sealed_file(tmp_path, content(2 * C + 100))


def sealed_file(folder: Path, data: bytes, key: ContentKey = KEY) -> Path:
    source, target = folder / "clear", folder / "sealed"
    source.write_bytes(data)
    seal(source, target, key, PLACE, MEMBERS)
    source.unlink()
    return target


def require_refused(path: Path, place: BlobPlace = PLACE, **changes: Any) -> UnsealingError:
    """Make sure that nothing is opened and nothing is left; return the error."""
    target = path.with_name("opened")
    before = sorted(path.parent.iterdir())
    key, members = changes.get("key", KEY), changes.get("members", MEMBERS)
    with pytest.raises(UnsealingError) as caught:
        unseal(path, target, key, place, members)
    assert sorted(path.parent.iterdir()) == before
    assert caught.value.hint or caught.value.expected
    return caught.value


@pytest.mark.parametrize("size", SIZES)
def test_file_comes_back_to_every_member(tmp_path: Path, size: int) -> None:
    source, target, opened = tmp_path / "clear", tmp_path / "sealed", tmp_path / "opened"
    source.write_bytes(content(size))
    written = seal(source, target, KEY, PLACE, MEMBERS)
    assert written.size_bytes == target.stat().st_size == sealed_size_bytes(size, MEMBERS)
    assert written.commitment == Commitment.of(target.read_bytes())
    for site in (1, 3, 7):
        key = find_key(target, PLACE, MEMBERS, member(site))
        back = unseal(target, opened, key, PLACE, MEMBERS)
        assert opened.read_bytes() == content(size)
        assert back.commitment == Commitment.of(content(size))
        assert back.size_bytes == size


def test_files_are_private_and_alone(tmp_path: Path, sealed: Path) -> None:
    opened = tmp_path / "opened"
    unseal(sealed, opened, KEY, PLACE, MEMBERS)
    assert sorted(tmp_path.iterdir()) == [opened, sealed]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_sealing_again_gives_the_same_bytes(tmp_path: Path, sealed: Path) -> None:
    first = sealed.read_bytes()
    assert sealed_file(tmp_path, content(2 * C + 100)).read_bytes() == first


def test_another_content_shares_no_key_stream(tmp_path: Path) -> None:
    data = content(C + 9)
    first = sealed_file(tmp_path, data).read_bytes()
    second = sealed_file(tmp_path, data[:-1] + b"!").read_bytes()
    assert first[: HEAD - 32] == second[: HEAD - 32]  # one key, one letter
    assert first[HEAD - 32 : HEAD] != second[HEAD - 32 : HEAD]
    assert not equal_bytes_expected_by_chance(first[HEAD : HEAD + C], second[HEAD : HEAD + C])


def equal_bytes_expected_by_chance(one: bytes, two: bytes) -> bool:
    """Tell whether more bytes are equal than 256 in 65,536, plus six standard deviations."""
    return sum(a == b for a, b in zip(one, two, strict=True)) > len(one) / 256 + 6 * 16


def test_place_and_key_give_other_bytes_throughout(tmp_path: Path) -> None:
    source, target = tmp_path / "clear", tmp_path / "sealed"
    source.write_bytes(content(5_000))
    everything = [(KEY, PLACE), (ContentKey(bytes(32)), PLACE), *((KEY, p) for p in OTHER_PLACES)]
    seen = set()
    for key, place in everything:
        seal(source, target, key, place, MEMBERS)
        data = target.read_bytes()
        seen.update((data[:32], data[32:80], data[HEAD - 32 : HEAD], data[HEAD:]))
    assert len(seen) == 4 * len(everything)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[int, bytes]:
    folder = tmp_path_factory.mktemp("samples")
    return {size: sealed_file(folder, content(size)).read_bytes() for size in (0, 1, C, C + 77)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), size=st.sampled_from([0, 1, C, C + 77]))
def test_file_with_any_byte_changed_is_refused(
    tmp_path: Path, samples: dict[int, bytes], data: Any, size: int
) -> None:
    altered = bytearray(samples[size])
    edges = [0, 31, 32, HEAD - 33, HEAD - 32, HEAD - 1, HEAD, len(altered) - 16, len(altered) - 1]
    at = data.draw(st.one_of(st.sampled_from(edges), st.integers(0, len(altered) - 1)))
    altered[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "sealed"
    path.write_bytes(altered)
    require_refused(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.data())
def test_file_of_another_length_is_refused(
    tmp_path: Path, samples: dict[int, bytes], data: Any
) -> None:
    whole, path = samples[C + 77], tmp_path / "sealed"
    chunk = C + TAG_SIZE_BYTES
    edges = [0, 1, 32, HEAD - 32, HEAD, HEAD + 1, HEAD + 16, HEAD + chunk, len(whole) - 1]
    keep = data.draw(st.one_of(st.sampled_from(edges), st.integers(0, len(whole) - 1)))
    path.write_bytes(whole[:keep])
    require_refused(path)
    path.write_bytes(whole + data.draw(st.binary(min_size=1, max_size=40)))
    require_refused(path)


def chunks_of(path: Path) -> tuple[bytes, list[bytes]]:
    data, size = path.read_bytes(), C + TAG_SIZE_BYTES
    return data[:HEAD], [data[at : at + size] for at in range(HEAD, len(data), size)]


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([1, 0, 2], "does not open with this key in this place"),
        ([0, 0, 2], "does not open with this key in this place"),
        ([0, 1], "the sealed bytes are cut short"),
        ([0], "the sealed bytes are cut short"),
        ([], "the sealed bytes are cut short"),
        ([0, 2], "does not open with this key in this place"),
        ([1, 2], "does not open with this key in this place"),
    ],
    ids=str,
)
def test_chunks_keep_their_order(sealed: Path, order: list[int], message: str) -> None:
    head, chunks = chunks_of(sealed)
    sealed.write_bytes(head + b"".join(chunks[at] for at in order))
    assert require_refused(sealed).message == message


def test_nothing_follows_the_last_chunk(tmp_path: Path) -> None:
    path = sealed_file(tmp_path, content(2 * C))
    head, chunks = chunks_of(path)
    path.write_bytes(head + b"".join([*chunks, chunks[0]]))
    assert require_refused(path).message == "the sealed bytes go on after their end"


def test_chunks_of_another_blob_do_not_fit(tmp_path: Path) -> None:
    head, _ = chunks_of(sealed_file(tmp_path, content(2 * C)))
    _, others = chunks_of(sealed_file(tmp_path, content(2 * C - 1) + b"!"))
    path = tmp_path / "sealed"
    path.write_bytes(head + b"".join(others))
    assert require_refused(path).message == "does not open with this key in this place"


@pytest.mark.parametrize("place", OTHER_PLACES, ids=str)
def test_file_opens_in_its_place_only(sealed: Path, place: BlobPlace) -> None:
    assert require_refused(sealed, place).subject == str(place)
    with pytest.raises(UnsealingError):
        find_key(sealed, place, MEMBERS, member(1))


@pytest.mark.parametrize("place", OTHER_PLACES, ids=str)
def test_body_under_another_places_letter_is_refused(sealed: Path, place: BlobPlace) -> None:
    """The author itself puts its old bytes behind a letter that is right for another place."""
    from fednet.privacy.sealing.letters import write_letter

    body = sealed.read_bytes()[MEMBERS.letter_size_bytes :]
    sealed.write_bytes(write_letter(KEY, place, MEMBERS) + body)
    assert find_key(sealed, place, MEMBERS, member(1)) == KEY
    assert "chunk 0" in require_refused(sealed, place).subject


def test_file_opens_with_its_key_and_members_only(sealed: Path) -> None:
    require_refused(sealed, key=ContentKey(bytes(32)))
    require_refused(sealed, members=recipients([1, 3]))
    require_refused(sealed, members=recipients([1, 3, 8]))


def test_next_round_is_closed_to_who_left(tmp_path: Path) -> None:
    source, target = tmp_path / "clear", tmp_path / "sealed"
    source.write_bytes(content(100))
    remaining, place = recipients([1, 3]), elsewhere(round=3)
    seal(source, target, ContentKey.generate(), place, remaining)
    with pytest.raises(UnsealingError):
        find_key(target, place, remaining, member(7))
    with pytest.raises(UnsealingError):
        unseal(target, tmp_path / "opened", KEY, place, remaining)  # the key it had before
    assert not (tmp_path / "opened").exists()


def write_by_hand(path: Path, salt: bytes, chunks: Iterator[tuple[bytes, bytes]]) -> None:
    from fednet.privacy.sealing.letters import write_letter

    letter = write_letter(KEY, PLACE, MEMBERS)
    path.write_bytes(letter + salt + b"".join(chunk for _, chunk in chunks))


def test_salt_of_another_content_is_refused(tmp_path: Path) -> None:
    """Its author chose the salt, as it would have to for a blob that two keys open."""
    path, clear = tmp_path / "sealed", tmp_path / "clear"
    clear.write_bytes(b"content")
    salt = bytes(32)
    with clear.open("rb") as file:
        write_by_hand(path, salt, seal_chunks(KEY.stream_key(salt, PLACE), file))
    assert require_refused(path).message == "the salt is not that of the content"


def test_empty_last_chunk_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    data = content(C)
    salt = KEY.salt(Commitment.of(data), PLACE)
    box = ChaCha20Poly1305(KEY.stream_key(salt, PLACE))
    chunks = [
        (b"", box.encrypt(bytes(12), data, None)),
        (b"", box.encrypt(bytes(10) + b"\1\1", b"", None)),
    ]
    write_by_hand(tmp_path / "sealed", salt, iter(chunks))
    assert require_refused(tmp_path / "sealed").message == "ends with an empty chunk"


def test_earlier_file_stays_until_the_new_one_is_whole(tmp_path: Path, sealed: Path) -> None:
    opened = tmp_path / "opened"
    opened.write_bytes(b"earlier")
    data = bytearray(sealed.read_bytes())
    data[-1] ^= 1
    sealed.write_bytes(data)
    require_refused(sealed)
    assert opened.read_bytes() == b"earlier"


def test_file_that_changes_meanwhile_is_not_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "clear"
    source.write_bytes(content(100))
    whole = files_module._hash

    def hash_then_change(path: Path) -> Commitment:
        found = whole(path)
        source.write_bytes(content(99))
        return found

    monkeypatch.setattr(files_module, "_hash", hash_then_change)
    with pytest.raises(SettingsError) as caught:
        seal(source, tmp_path / "sealed", KEY, PLACE, MEMBERS)
    assert caught.value.message == "changed while it was sealed"
    assert list(tmp_path.iterdir()) == [source]


def test_sealed_blob_is_read_inside_an_archive(tmp_path: Path, sealed: Path) -> None:
    data = sealed.read_bytes()
    archive = tmp_path / "archive"
    archive.write_bytes(b"before" + data + b"after")
    span = FileSpan(archive, 6, len(data))
    assert find_key(span, PLACE, MEMBERS, member(7)) == KEY
    unseal(span, tmp_path / "opened", KEY, PLACE, MEMBERS)
    assert (tmp_path / "opened").read_bytes() == content(2 * C + 100)


def test_missing_files_and_folders_are_named(tmp_path: Path, sealed: Path) -> None:
    missing = tmp_path / "missing"
    for act in (
        lambda: seal(missing, tmp_path / "x", KEY, PLACE, MEMBERS),
        lambda: unseal(missing, tmp_path / "x", KEY, PLACE, MEMBERS),
        lambda: find_key(missing, PLACE, MEMBERS, member(1)),
        lambda: seal(tmp_path, tmp_path / "x", KEY, PLACE, MEMBERS),
        lambda: unseal(sealed, missing / "missing", KEY, PLACE, MEMBERS),
    ):
        with pytest.raises(SettingsError) as caught:
            act()
        assert caught.value.subject in {"missing", tmp_path.name}
    assert list(tmp_path.iterdir()) == [sealed]


def test_memory_is_that_of_a_few_chunks(tmp_path: Path) -> None:
    source, target, opened = tmp_path / "clear", tmp_path / "sealed", tmp_path / "opened"
    with source.open("wb") as file:
        file.truncate(16 << 20)
    tracemalloc.start()
    try:
        seal(source, target, KEY, PLACE, MEMBERS)
        unseal(target, opened, KEY, PLACE, MEMBERS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert opened.stat().st_size == 16 << 20
    assert peak < 16 * C

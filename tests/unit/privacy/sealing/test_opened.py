"""What a member opens: by letters, by kept keys, and never after an erasure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fednet.domain.identity import Commitment, SiteId
from fednet.errors import ErasedError, SealedError, SettingsError, UnsealingError
from fednet.privacy.sealing import (
    BlobPlace,
    EncryptionKeys,
    Erasure,
    Keyring,
    KeyStore,
    MemberKeys,
    OpenedBlobs,
    Recipients,
    SealedBlob,
    seal,
)
from fednet.privacy.sealing import opened as opened_module
from tests.unit.privacy.sealing.members import PLACE, elsewhere, member

AUTHOR, READER = PLACE.site, SiteId(7)


class Site:
    """A site with all that it keeps on its disk."""

    def __init__(self, folder: Path, site: SiteId) -> None:
        self.site = site
        self.pairs = EncryptionKeys(folder / "keystores", b"password")
        self.store = KeyStore(folder / "keys", site)
        keys = MemberKeys(self.store, site, self.pairs.holding)
        self.blobs = OpenedBlobs(folder / "opened", keys)


@pytest.fixture
def author(tmp_path: Path) -> Site:
    return Site(tmp_path / "author", AUTHOR)


@pytest.fixture
def reader(tmp_path: Path) -> Site:
    return Site(tmp_path / "reader", READER)


@pytest.fixture
def recipients(author: Site, reader: Site) -> Recipients:
    return Recipients.of({each.site: each.pairs.public_key() for each in (author, reader)})


@pytest.fixture
def blob(tmp_path: Path, author: Site, recipients: Recipients) -> SealedBlob:
    return sealed_by(author, tmp_path / "sealed", PLACE, recipients)


def sealed_by(author: Site, path: Path, place: BlobPlace, recipients: Recipients) -> SealedBlob:
    clear = path.with_name("clear")
    clear.write_bytes(f"the {place}".encode())
    written = seal(clear, path, author.store.obtain(place), place, recipients)
    return SealedBlob(path, written.commitment, place, recipients)


def erasure_of(blob: SealedBlob) -> Erasure:
    return Erasure(blob.commitment, Commitment.of(b"withdrawal"), 1_700_000_000)


def test_reader_and_author_open_the_same(author: Site, reader: Site, blob: SealedBlob) -> None:
    for each in (author, reader):
        path = each.blobs.open(blob)
        assert path.read_bytes() == f"the {PLACE}".encode()
        assert path.stat().st_mode & 0o777 == 0o600


def test_blob_is_opened_once(
    reader: Site, blob: SealedBlob, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = reader.blobs.open(blob)
    monkeypatch.delattr(opened_module, "unseal")
    monkeypatch.delattr(opened_module, "find_key")
    assert reader.blobs.open(blob) == path


def test_kept_key_outlives_the_pair(
    tmp_path: Path, author: Site, reader: Site, recipients: Recipients, blob: SealedBlob
) -> None:
    """What was opened stays readable once the pair is destroyed; what was not never will be."""
    other = sealed_by(author, tmp_path / "other", elsewhere(round=3), recipients)
    path = reader.blobs.open(blob)
    reader.pairs.rotate(lambda _: None)
    assert reader.pairs.destroy_earlier() == 1
    path.unlink()
    assert reader.blobs.open(blob).read_bytes() == f"the {PLACE}".encode()
    with pytest.raises(SettingsError) as caught:
        reader.blobs.open(other)
    assert "not here" in caught.value.message


def test_earlier_pair_opens_what_was_sealed_for_it(reader: Site, blob: SealedBlob) -> None:
    reader.pairs.rotate(lambda _: None)
    assert reader.blobs.open(blob).read_bytes() == f"the {PLACE}".encode()


def test_who_is_no_recipient_is_told_that_it_is_sealed(tmp_path: Path, blob: SealedBlob) -> None:
    stranger = Site(tmp_path / "stranger", SiteId(9))
    stranger.pairs.public_key()
    with pytest.raises(SealedError) as caught:
        stranger.blobs.open(blob)
    assert caught.value.commitment == blob.commitment
    assert list((tmp_path / "stranger" / "opened").iterdir()) == []


@pytest.mark.parametrize("who", ["member", "auditor"])
def test_copied_commitment_opens_in_its_own_place_only(
    tmp_path: Path, reader: Site, blob: SealedBlob, author: Site, who: str
) -> None:
    """Even when the copy has been opened where it belongs, and the key is here."""
    keyring = Keyring({blob.commitment: author.store.obtain(PLACE)})
    blobs = {"member": reader.blobs, "auditor": OpenedBlobs(tmp_path / "audit", keyring)}[who]
    blobs.open(blob)
    for copied in (
        replace(blob, place=elsewhere(site=READER)),
        replace(blob, place=elsewhere(round=3)),
        replace(blob, recipients=Recipients(blob.recipients.keys[1:])),
    ):
        with pytest.raises(UnsealingError):
            blobs.open(copied)
    assert blobs.open(blob).read_bytes() == f"the {PLACE}".encode()


def test_altered_blob_is_neither_opened_nor_its_key_kept(
    tmp_path: Path, reader: Site, blob: SealedBlob
) -> None:
    assert isinstance(blob.file, Path)
    data = bytearray(blob.file.read_bytes())
    data[0] ^= 1
    blob.file.write_bytes(data)
    with pytest.raises(UnsealingError):
        reader.blobs.open(blob)
    assert list((tmp_path / "reader" / "opened").iterdir()) == []
    assert reader.store.find(blob.place, blob.commitment) is None


@pytest.mark.parametrize("who", ["author", "reader"])
def test_nothing_is_left_of_what_was_erased(
    request: pytest.FixtureRequest, tmp_path: Path, blob: SealedBlob, who: str
) -> None:
    """Not even though its pair and the blob with its letter are still there."""
    site: Site = request.getfixturevalue(who)
    site.blobs.open(blob)
    erasure = erasure_of(blob)
    site.store.shred(blob.place, erasure)
    with pytest.raises(ErasedError) as caught:
        site.blobs.open(blob)
    assert caught.value.grounds == erasure.grounds
    assert list((tmp_path / who / "opened").iterdir()) == []
    assert not list((tmp_path / who / "keys").glob("*.key"))


def test_opened_copy_is_destroyed_at_once_if_asked(
    tmp_path: Path, reader: Site, blob: SealedBlob
) -> None:
    reader.blobs.open(blob)
    reader.blobs.destroy(blob)
    assert list((tmp_path / "reader" / "opened").iterdir()) == []
    reader.blobs.destroy(blob)
    assert reader.blobs.open(blob).exists()


def test_folder_of_opened_blobs_is_private(tmp_path: Path, reader: Site) -> None:
    folder = tmp_path / "reader" / "opened"
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    with pytest.raises(SettingsError) as caught:
        OpenedBlobs(folder, MemberKeys(reader.store, READER, reader.pairs.holding))
    assert (caught.value.expected, caught.value.actual) == ("mode 700", "mode 755")


def test_large_copies_are_overwritten_whole(tmp_path: Path) -> None:
    from fednet.privacy.sealing.destroying import destroy

    path, witness = tmp_path / "large", tmp_path / "witness"
    path.write_bytes(bytes((2 << 20) + 5))
    witness.hardlink_to(path)
    destroy(path)
    data = witness.read_bytes()
    assert not path.exists()
    assert len(data) == (2 << 20) + 5
    assert all(any(data[at : at + 64]) for at in range(0, len(data) - 64, 64))


def test_member_is_found_by_its_own_key_only(blob: SealedBlob, reader: Site) -> None:
    keys = MemberKeys(reader.store, READER, lambda _: member(READER).private)
    with pytest.raises(UnsealingError):
        keys.key_of(blob)
    assert reader.store.find(blob.place, blob.commitment) is None

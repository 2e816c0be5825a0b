"""What a home opens of a run that seals: as an auditor, as a member, as neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fednet.cli import auditing, unsealing
from fednet.cli.app import App, Signer
from fednet.domain import disclosure_events as de
from fednet.domain.identity import Address, Commitment, Digest, ReaderId, SiteId
from fednet.errors import SealedError, SettingsError
from fednet.privacy.sealing import EncryptionKeys, GrantPlace, write_grant
from tests.unit.audit.books import CHAIN_ID, MODULE, RUN
from tests.unit.audit.sealed_world import SealedWorld
from tests.unit.audit.world import World

MEMBER = SiteId(2)


class Joined(SealedWorld):
    """A run in which the home of these tests is site 2."""

    def encryption_key(self, site: SiteId) -> Digest:
        if site == MEMBER:
            return Digest(pairs(self.folder.parent / "home").public_key())
        return super().encryption_key(site)


def pairs(home: Path) -> EncryptionKeys:
    return EncryptionKeys(home / "keystores", b"secret")


@pytest.fixture
def app(tmp_path: Path) -> App:
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "world").mkdir()
    (tmp_path / "password").write_text("secret\n")
    return App(home=tmp_path / "home")


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(None, tmp_path / "password")


def played(world: World) -> Any:
    world.play(2)
    return world


def grant(world: SealedWorld, public_key: bytes) -> None:
    letter = write_grant(world.keys, GrantPlace(CHAIN_ID, MODULE, RUN, SiteId(1)), public_key)
    path = world.folder / "letter"
    path.write_bytes(letter)
    world.emit(
        de.ReaderAdmitted, run=RUN, site=SiteId(1), account=Address("0x" + "a1" * 20),
        reader=ReaderId(1), key=Digest(public_key), letter=Commitment.of(letter),
        letter_locator=world.store.publish(path),
    )  # fmt: skip


def test_an_auditors_home_opens_what_was_granted_to_its_key(
    app: App, signer: Signer, tmp_path: Path
) -> None:
    world = played(SealedWorld(tmp_path / "world"))
    with pytest.raises(SealedError):
        unsealing.open_state(app, signer, world, world.store, RUN)
    grant(world, pairs(app.home).public_key())
    said, data = unsealing.open_state(app, signer, world, world.store, RUN)
    assert said.state == world.base
    assert data == world.base_path.read_bytes()
    options = auditing.Options((world.checkpoint(1),), signer=signer)
    assert auditing.audit_with(app, world, world.store, RUN, options).verified
    blind = auditing.Options((world.checkpoint(1),))
    assert auditing.audit_with(app, world, world.store, RUN, blind).is_sealed


def test_a_members_home_opens_by_its_letters_and_keeps_each_key(
    app: App, signer: Signer, tmp_path: Path
) -> None:
    app.update({"site": {"id": int(MEMBER)}})
    world = played(Joined(tmp_path / "world"))
    assert unsealing.gather_keys(app, signer, world, world.store, RUN) == world.keys
    assert len(list((app.home / unsealing.FOLDER).glob("*.key"))) == len(world.keys)
    assert (app.home / unsealing.FOLDER).stat().st_mode & 0o777 == 0o700


def test_a_home_that_opens_nothing_grants_nothing(app: App, signer: Signer, tmp_path: Path) -> None:
    world = played(SealedWorld(tmp_path / "world"))
    with pytest.raises(SettingsError, match="opens no blob"):
        unsealing.gather_keys(app, signer, world, world.store, RUN)


def test_a_run_in_the_clear_has_nothing_to_open(app: App, signer: Signer, tmp_path: Path) -> None:
    world = played(World(tmp_path / "world"))
    with pytest.raises(SettingsError, match="seals nothing"):
        unsealing.gather_keys(app, signer, world, world.store, RUN)


def test_a_wrong_password_is_no_lack_of_grants(app: App, tmp_path: Path) -> None:
    world = played(SealedWorld(tmp_path / "world"))
    pairs(app.home).public_key()
    (tmp_path / "wrong").write_text("wrong\n")
    with pytest.raises(SettingsError, match="cannot open the encryption key"):
        unsealing.key_source(app, Signer(None, tmp_path / "wrong"), world, world.store, RUN)

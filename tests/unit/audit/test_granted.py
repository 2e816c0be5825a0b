"""Keys handed to a reader on the record: gathered by a member, read by the reader alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fednet.audit.granted import SealedRun, granted_keys
from fednet.domain import disclosure_events as de
from fednet.domain.identity import Address, Commitment, Digest, ReaderId, SiteId
from fednet.errors import PhaseError, SealedError, SettingsError
from fednet.privacy.sealing import ContentKey, GrantPlace, Keyring, KeySource, write_grant
from tests.unit.audit.books import CHAIN_ID, MODULE, RUN
from tests.unit.audit.sealed_world import SealedWorld, private_of, public_of

AUDITOR, STRANGER = 101, 102
ACCOUNT = Address("0x" + "a1" * 20)


@pytest.fixture
def world(tmp_path: Path) -> SealedWorld:
    (tmp_path / "world").mkdir()
    world = SealedWorld(tmp_path / "world")
    world.play(2)
    return world


def held_by(reader: int) -> Any:
    def private(public: bytes) -> X25519PrivateKey:
        if public == public_of(reader):
            return private_of(reader)
        raise SettingsError("another's key")

    return private


def sealed_run(world: SealedWorld, keys: KeySource, folder: Path) -> SealedRun:
    reader: Any = world
    return SealedRun(reader, world.store, RUN, world.plan, keys, folder, 1)


def admit(
    world: SealedWorld,
    keys: dict[Commitment, ContentKey],
    reader: int = AUDITOR,
    number: int = 1,
    *,
    said: int = 1,
    letter: bytes | None = None,
) -> None:
    """Let site 1 grant keys; ``said`` is the site that the record names."""
    if letter is None:
        place = GrantPlace(CHAIN_ID, MODULE, RUN, SiteId(1))
        letter = write_grant(keys, place, public_of(reader))
    path = world.folder / f"letter-{number}"
    path.write_bytes(letter)
    world.emit(
        de.ReaderAdmitted, run=RUN, site=SiteId(said), account=ACCOUNT, reader=ReaderId(number),
        key=Digest(public_of(reader)), letter=Commitment.of(letter),
        letter_locator=world.store.publish(path),
    )  # fmt: skip


def read(world: SealedWorld, reader: int = AUDITOR) -> tuple[dict[Commitment, ContentKey], int]:
    """Return the keys that were granted to a reader, and how many letters gave none."""
    notes: list[str] = []
    ledger: Any = world
    return granted_keys(ledger, world.store, RUN, held_by(reader), 1, notes.append), len(notes)


def test_a_member_gathers_every_key_and_a_reader_replays_with_them(
    world: SealedWorld, tmp_path: Path
) -> None:
    keys = sealed_run(world, world.member(2, tmp_path / "keys"), tmp_path / "o").gather_keys(
        pytest.fail
    )
    assert keys == world.keys
    assert len(keys) == 2 * (3 + 1)
    admit(world, keys)
    assert read(world) == (keys, 0)
    assert world.audit(keys=Keyring(read(world)[0])).verified
    assert read(world, STRANGER) == ({}, 0)


def test_who_has_no_key_gathers_none_and_is_told_of_each(
    world: SealedWorld, tmp_path: Path
) -> None:
    notes: list[str] = []
    stranger = world.member(9, tmp_path / "keys")
    assert sealed_run(world, stranger, tmp_path / "o").gather_keys(notes.append) == {}
    assert len(notes) == len(world.keys)


def test_a_dismissed_reader_reads_no_grant(world: SealedWorld) -> None:
    admit(world, world.keys)
    world.emit(de.ReaderDismissed, run=RUN, site=SiteId(1), reader=ReaderId(1))
    assert read(world) == ({}, 0)


def test_grants_add_up_and_the_earlier_one_counts(world: SealedWorld) -> None:
    (one, key), (other, another), *_ = world.keys.items()
    admit(world, {one: key}, number=1)
    admit(world, {one: another, other: another}, number=2)
    assert read(world) == ({one: key, other: another}, 0)


@pytest.mark.parametrize("letter", [b"not a letter", bytes(48 + 64), bytes(48)])
def test_a_letter_that_does_not_open_hides_no_other(world: SealedWorld, letter: bytes) -> None:
    admit(world, {}, number=1, letter=letter)
    admit(world, world.keys, number=2)
    assert read(world) == (world.keys, 1)


def test_a_letter_recorded_by_another_site_does_not_open(world: SealedWorld) -> None:
    admit(world, world.keys, said=2)
    assert read(world) == ({}, 1)


def test_a_letter_that_nobody_serves_is_told(world: SealedWorld) -> None:
    admit(world, world.keys)
    (event,) = world.events((de.ReaderAdmitted,))
    assert isinstance(event, de.ReaderAdmitted)
    world.store._objects.pop(event.letter_locator)
    assert read(world) == ({}, 1)


def test_the_final_state_opens_and_another_round_does_not(
    world: SealedWorld, tmp_path: Path
) -> None:
    found = sealed_run(world, world.keyring(), tmp_path / "o")
    said, path = found.open_state()
    assert said.state == world.base
    assert path.read_bytes() == world.base_path.read_bytes()
    assert found.open_state(1)[0].round == 1
    with pytest.raises(PhaseError):
        found.open_state(3)
    with pytest.raises(SealedError):
        sealed_run(world, Keyring({}), tmp_path / "p").open_state()

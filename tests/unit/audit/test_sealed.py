"""Audits of a run whose blobs are sealed: with every key, some, none, a false one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fednet.audit import RoundVerdict, Severity
from fednet.audit.memory import AuditMemory
from fednet.audit.sealed import AttemptSeals
from fednet.domain import events as ev
from fednet.domain.identity import Commitment, GrantId, SiteId
from fednet.domain.ledger import Standing
from fednet.domain.record import RoundRecord
from fednet.errors import SealedError, UnsealingError
from fednet.privacy.sealing import ContentKey, Keyring, KeySource
from tests.unit.audit.books import RESEARCHER
from tests.unit.audit.sealed_world import SealedWorld, public_of
from tests.unit.audit.world import World


@pytest.fixture
def world(tmp_path: Path) -> SealedWorld:
    return SealedWorld(tmp_path)


def verdicts(world: SealedWorld, keys: Keyring | None) -> list[RoundVerdict]:
    return [entry.verdict for entry in world.audit(keys=keys).rounds]


def test_with_the_keys_everything_is_replayed(world: SealedWorld) -> None:
    world.play(2)
    report = world.audit(keys=world.keyring())
    assert report.findings == ()
    assert report.verified
    assert [entry.verdict for entry in report.rounds] == [RoundVerdict.VERIFIED] * 2


def test_a_member_replays_with_its_private_key_alone(world: SealedWorld, tmp_path: Path) -> None:
    world.play(2)
    assert world.audit(keys=world.member(3, tmp_path / "keys of site 3")).verified


def test_without_a_key_nothing_is_replayed_and_nothing_called_wrong(world: SealedWorld) -> None:
    world.play(2)
    report = world.audit()
    assert [entry.verdict for entry in report.rounds] == [RoundVerdict.SEALED] * 2
    assert {(each.code, each.severity) for each in report.findings} == {("sealed", Severity.SEALED)}
    assert [each.round for each in report.findings] == [1, 2]
    assert all("sealed, not replayed" in each.message for each in report.findings)
    assert report.is_sealed
    assert not report.verified
    assert not report.accused
    assert report.exit_code == SealedError.exit_code


def test_what_is_verified_with_a_key_is_never_recalled_without_one(
    world: SealedWorld, tmp_path: Path
) -> None:
    world.play(2)
    memory = AuditMemory(tmp_path / "audits")
    assert world.audit(memory=memory, keys=world.keyring()).verified
    assert len(world.audit(memory=memory, keys=world.keyring()).recalled) == 2
    blind = world.audit(memory=memory)
    assert not blind.recalled
    assert [entry.verdict for entry in blind.rounds] == [RoundVerdict.SEALED] * 2


def test_keys_of_a_later_round_replay_it_if_the_state_before_is_among_them(
    world: SealedWorld,
) -> None:
    world.play(1)
    first, base = dict(world.keys), world.base
    world.play(1)
    later = {at: key for at, key in world.keys.items() if at not in first}
    sealed, verified = RoundVerdict.SEALED, RoundVerdict.VERIFIED
    assert verdicts(world, Keyring(later)) == [sealed, sealed]
    assert verdicts(world, Keyring({**later, base: first[base]})) == [sealed, verified]


def test_a_false_key_accuses_nobody(world: SealedWorld) -> None:
    world.play(1)
    false = {at: ContentKey(bytes(32)) for at in world.keys}
    report = world.audit(keys=Keyring(false))
    assert report.rounds[0].verdict is RoundVerdict.SEALED
    assert report.is_sealed
    assert not report.accused
    assert "the key that was granted does not open it" in report.findings[0].actual


def test_a_key_of_another_update_accuses_nobody(world: SealedWorld) -> None:
    world.play(1)
    one, other, *_ = world.keys
    report = world.audit(keys=Keyring({**world.keys, one: world.keys[other]}))
    assert report.is_sealed
    assert not report.accused


def test_an_update_in_the_clear_counts_for_nothing(world: SealedWorld, tmp_path: Path) -> None:
    world.in_the_clear = {1}
    world.play(1)
    report = world.audit(keys=world.member(2, tmp_path / "keys of site 2"))
    assert report.verified, report.findings
    assert [(each.site, each.verdict, each.reason) for each in report.rounds[0].sites] == [
        (1, "invalid", "not-sealed"),
        (2, "included", ""),
        (3, "included", ""),
    ]


def test_calling_a_sealed_update_not_sealed_accuses_the_proposer(world: SealedWorld) -> None:
    world.collect()
    world.in_the_clear = {3}
    world.propose()
    world.attest(1, 2)
    world.finalize()
    report = world.audit(keys=world.keyring())
    assert report.rounds[0].verdict is RoundVerdict.WRONG
    assert set(report.accused) == {1, 2}


def test_a_copied_commitment_is_told_apart_from_what_does_not_open(world: SealedWorld) -> None:
    for site in (2, 3):
        world.submit(site)
    world.copy(1, 3)
    world.close()
    world.propose()
    world.attest(1, 2, 3)
    world.finalize()
    report = world.audit(keys=world.keyring())
    reasons = {each.site: each.reason for each in report.rounds[0].sites}
    assert reasons[SiteId(1)] == "copied"
    assert report.rounds[0].verdict is RoundVerdict.VERIFIED
    assert report.accused == (1,)


def test_a_lie_about_the_state_is_found_with_a_key_and_not_without(world: SealedWorld) -> None:
    def lie(record: RoundRecord) -> RoundRecord:
        return record.model_copy(update={"state_size_bytes": record.state_size_bytes + 1})

    world.collect()
    world.propose(lie=lie)
    world.attest(*world.sites)
    world.finalize()
    assert 2 in world.audit(keys=world.keyring()).accused
    assert world.audit().is_sealed


def test_witnesses_hash_what_only_members_can_read(world: SealedWorld, tmp_path: Path) -> None:
    """Else whoever fetched the ciphertext could vouch for a sum that it never saw."""
    world.play(1)
    plain = World(_folder(tmp_path / "plain"))
    plain.play(1)
    assert world.proposed is not None
    assert plain.proposed is not None
    sealed_state = Commitment.of(world.proposed.state_path.read_bytes())
    assert sealed_state == world.proposed.settlement.state
    assert world.proposed.settlement.state != plain.proposed.settlement.state
    assert world.proposed.base_path.read_bytes() == plain.proposed.state_path.read_bytes()


def test_a_revoked_site_reads_nothing_of_the_next_round(world: SealedWorld, tmp_path: Path) -> None:
    keys = world.member(3, tmp_path / "keys of site 3")
    world.collect()
    for entry in world.submissions():
        file = world.blobs[entry.commitment]
        opened = _seals_of(world, keys, tmp_path / "3").open_updates([entry], {entry.site: file})
        assert opened.paths[entry.site] is not None
    world.propose()
    world.attest(*world.sites)
    # While the round is final and the next one has not begun.
    world.finalize(stay=True)
    world.emit(
        ev.SiteStandingChanged, site=SiteId(3), operator=RESEARCHER, standing=Standing.REVOKED
    )
    world.begin(2)
    world.submit(1)
    world.submit(2)
    for entry in world.submissions():
        file = world.blobs[entry.commitment]
        seals = _seals_of(world, keys, tmp_path / "3")
        with pytest.raises(SealedError, match="not sealed for this site"):
            seals.open_updates([entry], {entry.site: file})
        for generation in (1, 2):
            assert public_of(3, generation) not in dict(seals.recipients.keys).values()


def test_a_sealed_state_of_another_place_does_not_open(world: SealedWorld) -> None:
    world.play(1)
    state = world.base
    assert world.proposed is not None
    file = world.proposed.state_path
    with pytest.raises((SealedError, UnsealingError)):
        world.seals().open_state(state, file)  # as if it were round 2's


def _seals_of(world: SealedWorld, keys: KeySource, folder: Path) -> AttemptSeals:
    seals = world.seals()
    return AttemptSeals(seals.place, seals.recipients, keys, _folder(folder))


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def test_members_and_keys_are_those_of_the_attempts_start(world: SealedWorld) -> None:
    before = world.seals().recipients
    assert [site for site, _ in before.keys] == [1, 2, 3]
    world.emit(ev.SiteKeyRotated, site=SiteId(2), encryption_key=public_of(2, 2), key_version=2)
    world.emit(ev.ConsentEnded, site=SiteId(3), grant=GrantId(3))
    assert world.seals().recipients == before
    world.begin(1, attempt=2)
    after = world.seals().recipients
    assert dict(after.keys) == {1: public_of(1), 2: public_of(2, 2)}
    assert replace(world.place, attempt=1) != world.seals().place

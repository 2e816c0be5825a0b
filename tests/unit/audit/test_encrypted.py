"""Encrypted updates before the audit: sums added again, decryptions repeated, liars named."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fednet.audit import AuditReport, RoundVerdict, Severity
from fednet.audit.encrypted_sums import check_apart
from fednet.audit.findings import Findings
from fednet.domain import events as ev
from fednet.domain.identity import Commitment, GrantId, SiteId
from fednet.domain.record import RoundRecord
from fednet.privacy.homomorphic import CkksKey, Encrypting
from tests.encrypting import ckks_key
from tests.unit.audit.encrypted_world import AGGREGATORS, SITES, EncryptedWorld, added_to


def codes(report: AuditReport) -> set[str]:
    return {each.code for each in report.findings if each.severity is not Severity.NOTICE}


def accused_of(report: AuditReport, code: str) -> set[int]:
    return {each.accused for each in report.findings if each.code == code if each.accused}


def verdicts(report: AuditReport) -> list[RoundVerdict]:
    return [each.verdict for each in report.rounds]


def test_honest_rounds_are_verified_by_who_has_both_keys(tmp_path: Path) -> None:
    world = EncryptedWorld(tmp_path, rounds=2)
    world.play(2)

    report = world.audit(keys=world.keyring(), shared_key=ckks_key())

    assert report.verified, report.findings
    assert verdicts(report) == [RoundVerdict.VERIFIED] * 2
    assert report.rounds[0].outcome.keys() == {"sum"}


def test_without_the_sites_key_sums_are_added_again_and_decryptions_called_sealed(
    tmp_path: Path,
) -> None:
    world = EncryptedWorld(tmp_path)
    world.play()

    report = world.audit(keys=world.keyring())

    assert codes(report) == {"not-decrypted"}
    assert verdicts(report) == [RoundVerdict.SEALED]
    assert report.is_sealed
    assert not report.verified


def test_without_a_grant_the_decryption_is_repeated_and_the_sum_called_sealed(
    tmp_path: Path,
) -> None:
    world = EncryptedWorld(tmp_path)
    world.play()

    report = world.audit(shared_key=ckks_key())

    assert codes(report) == {"sum-sealed"}
    assert verdicts(report) == [RoundVerdict.SEALED]
    assert not report.verified


def test_without_any_key_nothing_is_called_verified(tmp_path: Path) -> None:
    world = EncryptedWorld(tmp_path)
    world.play()

    report = world.audit()

    assert codes(report) == {"sum-sealed", "not-decrypted"}
    assert verdicts(report) == [RoundVerdict.SEALED]


def test_the_state_is_that_of_the_plain_weighted_mean(tmp_path: Path) -> None:
    world = EncryptedWorld(tmp_path)
    for site in world.sites:
        world.submit(site, fill=site / 4, weight=10 * site)
    world.close()

    recomputed = world.recomputed(2)

    # (10 * 1/4 + 20 * 2/4 + 30 * 3/4 + 40 * 4/4) / 100
    values = np.frombuffer(recomputed.state_path.read_bytes()[-4 * 3 :], "<f4")
    assert values.tolist() == [0.75] * 3


class Altering(EncryptedWorld):
    """Its aggregators agree on a sum in which one word is another."""

    def altered(self, path: Path) -> Path:
        return added_to(path)


@pytest.mark.parametrize("shared", [True, False])
def test_an_altered_sum_is_found_with_or_without_the_sites_key(
    tmp_path: Path, shared: bool
) -> None:
    world = Altering(tmp_path)
    world.play()

    report = world.audit(keys=world.keyring(), shared_key=ckks_key() if shared else None)

    assert accused_of(report, "sum-wrong") == set(AGGREGATORS)
    assert verdicts(report) == [RoundVerdict.WRONG]
    assert report.accused == tuple(map(SiteId, AGGREGATORS))


class Dropping(EncryptedWorld):
    """Its aggregators leave the first site's valid update out, and call it malformed."""

    def add(self, without: Collection[int] = (), says: Collection[int] = AGGREGATORS) -> None:
        self.dropped = True
        super().add(without, says)

    def altered(self, path: Path) -> Path:
        from fednet.audit.encrypted_updates import WordFile
        from fednet.privacy.homomorphic import CKKS, SumHeader, write_sum_header

        with WordFile(path, "sum", 1 << 20) as file:
            said = SumHeader.from_metadata(file.metadata, "sum")
            words = np.empty(file.element_count, np.uint64)
            file.read_into(0, words)
            values = file.element_count // CKKS.block_words * CKKS.block_values
        kept = {site: entry for site, entry in said.included.items() if site != 1}
        header = replace(said, included=kept, refused={SiteId(1): "malformed"})
        other = path.with_name("sum-without-1")
        other.write_bytes(write_sum_header(CKKS, header, values) + words.tobytes())
        return other


def test_a_valid_update_that_is_left_out_of_the_sum_is_told(tmp_path: Path) -> None:
    world = Dropping(tmp_path)
    world.play()

    report = world.audit(keys=world.keyring())

    assert accused_of(report, "sum-wrong") == set(AGGREGATORS)
    told = next(each for each in report.findings if each.code == "sum-wrong")
    assert "the updates of site 1 otherwise" in told.message


def test_a_sum_without_what_nobody_served_is_right(tmp_path: Path) -> None:
    world = EncryptedWorld(tmp_path)
    for site in world.sites:
        world.submit(site)
    world.shut()
    world.add(without=(4,))
    world.propose()
    world.attest(*world.sites)
    world.finalize()

    report = world.audit(keys=world.keyring(), shared_key=ckks_key())

    assert codes(report) == set()
    assert [site.verdict for site in report.rounds[0].sites][-1] == "unavailable"


class Rubbish(EncryptedWorld):
    """Its third site hands in what is no encrypted update."""

    def spoilt(self, site: SiteId, encrypted: bytes) -> bytes:
        return bytes(1_000) if site == 3 else encrypted


def test_what_is_no_encrypted_update_is_refused_and_the_round_stands(tmp_path: Path) -> None:
    world = Rubbish(tmp_path)
    world.play()

    report = world.audit(keys=world.keyring(), shared_key=ckks_key())

    assert report.verified, report.findings
    assert [site.reason for site in report.rounds[0].sites] == ["", "", "malformed", ""]


class OtherKey(EncryptedWorld):
    """Its third site encrypts with another key than the plan's."""

    def key_at(self, site: SiteId) -> Encrypting:
        return CkksKey.generate() if site == 3 else ckks_key()


def test_an_update_under_another_key_is_refused_by_its_header(tmp_path: Path) -> None:
    world = OtherKey(tmp_path)
    world.play()

    report = world.audit(keys=world.keyring(), shared_key=ckks_key())

    assert report.verified, report.findings
    assert [site.reason for site in report.rounds[0].sites] == ["", "", "malformed", ""]


def test_an_aggregator_that_takes_part_as_a_site_is_told(tmp_path: Path) -> None:
    world = EncryptedWorld(tmp_path)
    consent = world.emit(
        ev.ConsentGiven, site=SiteId(AGGREGATORS[0]), grant=GrantId(9), position=SITES,
        maximum_examples=1000, expiry=1 << 33,
    )  # fmt: skip
    snapshot: Any = SimpleNamespace(run_events=[world.logged[0], consent])
    findings = Findings()

    check_apart(snapshot, world.plan, findings)

    (found,) = findings.entries
    assert (found.code, found.accused) == ("aggregator-in-cohort", AGGREGATORS[0])
    assert "aggregator-in-cohort" in codes(world.audit())


def test_a_proposal_without_an_agreed_sum_is_impossible(tmp_path: Path) -> None:
    world = EncryptedWorld(tmp_path)
    for site in world.sites:
        world.submit(site)
    world.shut()
    world.add(says=AGGREGATORS[:1])
    path = tmp_path / "sum-1-1-0"
    world.sum = path
    world.propose()
    world.attest(*world.sites)
    world.finalize()

    report = world.audit(keys=world.keyring(), shared_key=ckks_key())

    assert accused_of(report, "proposal-impossible") == {2}
    assert RoundVerdict.VERIFIED not in verdicts(report)


def test_of_two_sums_the_first_agreed_on_counts(tmp_path: Path) -> None:
    world = EncryptedWorld(tmp_path)
    for site in world.sites:
        world.submit(site)
    world.shut()
    world.add(without=(4,))
    first = world.sum
    world.add()
    world.sum = first
    world.propose()
    world.attest(*world.sites)
    world.finalize()

    report = world.audit(keys=world.keyring(), shared_key=ckks_key())

    assert codes(report) == set()


def test_another_decryption_of_the_right_sum_is_found_by_who_has_the_key(tmp_path: Path) -> None:
    def lie(record: RoundRecord) -> RoundRecord:
        return record.model_copy(update={"state": str(Commitment.of(b"another"))})

    world = EncryptedWorld(tmp_path)
    world.collect()
    world.propose(lie=lie)
    world.attest(*world.sites)
    world.finalize()

    report = world.audit(keys=world.keyring(), shared_key=ckks_key())

    assert RoundVerdict.WRONG in verdicts(report)
    assert 2 in report.accused


def test_a_record_of_another_sum_is_found_without_the_sites_key(tmp_path: Path) -> None:
    def lie(record: RoundRecord) -> RoundRecord:
        return record.model_copy(update={"outcome": {"sum": str(Commitment.of(b"another"))}})

    world = EncryptedWorld(tmp_path)
    world.collect()
    world.propose(lie=lie)
    world.attest(*world.sites)
    world.finalize()

    report = world.audit(keys=world.keyring())

    assert accused_of(report, "another-sum-decrypted") == {2}


def test_an_attestation_without_decrypting_is_found(tmp_path: Path) -> None:
    world = EncryptedWorld(tmp_path)
    world.collect()
    world.propose()
    world.attest(1, 2, 3)
    made: Any = world.proposed
    from fednet.domain.identity import Digest

    forged = replace(made, digest=Digest(bytes(32)))
    world.attest(SITES, witness=forged.witness(SiteId(SITES)))
    world.finalize()

    report = world.audit(keys=world.keyring(), shared_key=ckks_key())

    assert SITES in report.accused

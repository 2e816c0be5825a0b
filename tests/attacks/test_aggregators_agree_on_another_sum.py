"""Aggregators of encrypted updates agree on a sum that the updates do not have.

Lie: "this is the sum of these ciphertexts". No site can tell, since none opens
another's update: each decrypts what a majority of aggregators committed to. Whoever
was granted the aggregators' keys adds the ciphertexts again, without the sites' key,
and every aggregator that committed to another sum is convicted by its own words.
"""

from __future__ import annotations

from pathlib import Path

from fednet.audit import RoundVerdict
from fednet.domain.identity import SiteId
from tests.attacks.lie import Found, Liar, Lie
from tests.encrypting import ckks_key
from tests.unit.audit.encrypted_world import AGGREGATORS, EncryptedWorld, added_to

LIE = Lie(
    "The sum of encrypted updates is another",
    Liar.ADDERS,
    (Found("sum-wrong", 34),),
    accused="every aggregator that committed to it",
)


class Altering(EncryptedWorld):
    """A site in league with the aggregators gives them something to add to the sum."""

    def altered(self, path: Path) -> Path:
        return added_to(path)


def test_sites_decrypt_and_attest_another_sum(tmp_path: Path) -> None:
    world = Altering(tmp_path)
    world.play()
    report = world.audit(keys=world.keyring())
    LIE.found(report, *map(SiteId, AGGREGATORS))
    assert [each.verdict for each in report.rounds] == [RoundVerdict.WRONG]


def test_the_sites_key_alone_does_not_show_it_and_verifies_nothing(tmp_path: Path) -> None:
    world = Altering(tmp_path)
    world.play()
    report = world.audit(shared_key=ckks_key())
    assert not report.accused
    assert not report.verified
    assert [each.verdict for each in report.rounds] == [RoundVerdict.SEALED]


def test_an_honest_sum_convicts_nobody(tmp_path: Path) -> None:
    world = EncryptedWorld(tmp_path)
    world.play()
    assert world.audit(keys=world.keyring(), shared_key=ckks_key()).verified

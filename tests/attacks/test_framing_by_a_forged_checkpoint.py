"""Somebody forges checkpoints in an honest site's name that contradict the chain.

One with the site's name and the forger's signature, one that another deployment's
member signed, one by the forger's own account. None weighs anything, and a true
one that contradicts a chain convicts nobody either.
"""

from __future__ import annotations

from dataclasses import replace

from eth_account import Account

from fednet.domain.identity import Digest
from fednet.ledger.checkpoints import sign_checkpoint
from tests.attacks.doubles import unguessed
from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.attacks.network import Network
from tests.attacks.vault import Vault

LIE = Lie(
    "Framing: checkpoints are forged in a site's name",
    Liar.STRANGER,
    (
        Found("checkpoint-forged", 24),
        Found("checkpoint-foreign", 24),
        Found("checkpoint-of-stranger", 24),
    ),
)


def test_forged_checkpoints_weigh_nothing(
    network: Network, vault: Vault, finished: Finished
) -> None:
    victim, forger = finished.members[0], Account.create()
    true = finished.checkpoint(network.reader, victim.site)
    false = replace(true, block_hash=Digest(unguessed("no block")))
    by_forger = sign_checkpoint(false, forger)
    forged = [
        replace(by_forger, account=victim.writer.address),
        sign_checkpoint(replace(false, chain_id=1), forger),
        by_forger,
    ]
    report = vault.audit(finished, checkpoints=forged)
    assert {each.code for each in LIE.found(report)} == {
        "checkpoint-forged", "checkpoint-foreign", "checkpoint-of-stranger"
    }  # fmt: skip
    assert report.verified
    assert not report.anchored


def test_honest_checkpoint_anchors(network: Network, vault: Vault, finished: Finished) -> None:
    signer = finished.members[0]
    signed = sign_checkpoint(finished.checkpoint(network.reader, signer.site), signer.account)
    report = vault.audit(finished, checkpoints=[signed])
    require_honest(report)
    assert report.anchored

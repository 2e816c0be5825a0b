"""A gateway that somebody else runs serves other bytes than were asked for.

Every kind of blob in turn. What a gateway alters exists nowhere else: the same
run through an honest gateway is verified, so nobody is accused.
"""

from __future__ import annotations

from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.attacks.vault import Vault, flip_last_bit, of_blob

LIE = Lie(
    "A gateway serves wrong bytes",
    Liar.STORE,
    (Found("blob-altered", 9), Found("nothing-to-verify", 17)),
    duty="the run's researcher",
)


def test_wrong_bytes_are_never_believed(vault: Vault, finished: Finished) -> None:
    asked: list[str] = []

    def alter(cid: str, data: bytes) -> bytes:
        asked.append(cid)
        return flip_last_bit(data)

    with vault.gateway(alter) as address, vault.client(address) as store:
        report = finished.audit(store)
    assert asked
    LIE.found(report)
    assert not report.verified


def test_each_wrong_blob_is_named(vault: Vault, finished: Finished) -> None:
    for commitment, locator, _ in finished.blobs():
        alter = of_blob(locator, flip_last_bit)
        with vault.gateway(alter) as address, vault.client(address) as store:
            report = finished.audit(store)
        assert report.accused == ()
        found = {each.expected for each in report.findings if each.code == "blob-altered"}
        assert found == {str(commitment)}


def test_honest_gateway_serves_a_verified_run(vault: Vault, finished: Finished) -> None:
    with vault.gateway(lambda _, data: data) as address, vault.client(address) as store:
        require_honest(finished.audit(store))

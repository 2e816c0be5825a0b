"""A provider moves an act to another site: a submission, an attestation, a claim.

An honest site would have submitted twice, vouched with another's witness, or
claimed too much. The events do not fold to the running hash, or are not in the
blocks' receipts, so they are no evidence against anybody.
"""

from __future__ import annotations

import pytest

from tests.attacks.finished import Finished
from tests.attacks.lie import Found, Liar, Lie, require_honest
from tests.attacks.network import Network
from tests.attacks.rewriting import RawLog, lying_about_logs, topic
from tests.attacks.vault import Vault

LIE = Lie(
    "Framing: an RPC edits the site id of a log",
    Liar.PROVIDER,
    (Found("log-incomplete", 2), Found("balance-differs", 18)),
)
PLACE_OF_SITE = {"UpdateSubmitted": 3, "RoundAttested": 3, "CreditsClaimed": 3}


@pytest.mark.parametrize("event", PLACE_OF_SITE)
def test_act_that_is_moved_to_another_convicts_nobody(
    network: Network, vault: Vault, finished: Finished, event: str
) -> None:
    victim = "0x" + finished.members[2].site.to_bytes(32, "big").hex()
    sites = {member.site for member in finished.members}

    def edit(logs: list[RawLog]) -> list[RawLog]:
        for log in logs:
            if log["topics"][0] == topic(event) and log["topics"][-1] != victim:
                assert int(log["topics"][-1], 16) in sites
                log["topics"][-1] = victim
                break
        return logs

    with lying_about_logs(network, edit) as asked:
        report = vault.audit(finished, asked)
    assert not report.verified
    LIE.found(report)


def test_honest_provider_gives_a_verified_run(
    network: Network, vault: Vault, finished: Finished
) -> None:
    with lying_about_logs(network, lambda logs: logs) as asked:
        require_honest(vault.audit(finished, asked))

"""A site commits to one update and serves another, made after it saw the others'.

Liar: a site. Lie: "this is what I committed to". Found by hashing what is
served: bytes that do not hash to the commitment do not exist, so the update
counts as unavailable, whatever its locator leads to.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from fednet.codec.update import update_size_limit_bytes
from fednet.domain.ledger import Phase
from fednet.errors import DigestMismatchError, RevertedError
from tests.attacks import lies
from tests.attacks.network import Network


def test_other_bytes_than_the_committed_do_not_exist(network: Network) -> None:
    members = network.members()
    liar, *honest = members
    with network.open(members) as run:
        run.start(*honest)
        committed = lies.update(liar, run.place())
        changed = lies.update(liar, run.place())
        # The locator leads to the changed bytes, the commitment to those of before.
        lies.submit_and_reveal(liar, run, replace(changed, commitment=committed.commitment))
        with pytest.raises(RevertedError) as again:
            lies.submit(liar, run, changed)
        assert again.value.error in ("AlreadySubmitted", "PhaseWrong")
        run.reach(Phase.PROPOSING)
        run.wait_held(honest, honest)
        locator = run.submissions()[liar.site].locator
        limit = update_size_limit_bytes(run.plan)
        with pytest.raises(DigestMismatchError):
            honest[0].store.fetch(committed.commitment, [locator], limit, 30.0)
        run.pass_reveal()
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    assert report.verified
    said = {entry.site: (entry.verdict, entry.earned > 0) for entry in report.rounds[0].sites}
    assert said == {each.site: ("included", True) for each in honest} | {
        liar.site: ("unavailable", False)
    }

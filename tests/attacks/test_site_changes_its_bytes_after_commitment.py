"""A site commits to one update and serves another, made after it saw the others'.

Lie: "this is what I committed to". Found by hashing what is
served: bytes that do not hash to the commitment do not exist, so the update
counts as unavailable, whatever its locator leads to.
"""

from __future__ import annotations

from dataclasses import replace

from fednet.codec.update import update_size_limit_bytes
from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.lie import Found, Liar, Lie, contract, reader
from tests.attacks.network import Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "A site serves other bytes than it committed to",
    Liar.SITE,
    (
        reader("DigestMismatchError"),
        contract("AlreadySubmitted"),
        Found("update-withheld", 10),
    ),
    duty="which submitted it",
)


def test_other_bytes_than_the_committed_do_not_exist(network: Network) -> None:
    members = network.members()
    liar, *honest = members
    with network.open(members) as run:
        committed = lies.update(liar, run.place())
        changed = lies.update(liar, run.place())
        # The locator leads to the changed bytes, the commitment to those of before.
        lies.submit_and_reveal(liar, run, replace(changed, commitment=committed.commitment))
        with LIE.refused("AlreadySubmitted"):
            lies.submit(liar, run, changed)
        run.start(*honest)
        run.reach(Phase.PROPOSING)
        run.wait_held(honest, honest)
        locator = run.submissions()[liar.site].locator
        limit = update_size_limit_bytes(run.plan)
        with LIE.refused("DigestMismatchError"):
            honest[0].store.fetch(committed.commitment, [locator], limit, 30.0)
        run.pass_reveal()
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
    assert report.verified
    LIE.found(report)
    said = {entry.site: (entry.verdict, entry.earned > 0) for entry in report.rounds[0].sites}
    assert said == {each.site: ("included", True) for each in honest} | {
        liar.site: ("unavailable", False)
    }


def test_honest_bytes_are_the_committed(network: Network) -> None:
    require_honest_round(network)

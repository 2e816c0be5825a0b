"""A site hands in another's commitment as its own, before or after the owner.

Lie: "these bytes are my work". Found by the intake: the manifest inside the
bytes names the owner. Before the reveal there are only commitments to copy, and
after it submissions are closed, so that nobody can wrap another's values into a
manifest of its own. Nor does a copier that names a place where nothing is hide the
owner's bytes.
"""

from __future__ import annotations

import pytest

from fednet.audit import RoundVerdict
from fednet.codec.update import update_size_limit_bytes
from fednet.domain.identity import Commitment, Locator, RoundNumber, RunId, SiteId
from fednet.domain.ledger import Phase, Receipt
from fednet.errors import BlobMissingError, RevertedError
from fednet.ledger.writer import Web3Writer
from tests.attacks import lies
from tests.attacks.lie import Found, LeftOut, Liar, Lie
from tests.attacks.network import Member, Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "An update is copied: the same commitment is handed in",
    Liar.SITE,
    (LeftOut("copied"), Found("update-copied", 23)),
    accused="the copier, whether first or second",
)

NOWHERE = Locator(b"\x01" * 32)


class WatchedWriter(Web3Writer):
    """The owner's writer; the copier sees its transaction and is quicker."""

    copier: Member
    place: Locator | None = None
    """Where the copier says that the bytes are; None copies that, too."""

    def submit(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        commitment: Commitment,
        weight: int,
        locator: Locator,
    ) -> Receipt:
        bound = min(weight, self.copier.trainer.examples)
        self.copier.writer.submit(
            run, self.copier.site, round_number, attempt, commitment, bound, self.place or locator
        )
        return super().submit(run, site, round_number, attempt, commitment, weight, locator)


@pytest.mark.parametrize(
    ("copier_is_first", "place"),
    [(True, None), (False, None), (True, NOWHERE)],
    ids=["first", "second", "first and elsewhere"],
)
def test_copied_commitment_earns_nothing(
    network: Network, copier_is_first: bool, place: Locator | None
) -> None:
    members = network.members()
    copier, owner = members[0], members[1]
    if copier_is_first:
        owner.writer = WatchedWriter(network.reader, owner.account)
        owner.writer.copier, owner.writer.place = copier, place
    with network.open(members) as run:
        run.start(*members[1:])
        if not copier_is_first:
            sent = run.wait(lambda _: run.submissions().get(owner.site))
            weight = copier.trainer.examples
            copier.writer.submit(
                run.run, copier.site, sent.round, 1, sent.commitment, weight, sent.locator
            )
        assert run.over() is Phase.COMPLETED
        report = network.audit(run)
        submissions = list(run.submissions())
    assert (submissions.index(copier.site) < submissions.index(owner.site)) is copier_is_first
    assert report.verified
    [result] = report.rounds
    assert result.verdict is RoundVerdict.VERIFIED
    said = {entry.site: (entry.verdict, entry.reason) for entry in result.sites}
    LIE.left_out(report, copier.site)
    LIE.found(report, copier.site)
    assert said[owner.site] == ("included", "")
    earned = {entry.site: entry.earned for entry in result.sites}
    assert earned[copier.site] == 0
    assert earned[owner.site] > 0


def test_bytes_cannot_be_wrapped_anew_in_time(network: Network) -> None:
    members = network.members()
    copier = members[0]
    with network.open(members) as run:
        run.start(*members[1:])
        submissions = run.wait(lambda _: len(found := run.submissions()) == 3 and found)
        limit = update_size_limit_bytes(run.plan)
        for entry in submissions.values():
            with pytest.raises(BlobMissingError):
                copier.store.fetch(entry.commitment, [entry.locator], limit, 0.2)
        lies.submit_and_reveal(copier, run, lies.update(copier, run.place()))
        for entry in submissions.values():
            stolen = copier.store.fetch(entry.commitment, [entry.locator], limit, 30.0)
            with pytest.raises(RevertedError) as refused:
                lies.submit(copier, run, lies.of_bytes(copier, stolen.read_bytes()))
            assert refused.value.error in ("PhaseWrong", "AlreadySubmitted")
        assert run.over() is Phase.COMPLETED
        assert network.audit(run).verified


def test_honest_updates_are_their_own(network: Network) -> None:
    require_honest_round(network)

"""What nodes decide where updates are encrypted: they wait for the sum, and fetch no update."""

from __future__ import annotations

from fednet.domain.identity import Digest
from fednet.domain.ledger import Inclusion
from fednet.domain.plan import Plan
from fednet.node import acts
from fednet.node.decide import decide
from fednet.node.view import Vote
from tests.unit.node.views import PLAN, Chain, attempt_key, own, proposal_key, waits

SECTION = {"scheme": "ckks", "key": "5a" * 32, "aggregators": [5, 6, 7], "clip": 1}
ENCRYPTED = Plan.validated(
    PLAN.model_dump()
    | {"homomorphic": SECTION, "cohort": PLAN.cohort.model_dump() | {"minimum_updates": 3}},
    "plan",
)
READY = frozenset({attempt_key()})
NOBODY: frozenset[int] = frozenset()


def closed() -> Chain:
    return Chain(plan=ENCRYPTED).start().submit(1, 2, 3).close()


def test_who_may_propose_waits_for_the_sum_and_fetches_no_update() -> None:
    chain = closed()
    turn = next(site for site in (1, 2, 3) if "turn" not in waits_or(chain, site))
    assert "aggregators add" in waits(chain.view(turn, **own(turn)))
    assert decide(chain.view(turn, sums=READY, **own(turn))) == acts.Propose(proposal_key(), NOBODY)


def waits_or(chain: Chain, site: int) -> str:
    act = decide(chain.view(site, **own(site)))
    return act.reason if isinstance(act, acts.Wait) else type(act).__name__


def test_a_proposal_is_judged_once_the_sum_is_here() -> None:
    chain = closed().propose(2)
    assert "aggregators add" in waits(chain.view(**own()))
    assert decide(chain.view(sums=READY, **own())) == acts.Recompute(proposal_key(), NOBODY)


def test_whom_the_sum_leaves_out_is_no_matter_of_what_is_held() -> None:
    chain = closed().propose(2, s3=Inclusion.UNAVAILABLE)
    assert decide(chain.view(held=(3,), sums=READY, **own())) == acts.Recompute(
        proposal_key(), NOBODY
    )


def test_the_sum_of_another_attempt_is_of_no_use() -> None:
    chain = closed().propose(2)
    other = frozenset({attempt_key(1, 2)})
    assert "aggregators add" in waits(chain.view(sums=other, **own()))


def test_what_was_decrypted_and_agrees_is_attested() -> None:
    vote = Vote(True, Digest(b"\x07" * 32))
    view = closed().propose(2).view(votes={proposal_key(): vote}, **own())
    assert decide(view) == acts.Attest(proposal_key(), vote.digest)

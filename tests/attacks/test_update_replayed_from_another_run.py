"""A site hands in the update that it made for another run of the same plan.

Lie: "this is my work in this run". Found by the intake: the manifest in the bytes names the run.
"""

from __future__ import annotations

from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.lie import Found, LeftOut, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.replaying import hand_in, require_honest_round, require_refused

LIE = Lie(
    "An update is replayed from another run",
    Liar.SITE,
    (LeftOut("wrong-place"), Found("update-replayed", 23)),
    accused="the site that replays",
)


def test_update_of_another_run_is_refused(network: Network) -> None:
    members = network.members()
    liar = members[0]
    with network.open(members) as first:
        first.start(*members[1:])
        update = lies.update(liar, first.place())
        hand_in(liar, first, update)
        assert first.over() is Phase.COMPLETED
        assert network.audit(first).rounds[0].sites[0].verdict == "included"
    with network.open(members) as second:
        second.start(*members[1:])
        hand_in(liar, second, update)
        require_refused(LIE, network, second, liar)


def test_honest_update_of_this_place_counts(network: Network) -> None:
    require_honest_round(network)

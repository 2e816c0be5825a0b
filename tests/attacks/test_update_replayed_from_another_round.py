"""A site hands in its update of round 1 again in round 2, to earn without working.

Lie: "this is my work of this round". Found by the intake: the
manifest in the bytes names the round and the attempt.
"""

from __future__ import annotations

from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.lie import Found, LeftOut, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.replaying import hand_in, require_honest_round, require_refused

LIE = Lie(
    "An update is replayed from another round, attempt or state",
    Liar.SITE,
    (LeftOut("wrong-place"), LeftOut("wrong-base"), Found("update-replayed", 23)),
    accused="the site that replays",
)


def test_update_of_an_earlier_round_is_refused(network: Network) -> None:
    members = network.members()
    liar = members[1]
    with network.open(members, rounds=2) as run:
        run.start(*members[:1], *members[2:])
        update = lies.update(liar, run.place(1))
        hand_in(liar, run, update, 1)
        run.reach(Phase.COLLECTING, 2)
        hand_in(liar, run, update, 2)
        require_refused(LIE, network, run, liar)
        assert network.audit(run).rounds[0].sites[1].verdict == "included"


def test_update_of_another_attempt_is_refused(network: Network) -> None:
    members = network.members()
    liar = members[1]
    with network.open(members) as run:
        run.start(*members[:1], *members[2:])
        hand_in(liar, run, lies.update(liar, run.place(1, attempt=2)))
        require_refused(LIE, network, run, liar)


def test_update_from_an_older_state_is_refused(network: Network) -> None:
    """The place is right, the base is the initial model again."""
    members = network.members()
    liar = members[1]
    with network.open(members, rounds=2) as run:
        run.start(*members[:1], *members[2:])
        hand_in(liar, run, lies.update(liar, run.place(1)), 1)
        run.reach(Phase.COLLECTING, 2)
        hand_in(liar, run, lies.update(liar, run.place(2)), 2)
        require_refused(LIE, network, run, liar, "wrong-base")


def test_honest_update_of_this_place_counts(network: Network) -> None:
    require_honest_round(network)

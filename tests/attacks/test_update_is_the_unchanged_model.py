"""A site hands the model in as it was received: no change at all, or the model itself.

Training that is done can end in no change, so the site has to explain it and is
not convicted.
"""

from __future__ import annotations

import numpy as np

from fednet.domain.identity import Commitment, RoundNumber
from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.combining import average, average_arrays
from tests.attacks.doubles import INITIAL
from tests.attacks.lie import Found, Liar, Lie
from tests.attacks.network import Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "The unchanged model is handed in as work",
    Liar.SITE,
    (Found("update-unchanged", 23),),
    duty="to explain it",
)


def test_update_of_zeros_is_found(network: Network) -> None:
    members = network.members()
    lazy = members[0]
    with network.open(members) as run:
        run.start(*members[1:])
        nothing = {name: np.zeros_like(array) for name, array in INITIAL.items()}
        lies.submit_and_reveal(lazy, run, lies.update(lazy, run.place(), arrays=nothing))
        assert run.over() is Phase.COMPLETED
        [found] = LIE.found(network.audit(run))
    assert str(lazy.site) in found.duty


def test_model_itself_is_found(network: Network) -> None:
    members = network.members()
    lazy = members[1]
    with network.open(members, rounds=2) as run:
        run.start(*members[:1], *members[2:])
        lies.submit_and_reveal(lazy, run, lies.update(lazy, run.place()))
        run.reach(Phase.COLLECTING, 2)
        entry = run.history.rounds[RoundNumber(1)]
        assert entry.final_proposal is not None
        state = entry.final_proposal.proposed.state
        weights = {each.site: each.weight for each in run.submissions().values()}
        assert Commitment.of(average(weights.items())) == state
        arrays = average_arrays(weights.items())
        update = lies.update(lazy, run.place(2), base=state, arrays=arrays)
        lies.submit_and_reveal(lazy, run, update, 2)
        assert run.over() is Phase.COMPLETED
        [found] = LIE.found(network.audit(run))
    assert str(lazy.site) in found.duty


def test_honest_updates_change_the_model(network: Network) -> None:
    require_honest_round(network)

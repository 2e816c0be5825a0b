"""A site submits after the deadline, or after submissions have closed.

Found by the contract, by the time of the block; a chain whose contract let it
pass would be found by the audit (checks 8 and 20).
"""

from __future__ import annotations

from fednet.domain.ledger import Phase
from tests.attacks import lies
from tests.attacks.lie import Liar, Lie, contract, require_honest
from tests.attacks.network import Network
from tests.attacks.replaying import require_honest_round

LIE = Lie(
    "An update is submitted late",
    Liar.SITE,
    (contract("DeadlinePassed"), contract("PhaseWrong")),
)


def test_late_update_is_refused(network: Network) -> None:
    members = network.members()
    late, *punctual = members
    with network.open(members) as run:
        update = lies.update(late, run.place())
        for member in punctual:
            lies.submit_and_reveal(member, run, lies.update(member, run.place()))
        network.travel(run.state.deadline + 1)
        with LIE.refused("DeadlinePassed"):
            lies.submit(late, run, update)
        punctual[0].writer.advance(run.run)
        assert run.state.phase is Phase.PROPOSING
        with LIE.refused("PhaseWrong"):
            lies.submit(late, run, update)
        assert late.site not in run.submissions()


def test_honest_run_goes_on_where_all_were_late(network: Network) -> None:
    with network.open(network.members()) as run:
        network.travel(run.state.deadline + 1)
        run.start()
        assert run.over() is Phase.COMPLETED
        require_honest(network.audit(run))


def test_honest_updates_in_time_count(network: Network) -> None:
    require_honest_round(network)

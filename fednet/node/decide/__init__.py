"""Decide what a node does next: a pure function of what it sees.

1. Who has lost its standing, or never consented, does nothing.
2. A site that the chain says submitted what its journal does not know sits the
   attempt out: it never does a second, different act.
3. A vote that stands in the journal is the only one ever sent.
4. Nobody trains on the final state of a round it was part of unless its own recomputation
   confirms it, nor on anything that follows a final record it contradicts; who joins later
   takes the state that chain and record name, who missed rounds replays them or does the same.
5. Training goes on aside: it keeps a node from nothing else, and what it gave is handed in late
   where the plan takes that.
6. No update leaves that the site's airlock did not let out (see `gating`).
7. Deadlines are judged by the block's time; turns are staggered by roster
   position, so that all nodes do not act at once.
"""

from __future__ import annotations

from fednet.domain.ledger import Phase, Role, Standing
from fednet.node.acts import Act, Done, Preserve, Wait
from fednet.node.decide.collecting import collect
from fednet.node.decide.finishing import begin_next
from fednet.node.decide.gating import expire, tell
from fednet.node.decide.judging import attest, vote_on_final
from fednet.node.decide.proposing import propose
from fednet.node.decide.steps import STAGGER_SECONDS, move_on
from fednet.node.decide.training import discard
from fednet.node.places import final_key
from fednet.node.view import NodeView

__all__ = ["PRESERVE_AFTER_SECONDS", "STAGGER_SECONDS", "decide"]

PRESERVE_AFTER_SECONDS = 30
"""How long a phase must last before old rounds are looked after: rounds in a hurry go first."""


def decide(view: NodeView) -> Act:
    """Choose one act; the same view always gives the same one."""
    if view.standing is not Standing.ACTIVE or not view.roles & Role.SITE:
        return Wait(f"this site's standing is {view.standing.name.lower()}")
    if view.site not in view.history.consents:
        return Wait("this site has not consented")
    if step := discard(view) or expire(view):
        return step
    late = vote_on_final(view)
    if late is not None and not isinstance(late, Wait):
        return late
    act = _in_phase(view)
    if isinstance(act, Wait | Done):
        return tell(view) or _preserve(view) or (late if isinstance(act, Done) and late else act)
    return act


def _in_phase(view: NodeView) -> Act:
    match view.state.phase:
        case Phase.GATHERING:
            return move_on(view) or Wait("sites are consenting", view.state.deadline + 1)
        case Phase.COLLECTING:
            return collect(view)
        case Phase.PROPOSING:
            return propose(view)
        case Phase.ATTESTING:
            return attest(view)
        case Phase.FINAL:
            return begin_next(view)
        case Phase.COMPLETED if view.history.completed:
            return Done("the run is complete")
        case Phase.ABORTED if view.history.aborted:
            return Done("the run was aborted")
        case Phase.COMPLETED | Phase.ABORTED:
            # A node that left now would never vote on the last round.
            return Wait("the log lags behind the chain")
        case Phase.NONE:
            return Wait("the chain does not know this run")


def _preserve(view: NodeView) -> Act | None:
    """Pick the oldest final round that is not preserved, once there is time for it."""
    quiet = view.state.phase.is_over or view.now >= view.state.since + PRESERVE_AFTER_SECONDS
    for key in sorted(view.facts.verified) if quiet else ():
        is_final = final_key(view.history, key.round) == key
        if is_final and key.round not in view.facts.preserved:
            return Preserve(key.round)
    return None

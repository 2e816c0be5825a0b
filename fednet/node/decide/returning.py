"""How a node that missed rounds catches up: by recomputing them, where that is fewer bytes.

A replay costs the updates of the missed rounds, else a state is fetched whole.
How large an update is stays a guess until it is here; what comes is capped, and
each replayed round has to give the very record that is final.
"""

from __future__ import annotations

from fednet.codec.update import update_blob_limit_bytes
from fednet.domain.identity import RoundNumber, SiteId
from fednet.node.acts import Act, Fetch, Replay, Wait
from fednet.node.decide.encrypting import unhide
from fednet.node.decide.standing import excused, missing_of
from fednet.node.decide.steps import blob_of
from fednet.node.places import ProposalKey, final_key, find_attempt, find_proposal
from fednet.node.view import NodeView

_PATIENCE_SECONDS = 20
_SLOWEST_BYTES_PER_SECOND = 1 << 19


def catch_up(view: NodeView, number: RoundNumber) -> Act | None:
    """Return the next step towards the state that a round starts from.

    None if the state is here, or is to be fetched whole: because that is cheaper,
    because a missed round's updates do not come, or because its final record is wrong.
    """
    missed = _missed(view, number)
    wanted = {key: _wanted(view, key) for key in missed}
    counts = [len(sites) for sites in wanted.values()]
    if not missed or not replay_pays(
        sum(counts), view.facts.update_size_bytes, view.plan.model.size_bytes
    ):
        return None
    for key, sites in wanted.items():
        if sites and not _is_asked(view, key, sites):
            return Fetch(key.attempt_key, tuple(sorted(sites)))
    first = missed[0]
    if not wanted[first]:
        step = unhide(view, first.attempt_key)
        if not isinstance(step, Wait):
            return step or Replay(first, _excused(view, first))
    size = len(wanted[first]) * view.facts.update_size_bytes
    patience = _PATIENCE_SECONDS + size // _SLOWEST_BYTES_PER_SECOND
    until = view.facts.asked.get(first.attempt_key, view.now) + patience
    if view.now >= until:
        return None
    return Wait(f"fetching the updates of round {first.round}, which was missed", until)


def replay_pays(update_count: int, update_size_bytes: int, state_size_bytes: int) -> bool:
    """Tell whether so many updates are fewer bytes than the state that they lead to."""
    return update_count * update_size_bytes < state_size_bytes


def _missed(view: NodeView, number: RoundNumber) -> list[ProposalKey]:
    """List the final rounds between the newest state that is here and a round's start.

    Empty if no state is here to begin with, or one of them is not to be replayed.
    """
    ground = view.facts.ground
    rounds = range(ground + 1, number) if ground else ()
    keys = [final_key(view.history, RoundNumber(each)) for each in rounds]
    known = [key for key in keys if key is not None and key not in view.facts.disputed]
    return known if len(known) == len(keys) else []


def _excused(view: NodeView, key: ProposalKey) -> frozenset[SiteId]:
    attempt = find_attempt(view.history, key.attempt_key)
    proposal = find_proposal(view.history, key)
    if attempt is None or proposal is None:
        return frozenset()
    return excused(view, key, attempt, proposal)


def _wanted(view: NodeView, key: ProposalKey) -> frozenset[SiteId]:
    """List the sites whose updates a replay needs and are not here."""
    attempt = find_attempt(view.history, key.attempt_key)
    return missing_of(view, attempt) - _excused(view, key) if attempt else frozenset()


def _is_asked(view: NodeView, key: ProposalKey, sites: frozenset[SiteId]) -> bool:
    """Tell whether everything that is missing of a round is under way."""
    attempt = find_attempt(view.history, key.attempt_key)
    if attempt is None or key.attempt_key not in view.facts.asked:
        return False
    rows = view.facts.carriage.rows.get(key.attempt_key, {})
    limit = update_blob_limit_bytes(view.plan)
    blobs = (blob_of(attempt.submissions[site], rows, limit) for site in sites)
    return all(blob in view.facts.fetching for blob in blobs)

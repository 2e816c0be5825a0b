"""What a node does around its masked update: the stages before it, and the set that is unmasked.

1. Nothing of a site leaves before its journal knows what it grew from: a site
   whose keys the chain knows and whose journal does not sits the attempt out.
2. Who must not or cannot train advertises no keys: its absence would have to be
   made good by the others.
3. An update is masked only once it is settled who masks, by the ledger alone.
4. A set is affirmed if it is what the bytes say; shares are disclosed for the
   frozen one, and for no other.
"""

from __future__ import annotations

from collections.abc import Set

from fednet.domain.history import AttemptHistory
from fednet.domain.identity import SiteId
from fednet.domain.ledger import Inclusion, Role, turn_position, unpack_inclusion
from fednet.domain.masking_stages import MaskingStage, SetHistory
from fednet.node.acts import (
    Act,
    Advertise,
    AffirmSet,
    CloseKeys,
    Deal,
    Disclose,
    FetchShares,
    Hold,
    ProposeSet,
    Wait,
)
from fednet.node.decide.standing import (
    MOST_RANKS,
    in_cohort,
    is_forgotten,
    missing_of,
    rank_of,
    took_part,
)
from fednet.node.decide.steps import STAGGER_SECONDS, fetch
from fednet.node.places import AttemptKey, position_in
from fednet.node.view import Masks, NodeView

HOLDING_MARGIN_SECONDS = 5
"""Before the deadline, when a site says what it holds though something has not come."""


def prepare(view: NodeView, attempt: AttemptHistory) -> Act | None:
    """Return the next step before the masked update; None if one may be made now."""
    masks = _masks(view, view.attempt_key)
    if masks is None:
        return Wait("the log lags behind the chain")
    end = view.state.deadline + 1
    if masks.trouble:
        return Wait(f"nothing can be masked in this attempt: {masks.trouble}", end)
    if view.site in masks.record.keys and not masks.has_root:
        return Wait("sitting this attempt out: the journal lost its secrets", end)
    match masks.stage:
        case MaskingStage.KEYS:
            return _keys(view, attempt, masks)
        case MaskingStage.SHARES:
            return _shares(view, masks)
        case MaskingStage.HOLDINGS:
            return _holdings(view, masks)
        case MaskingStage.MASKED if masks.dealers is None:
            return Wait("the log lags behind the chain")
        case MaskingStage.MASKED if view.site not in masks.record.holdings:
            return Wait("others mask in this attempt", end)
        case MaskingStage.MASKED if view.site not in (masks.dealers or ()):
            return Wait("too few others hold this site's shares", end)
        case MaskingStage.MASKED:
            return None
        case _:
            return Wait("the log lags behind the chain")


def trains_meanwhile(view: NodeView) -> bool:
    """Tell whether this site may train while it waits for others to deal and to hold."""
    masks = _masks(view, view.attempt_key)
    if masks is None or masks.trouble or view.site not in masks.record.dealings:
        return False
    return masks.stage in (MaskingStage.SHARES, MaskingStage.HOLDINGS)


def settle_set(view: NodeView, attempt: AttemptHistory) -> Act | None:
    """Return the next step towards a frozen and unmasked set; None once there is one."""
    key = view.attempt_key
    masks = _masks(view, key)
    if masks is None:
        return Wait("the log lags behind the chain")
    end = view.state.deadline + 1
    if masks.trouble:
        return Wait(f"nothing can be unmasked in this attempt: {masks.trouble}", end)
    if masks.record.frozen is not None:
        return disclose(view, key) or unmask(view, key)
    if not took_part(view, key.proposal(view.state.proposal)) or is_forgotten(view, key):
        return Wait("others settle which updates count", end)
    if masks.stage is MaskingStage.NONE:
        return Wait("the log lags behind the chain")
    latest = masks.record.sets.get(max(masks.record.sets, default=0))
    if latest is not None and view.now <= masks.deadline:
        return _affirm(view, attempt, masks, latest)
    return _propose_set(view, attempt, masks)


def disclose(view: NodeView, key: AttemptKey) -> Act | None:
    """Disclose this site's shares for the frozen set; None if that is done, or not its to do."""
    masks = _masks(view, key)
    if masks is None or masks.record.frozen is None or not masks.has_root:
        return None
    record = masks.record
    if view.site in record.disclosures or view.site not in record.holdings:
        return None
    awaited = {
        site for site in masks.neighbours or () if site in record.dealings
    } - masks.dealt  # fmt: skip
    if awaited and not masks.is_fetching:
        return FetchShares(key)
    patient_until = view.state.since + STAGGER_SECONDS
    if awaited and view.now < patient_until:
        return Wait("fetching the shares that neighbours dealt", patient_until)
    return Disclose(key)


def unmask(view: NodeView, key: AttemptKey) -> Act | None:
    """Return the next step towards the secrets of a frozen set; None if they are here.

    None as well where nothing is masked, or nothing can be unmasked: then recomputing says so.
    """
    if not view.plan.is_masked:
        return None
    masks = _masks(view, key)
    if masks is None:
        return Wait("the log lags behind the chain")
    if masks.trouble or masks.is_whole:
        return None
    if not masks.is_fetching:
        return FetchShares(key)
    return Wait("fetching the shares that unmask the sum", view.state.deadline + 1)


def frozen_unavailable(view: NodeView, attempt: AttemptHistory) -> frozenset[SiteId]:
    """Read whose bytes the frozen set calls unavailable; nobody's if there is none."""
    masks = _masks(view, view.attempt_key)
    inclusion = masks.record.frozen_inclusion if masks else None
    found = unavailable_in(view, attempt, inclusion) if inclusion is not None else None
    return found or frozenset()


def unavailable_in(
    view: NodeView, attempt: AttemptHistory, inclusion: bytes
) -> frozenset[SiteId] | None:
    """Read whose bytes a set calls unavailable; None if it fits no submissions."""
    length = attempt.started.roster_length
    submitted = {
        position: site
        for site in attempt.submissions
        if (position := position_in(view.history, site, length)) is not None
    }
    verdicts = unpack_inclusion(inclusion, submitted)
    if verdicts is None:
        return None
    return frozenset(
        submitted[at] for at, verdict in verdicts.items() if verdict is Inclusion.UNAVAILABLE
    )


def _masks(view: NodeView, key: AttemptKey) -> Masks | None:
    return view.facts.masks.get(key)


def _keys(view: NodeView, attempt: AttemptHistory, masks: Masks) -> Act:
    key, advertised = view.attempt_key, masks.record.keys
    is_over = view.now > masks.deadline
    if view.site not in advertised and not is_over:
        return Advertise(key)
    if not is_over and len(advertised) < attempt.started.cohort:
        return Wait("others advertise keys", masks.deadline + 1)
    begun = masks.deadline + 1 if is_over else view.state.since
    mine = begun + rank_of(view) * STAGGER_SECONDS
    return CloseKeys(key) if view.now >= mine else Wait("another closes the keys", mine)


def _shares(view: NodeView, masks: Masks) -> Act:
    if masks.neighbours is None:
        return Wait("this site has no keys in this attempt", masks.deadline + 1)
    if view.site not in masks.record.dealings:
        return Deal(view.attempt_key)
    if not masks.is_fetching:
        return FetchShares(view.attempt_key)
    return Wait("others deal shares", masks.deadline + 1)


def _holdings(view: NodeView, masks: Masks) -> Act:
    record, key = masks.record, view.attempt_key
    if view.site not in record.dealings or masks.neighbours is None:
        return Wait("this site dealt no shares in this attempt", masks.deadline + 1)
    if view.site in record.holdings:
        return Wait("others say whose shares they hold", masks.deadline + 1)
    awaited = {site for site in masks.neighbours if site in record.dealings} - masks.dealt
    if awaited and not masks.is_fetching:
        return FetchShares(key)
    until = masks.deadline - HOLDING_MARGIN_SECONDS
    if awaited and view.now < until:
        return Wait("fetching the shares that neighbours dealt", until)
    return Hold(key)


def _affirm(view: NodeView, attempt: AttemptHistory, masks: Masks, latest: SetHistory) -> Act:
    """Affirm the set at hand, once, if the bytes that are here bear it out."""
    key, said = view.attempt_key, latest.proposed
    end = masks.deadline + 1
    if view.site in latest.affirmations:
        return Wait("others affirm which updates count", end)
    claimed = unavailable_in(view, attempt, said.inclusion)
    if claimed is None or said.number in masks.refused:
        return Wait("the proposed set is not what the updates' bytes say", end)
    missing = missing_of(view, attempt)
    # As with proposals: from the second on, absence is no ground to withhold an affirmation.
    unavailable = claimed if said.number > 1 else claimed & missing
    if missing - unavailable:
        return fetch(view, key, attempt) or Wait("fetching the updates that the set counts", end)
    return AffirmSet(key, said.number, unavailable)


def _propose_set(view: NodeView, attempt: AttemptHistory, masks: Masks) -> Act:
    """Propose a set if it is this site's turn and what can be there is there."""
    key, timing, end = view.attempt_key, view.plan.timing, view.state.deadline + 1
    position = position_in(view.history, view.site, attempt.started.roster_length)
    if position is None or not in_cohort(view, attempt) or not view.roles & Role.AGGREGATOR:
        return Wait("another site proposes which updates count", end)
    number = max(masks.record.sets, default=0) + 1
    if number in masks.refused:
        return Wait("these updates can be no set that is unmasked", end)
    length = attempt.started.roster_length
    turn = turn_position(key.round, key.attempt, number, length)
    rank = min((position - turn) % length, MOST_RANKS)
    reveal_end = view.state.deadline - timing.propose_seconds
    begun = reveal_end if number == 1 else masks.deadline + 1
    first = view.state.since if number == 1 else begun
    opens = first if rank == 0 else begun + timing.grace_seconds + (rank - 1) * STAGGER_SECONDS
    if view.now < opens:
        return Wait("it is another's turn to propose which updates count", opens)
    missing: Set[SiteId] = missing_of(view, attempt)
    patient_until = reveal_end + timing.grace_seconds // 2
    if missing and view.now < patient_until:
        return Wait("updates are still under way", patient_until)
    if len(attempt.submissions) - len(missing) < masks.least_updates:
        return Wait("too few updates are there to unmask their sum", end)
    return ProposeSet(key, number, frozenset(missing))

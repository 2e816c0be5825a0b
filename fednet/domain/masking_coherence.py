"""What cannot stand beside masked updates in a plan, each with the reason and the remedy.

Whether the ring holds the weights, and whether any threshold is safe, is for
``fednet.privacy.masking`` to say.
"""

from __future__ import annotations

from fednet.domain.hidden_coherence import Hiding, hidden_contradiction
from fednet.domain.masking_section import MaskingSection
from fednet.domain.plan_sections import Sections

_UNUSED = MaskingSection()
_HIDING = Hiding("masking", "masked", 'module.name = "plain"')


def masking_contradiction(plan: Sections) -> str:
    """Say what cannot stand beside the masks, or masks beside another module; empty if all can."""
    if plan.module.name != "masked":
        if plan.masking != _UNUSED:
            return 'masking: needs module.name = "masked"; with another module nothing is masked'
        return ""
    if not plan.masking.clip:
        return (
            "masking: clip must be above 0: the largest magnitude of one value of an update, "
            "which decides how finely values stand in the ring"
        )
    if reason := hidden_contradiction(plan, _HIDING):
        return reason
    return next((reason for check in (_late, _sealed, _times) if (reason := check(plan))), "")


def _late(plan: Sections) -> str:
    if plan.staleness.rounds:
        return (
            "masking: a late update's masks are those of a round that is over, and nobody could "
            "weigh it alone; set staleness.rounds = 0"
        )
    if plan.cohort.target_updates:
        return (
            "masking: whoever is not waited for leaves masks in the sum that others have to take "
            "away; set cohort.target_updates = 0, and bound the wait by timing.collect_seconds"
        )
    return ""


def _sealed(plan: Sections) -> str:
    if plan.privacy.sealed:
        return (
            "masking: masks hide updates from members, too, and shares travel in letters of their "
            "own, which no sealed blob holds yet; set privacy.sealed = false"
        )
    return ""


def _times(plan: Sections) -> str:
    times, timing = plan.masking.times, plan.timing
    if times.before_masked >= timing.collect_seconds:
        return (
            "masking: key_seconds + share_seconds + holding_seconds must be below "
            f"timing.collect_seconds, which has {timing.collect_seconds} for these and for the "
            "masked updates"
        )
    if times.freeze_seconds >= timing.propose_seconds:
        return (
            "masking: freeze_seconds must be below timing.propose_seconds, in which the set is "
            "frozen and unmasked before anybody can propose"
        )
    return ""

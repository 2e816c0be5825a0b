"""What cannot stand beside encrypted updates in a plan, each with the reason and the remedy.

Whether the numbers leave room for the weights is for ``fednet.privacy.homomorphic``
to say.
"""

from __future__ import annotations

from fednet.domain.hidden_coherence import Hiding, hidden_contradiction
from fednet.domain.homomorphic_section import HomomorphicSection
from fednet.domain.plan_sections import Sections

LEAST_AGGREGATORS = 3
LEAST_UPDATES = 3
MOST_ENCRYPTED_SITES = 1_000
_UNUSED = HomomorphicSection()
_HIDING = Hiding("homomorphic", "encrypted", 'homomorphic.scheme = "none"')


def homomorphic_contradiction(plan: Sections) -> str:
    """Say what cannot stand beside encrypted updates, or without them; empty if all can."""
    if plan.homomorphic.scheme == "none":
        if plan.homomorphic != _UNUSED:
            return 'homomorphic: needs scheme = "ckks"; without a scheme nothing is encrypted'
        return ""
    checks = (_key, _aggregators, _module, _several_sums, _late, _sealed)
    reason = next((reason for check in checks if (reason := check(plan))), "")
    return reason or hidden_contradiction(plan, _HIDING)


def _key(plan: Sections) -> str:
    if not plan.homomorphic.key:
        return (
            "homomorphic: key must name the one that the sites share: one of them makes it with "
            "`fednet homomorphic new-key`, which tells its identity"
        )
    if not plan.homomorphic.clip:
        return (
            "homomorphic: clip must be above 0: the largest magnitude of one value of an update, "
            "which decides how finely values stand"
        )
    return ""


def _aggregators(plan: Sections) -> str:
    named = plan.homomorphic.aggregators
    if len(named) < LEAST_AGGREGATORS:
        return (
            f"homomorphic: {len(named)} aggregators add the ciphertexts, and no majority of fewer "
            f"than {LEAST_AGGREGATORS} shows which of them is wrong; name at least "
            f"{LEAST_AGGREGATORS} admitted sites that are not in the run and have no key in "
            "homomorphic.aggregators"
        )
    if list(named) != sorted(set(named)):
        return "homomorphic: aggregators must be in ascending order, each once"
    return ""


def _module(plan: Sections) -> str:
    name = plan.module.name
    if name == "masked":
        return (
            "homomorphic: updates in masks need no encryption, and ciphertexts in masks cannot be "
            'decrypted; set module.name = "plain", or homomorphic.scheme = "none"'
        )
    if name != "plain":
        return (
            f"homomorphic: the {name} module hands updates or votes to others than the aggregators "
            'that encrypted ones are sealed to; set module.name = "plain"'
        )
    return ""


def _several_sums(plan: Sections) -> str:
    cohort = plan.cohort
    if cohort.minimum_updates < LEAST_UPDATES:
        return (
            "homomorphic: a sum of two updates tells each site the other's; set "
            f"cohort.minimum_updates to {LEAST_UPDATES} at least"
        )
    if cohort.maximum_sites > MOST_ENCRYPTED_SITES:
        return (
            "homomorphic: a sum names every update in its header; cohort.maximum_sites must be at "
            f"most {MOST_ENCRYPTED_SITES}"
        )
    return ""


def _late(plan: Sections) -> str:
    if plan.staleness.rounds:
        return (
            "homomorphic: an encrypted update has its weight inside, and nobody could weigh a late "
            "one by its age; set staleness.rounds = 0"
        )
    if not plan.timing.reveal_seconds:
        return (
            "homomorphic: aggregators agree on a sum before they publish it, in the time of "
            "the reveal; set timing.reveal_seconds above 0"
        )
    return ""


def _sealed(plan: Sections) -> str:
    if plan.privacy.sealed:
        return (
            "homomorphic: updates are sealed to the aggregators already, and members could open "
            "what is sealed to them with the key that they share; set privacy.sealed = false"
        )
    return ""

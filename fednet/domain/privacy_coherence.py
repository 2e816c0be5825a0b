"""What cannot stand beside a promise of privacy in a plan, each with the reason and the remedy.

Whether the noise keeps the promise is for `fednet.privacy.accounting` to say, and whether a
ring holds it for `fednet.privacy.masking`.
"""

from __future__ import annotations

from decimal import Decimal

from fednet.domain.plan_sections import Sections
from fednet.domain.sections import PrivacySection

LEAST_NOISE = Decimal("0.1")
MOST_SEALED_SITES = 1_000


def privacy_contradiction(plan: Sections) -> str:
    """Say what cannot stand beside noise or seals; empty if all can."""
    checks = (_numbers, _norm, _records, _sites, _sealing)
    return next((reason for check in checks if (reason := check(plan))), "")


def _numbers(plan: Sections) -> str:
    section = plan.privacy
    named = {
        "clip_norm": section.clip_norm,
        "noise_multiplier": section.noise_multiplier,
        "epsilon": section.epsilon,
        "delta": section.delta,
    }
    if section.mechanism == "none":
        given = [name for name, value in named.items() if value]
        if not given:
            return ""
        return f'privacy: {", ".join(given)} need mechanism = "dp-sgd" or "distributed-gaussian"'
    missing = [name for name, value in named.items() if not value]
    if missing:
        return f"privacy: {section.mechanism} needs {', '.join(missing)} above 0"
    if section.noise_multiplier < LEAST_NOISE:
        return f"privacy: noise_multiplier must be at least {LEAST_NOISE}; less protects nobody"
    return ""


def _norm(plan: Sections) -> str:
    """Say why the norm cannot follow the sites, or has no need of a rate."""
    section = plan.privacy
    if not section.adapts:
        if section.norm_rate != PrivacySection().norm_rate:
            return "privacy: norm_rate needs quantile above 0; else clip_norm stays as it is"
        return ""
    if not section.hides_sites:
        return (
            'privacy: quantile needs mechanism = "distributed-gaussian": only in the masked sum '
            "can sites tell whether they were within the norm, with noise"
        )
    if plan.masking.clip != 1:
        return (
            "masking: with privacy.quantile values stand in units of the round's norm, which none "
            "is larger than; set masking.clip = 1"
        )
    return ""


def _records(plan: Sections) -> str:
    """Say what would betray a record beside the noise of its training."""
    section = plan.privacy
    if not section.hides_records:
        return ""
    if plan.training.local_epochs == 0:
        return "privacy: noise is added in steps; training.local_epochs must be above 0"
    if plan.update.minimum_examples < plan.training.batch_size:
        return (
            "privacy: a step draws batch_size examples on average, and spends most where it draws "
            "all; set update.minimum_examples to training.batch_size at least, better to many times"
        )
    if section.delta * plan.update.minimum_examples >= 1:
        return "privacy: delta must be below 1 / update.minimum_examples; usual are 0.00001 or less"
    if plan.evaluation.metric:
        return (
            "privacy: sites publish evaluation.metric without noise, which the promise would not "
            'cover; leave it out (metric = ""), and judge models on held-out data'
        )
    if plan.clusters.method == "ifca":
        return (
            "privacy: ifca chooses a cluster by the loss on the records, and the choice is public; "
            'use method = "similarity", which looks at updates only'
        )
    return ""


def _sites(plan: Sections) -> str:
    """Say why a site would not be hidden in the sum."""
    section = plan.privacy
    if not section.hides_sites:
        return ""
    if plan.module.name != "masked":
        return (
            "privacy: with distributed-gaussian each site adds a share of the noise that is too "
            'little by itself, and only a masked sum shows nothing less; set module.name = "masked"'
        )
    if section.delta * plan.cohort.maximum_sites >= 1:
        return (
            "privacy: delta must be below 1 / cohort.maximum_sites, as whole sites are hidden; "
            "usual are 0.00001 or less"
        )
    return ""


def _sealing(plan: Sections) -> str:
    """Say what would tell everybody what sealed blobs keep among members, or cost too much."""
    if not plan.privacy.sealed:
        return ""
    if plan.cohort.maximum_sites > MOST_SEALED_SITES:
        return (
            "privacy: each sealed update has a wrapped key for every member, and every member "
            "checks all of them; with sealed, cohort.maximum_sites must be at most "
            f"{MOST_SEALED_SITES}"
        )
    if plan.evaluation.metric:
        return (
            "privacy: round records stay readable for everybody, and would tell each site's "
            'evaluation.metric, which sealed is to keep among members; leave it out (metric = "")'
        )
    return ""

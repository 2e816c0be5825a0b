"""What is done against the risks: by the plan, by fednet whatever the plan says, by sites."""

from __future__ import annotations

from collections.abc import Iterator

from fednet.domain.plan import Plan
from fednet.exports.assessment.figures import least_updates
from fednet.exports.texts import code
from fednet.provenance.safes.outputs import colluding

ALWAYS = (
    "Records stay at their site: what leaves is an update of the model, checked by the site's own"
    " airlock before it leaves. No plan can widen what the site's policy allows.",
    "The task's code runs behind walls (no network, no file but the data) and must have the plan's"
    " digest; a site refuses any other.",
    "Each site grants access to each dataset for a purpose, until a day, and can revoke it; consent"
    " to this run is a further act. Both are signed and stand on the ledger.",
    "Every aggregate can be recomputed by every member and by an auditor, who needs no permission,"
    " and a granted key where blobs are sealed: `fednet audit` names who deviated.",
    "The ledger holds commitments only. A dataset's is salted, so that nobody can guess records by"
    " it; descriptions, purposes, terms and grounds are named by their SHA-256.",
    "A site that withdraws ends its consent and acts in no later round; a patient's withdrawal"
    " becomes a new dataset, and the old one is closed.",
    "Accounts act by keys in encrypted files; membership is admitted, suspended and revoked by"
    " signed acts of the operator.",
)
"""What holds of every run."""

BY_SITES = (
    ("airlock policy", "least examples and per class, bounds on content, required mechanisms,"
     " whether a person decides on each update"),
    ("ceiling of privacy", "epsilon and delta that all runs of a dataset may spend together"),
    ("retention", "how long what was made from a dataset is kept after a run"),
    ("anonymisation", "what was removed from the records before they became the dataset"),
    ("disk and backups", "where data, keys and caches lie, who may read them"),
)  # fmt: skip
"""What each site decides by itself, and what about it is to be written down."""


def measures(plan: Plan) -> Iterator[str]:
    """Say what this plan does.

    Raises:
        PlanError: Masks that it asks for cannot work.
    """
    privacy, update, timing = plan.privacy, plan.update, plan.timing
    if privacy.mechanism == "none":
        yield "Differential privacy: not asked for."
    else:
        where = "in the masked sum, for whole sites" if privacy.hides_sites else "at each site"
        yield (
            f"Differential privacy ({privacy.mechanism}) {where}: clipping norm"
            f" {privacy.clip_norm}, noise multiplier {privacy.noise_multiplier}, at most epsilon"
            f" {privacy.epsilon} at delta {privacy.delta} for any one record over the whole run."
            " A node refuses the training that would break it."
        )
    yield _encrypted(plan) if plan.is_encrypted else _masked(plan)
    yield _sealed(plan)
    yield (
        f"Least data: {update.minimum_examples} examples behind an update, {least_updates(plan)}"
        f" updates in a round, {plan.cohort.minimum_sites} sites in the run."
    )
    yield _bounded(plan)
    yield (
        f"Less is sent: only {_listed(update.travelling)} travel."
        if update.travelling
        else "Less is sent: not asked for; every trained value of the model travels."
    )
    if update.personal:
        yield f"Kept at the site: {_listed(update.personal)} never travel."
    yield (
        f"Updates are promised by commitment and published {timing.reveal_seconds} s later at the"
        " earliest, so that nobody can copy another's work in time."
        if plan.reveals_late
        else "Updates are published at once; others may copy them in time."
    )
    quorum = plan.cohort.quorum_basis_points / 100
    yield f"Four eyes: more than {quorum:g} % of the cohort recompute each round and vouch for it."


def _masked(plan: Plan) -> str:
    if not plan.is_masked:
        return (
            "Secure aggregation: not asked for; whoever may read a round's updates can read each of"
            " them by itself."
        )
    return (
        "Secure aggregation: every update is masked before it leaves its site. All that anybody can"
        f" take the masks from is the sum of those that count, {least_updates(plan)} or more, while"
        f" no more than {colluding(plan)} of a cohort work together. Weights stay readable."
    )


def _encrypted(plan: Plan) -> str:
    section = plan.homomorphic
    return (
        f"Homomorphic encryption: {len(section.aggregators)} aggregators without the key add the"
        f" encrypted updates, sites decrypt the sum on which {section.majority} of these agree. All"
        " sites share one secret key, without a threshold: one of them and one aggregator together"
        " can read any update. Weights stay readable."
    )


def _sealed(plan: Plan) -> str:
    if plan.privacy.sealed:
        return (
            "Sealed: updates and states lie in the stores encrypted for the members of each round;"
            " who is revoked is out from the next one on. Others read with keys that a member"
            " granted, on the record. Weights, verdicts and credits stay readable."
        )
    what = "model" if plan.is_masked or plan.is_encrypted else "update or model"
    return f"Sealed: not asked for; whoever gets hold of a stored {what} can read it."


def _bounded(plan: Plan) -> str:
    said = f"Bounded influence: norm of an update at most {plan.update.maximum_norm}"
    if not (plan.is_masked or plan.is_encrypted):
        return f"{said}."
    clip, hidden = plan.masking.clip, "a masked"
    if plan.is_encrypted:
        clip, hidden = plan.homomorphic.clip, "an encrypted"
    return (
        f"{said}, no value above {clip}. Each site's own airlock sees to it: of {hidden} update"
        " nobody else can."
    )


def _listed(patterns: tuple[str, ...]) -> str:
    return ", ".join(map(code, patterns))

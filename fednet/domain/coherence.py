"""Fields of a plan that contradict each other; each pair is named once, with the remedy."""

from __future__ import annotations

from fednet.domain.homomorphic_coherence import homomorphic_contradiction
from fednet.domain.masking_coherence import masking_contradiction
from fednet.domain.plan_sections import Sections
from fednet.domain.privacy_coherence import privacy_contradiction

MAX_CREDITS = 1 << 48
"""Credits of a whole run, which the contract packs into 48 bits."""
MOST_COMPARED_SITES = 2_000
LEAST_BATCHED_ATTEMPTS = 3
_LINEAR_RULES = ("fedavg",)
_RADIUS_RULES = ("norm-bounding", "centred-clipping")
_TRUSTING_RULES = ("fedavg", "fednova", "norm-bounding")
_DISCOUNTING_RULES = ("fedavg", "norm-bounding")
_SPARSE_CODECS = ("topk", "topk-int8", "topk-int4")
_COORDINATE_RULES = ("median", "trimmed-mean", "bulyan")


def contradiction(plan: Sections) -> str:
    """Say which fields cannot stand together; empty if all can."""
    checks = (
        homomorphic_contradiction,
        masking_contradiction,
        _cohort,
        _module,
        _credits,
        _training,
        _update,
        _aggregation,
        _staleness,
        _personal,
        _clusters,
        _evaluation,
        privacy_contradiction,
    )
    return next((reason for check in checks if (reason := check(plan))), "")


def _cohort(plan: Sections) -> str:
    cohort = plan.cohort
    if not cohort.minimum_sites <= cohort.target_sites <= cohort.maximum_sites:
        return "cohort: minimum_sites <= target_sites <= maximum_sites must hold"
    if cohort.minimum_updates > cohort.maximum_sites:
        return "cohort: minimum_updates can never be reached by maximum_sites"
    if cohort.target_updates and cohort.target_updates < cohort.minimum_updates:
        return "cohort: target_updates is below minimum_updates"
    if cohort.target_updates > cohort.maximum_sites:
        return "cohort: target_updates can never be reached by maximum_sites"
    if plan.timing.straggler_percent and not cohort.target_updates:
        return "timing: straggler_percent needs cohort.target_updates, which begin the wait"
    return ""


def _module(plan: Sections) -> str:
    section, cohort = plan.module, plan.cohort
    if section.committee_sites and section.name != "batched":
        return 'module: committee_sites needs name = "batched"'
    if section.batch_seconds and section.name != "batched":
        return 'module: batch_seconds needs name = "batched"'
    if section.name == "batched" and plan.timing.max_attempts < LEAST_BATCHED_ATTEMPTS:
        return (
            "module: a batch of forged rows spoils an attempt, the first by anybody's and a later "
            "one by that of the site whose turn it is; so that one site cannot stop the run, "
            f"timing.max_attempts must be at least {LEAST_BATCHED_ATTEMPTS} with batched"
        )
    if section.batch_seconds >= plan.timing.collect_seconds:
        return "module: batch_seconds must be below timing.collect_seconds"
    if (section.sampled_sites > 0) != (section.name == "sampled"):
        return 'module: sampled_sites above 0 and name = "sampled" need each other'
    if section.name == "sampled":
        awaited = cohort.target_updates or cohort.minimum_updates
        if not awaited <= section.sampled_sites <= cohort.maximum_sites:
            return (
                f"module: sampled_sites must be at least {awaited}, the updates that a round "
                "waits for (cohort.target_updates, else minimum_updates), and at most "
                "cohort.maximum_sites"
            )
    return ""


def _most_updates(plan: Sections) -> tuple[int, str]:
    """Return how many updates a round can bring, and the field that says so."""
    if plan.module.sampled_sites:
        return plan.module.sampled_sites, "module.sampled_sites"
    return plan.cohort.maximum_sites, "cohort.maximum_sites"


def _credits(plan: Sections) -> str:
    if plan.credits.per_round * plan.rounds >= MAX_CREDITS:
        return "credits: per_round times rounds must stay below 2**48"
    return ""


def _training(plan: Sections) -> str:
    training = plan.training
    if training.algorithm != "fedprox" and training.proximal_mu != 0:
        return 'training: proximal_mu needs algorithm = "fedprox"'
    if training.algorithm == "fedprox" and training.proximal_mu == 0:
        return "training: fedprox needs proximal_mu above 0"
    if training.algorithm == "scaffold" and training.momentum != 0:
        return "training: scaffold corrects plain gradients; momentum must be 0"
    if training.algorithm == "scaffold" and plan.aggregation.rule not in _LINEAR_RULES:
        return 'training: scaffold adds up control variates; aggregation.rule must be "fedavg"'
    return ""


def _update(plan: Sections) -> str:
    update = plan.update
    if update.minimum_examples > update.maximum_examples:
        return "update: minimum_examples is above maximum_examples"
    if update.keep_ratio < 1 and update.codec not in _SPARSE_CODECS:
        return "update: keep_ratio needs a sparse codec: " + ", ".join(_SPARSE_CODECS)
    if update.keep_ratio == 1 and update.codec in _SPARSE_CODECS:
        return "update: a sparse codec needs keep_ratio below 1"
    return _sparse(plan) if update.codec in _SPARSE_CODECS else ""


def _sparse(plan: Sections) -> str:
    """Say what cannot stand beside updates that are zero nearly everywhere."""
    rules = (plan.aggregation.rule, plan.aggregation.fallback)
    if any(rule in _COORDINATE_RULES for rule in rules):
        return (
            f"update: {plan.update.codec} leaves most values zero at most sites, and "
            f"{', '.join(_COORDINATE_RULES)} would take that zero; use another rule and "
            'fallback, or codec = "int8"'
        )
    if plan.training.algorithm == "scaffold":
        return (
            "update: scaffold sends a control variate beside the model, and a sparse codec "
            'would choose among both by one measure; use codec = "int8"'
        )
    return ""


def _aggregation(plan: Sections) -> str:
    section, (most, named) = plan.aggregation, _most_updates(plan)
    if (section.norm > 0) != (section.rule in _RADIUS_RULES):
        return f"aggregation: norm above 0 is the radius of {' and '.join(_RADIUS_RULES)} only"
    if section.hostile and section.rule in _TRUSTING_RULES:
        return f"aggregation: {section.rule} is made for no hostile update; hostile must be 0"
    if section.rule == "fednova" and plan.training.algorithm != "fedavg":
        return 'aggregation: fednova normalises plain SGD; training.algorithm must be "fedavg"'
    if section.rule == "fednova" and plan.training.local_epochs == 0:
        return "aggregation: fednova needs steps; training.local_epochs must be above 0"
    if section.least_updates > most:
        return (
            f"aggregation: {section.rule} with hostile = {section.hostile} needs "
            f"{section.least_updates} updates, which {named} rules out"
        )
    if section.fallback == "fail" and section.least_updates > plan.cohort.minimum_updates:
        return (
            f"aggregation: {section.rule} with hostile = {section.hostile} needs "
            f"{section.least_updates} updates; raise cohort.minimum_updates to that, "
            'or set aggregation.fallback = "median"'
        )
    if section.keep and section.rule != "multi-krum":
        return "aggregation: keep is for multi-krum only"
    if section.keep > max(0, most - section.hostile - 2):
        return f"aggregation: keep is above {named} - hostile - 2"
    return ""


def _staleness(plan: Sections) -> str:
    if not plan.staleness.rounds:
        return ""
    rule = plan.aggregation.rule
    if rule not in _DISCOUNTING_RULES:
        reason = "divides by steps" if rule == "fednova" else "gives every update the same weight"
        return (
            f"staleness: {rule} {reason}, so that a late update could not count for less; "
            f"aggregation.rule must be {' or '.join(_DISCOUNTING_RULES)}"
        )
    if not plan.cohort.target_updates:
        return "staleness: rounds that wait for everybody have no late update; set " + (
            "cohort.target_updates"
        )
    if plan.training.algorithm == "scaffold":
        return (
            "staleness: scaffold's control variates belong to the model of their own round; "
            "use fedavg or fedprox"
        )
    if plan.clusters.count > 1:
        return "staleness: clusters choose by the newest models; clusters.count must be 1"
    return ""


def _personal(plan: Sections) -> str:
    section = plan.personal
    if (section.pull > 0) != (section.method == "ditto"):
        return 'personal: pull above 0 and method = "ditto" need each other'
    return ""


def _clusters(plan: Sections) -> str:
    section = plan.clusters
    if (section.count > 1) != (section.method != "none"):
        return "clusters: a method and a count above 1 need each other"
    if section.count > 1 and plan.training.algorithm == "scaffold":
        return "clusters: scaffold has one control variate; use fedavg or fedprox"
    rule = plan.aggregation
    if section.count > 1 and rule.least_updates > 1 and rule.fallback == "fail":
        return (
            f"clusters: {rule.rule} with hostile = {rule.hostile} needs {rule.least_updates} "
            "updates in every cluster, and a site that chose one alone would fail the round "
            'for all; set aggregation.fallback = "median"'
        )
    if section.form_round > 1 and section.method != "similarity":
        return 'clusters: form_round above 1 needs method = "similarity"'
    if section.form_round > plan.rounds:
        return "clusters: form_round is above rounds"
    if section.method == "similarity" and plan.cohort.maximum_sites > MOST_COMPARED_SITES:
        return (
            "clusters: similarity compares every pair of sites; "
            f"cohort.maximum_sites must be at most {MOST_COMPARED_SITES}"
        )
    return ""


def _evaluation(plan: Sections) -> str:
    section = plan.evaluation
    low, high, target = section.lowest, section.highest, section.target
    if not section.metric and (section.may_end or low is not None or high is not None):
        return "evaluation: target, patience, lowest and highest need a metric"
    if section.may_end and (low is None or high is None):
        return (
            "evaluation: target and patience need lowest and highest, "
            "so that one site's lie counts by its weight only"
        )
    if low is not None and high is not None and low >= high:
        return "evaluation: lowest must be below highest"
    if target is not None and low is not None and high is not None and not low <= target <= high:
        return "evaluation: target must lie between lowest and highest"
    return ""

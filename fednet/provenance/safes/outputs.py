"""Safe Outputs: what left the sites, after which decisions, and at what cost in privacy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fednet.domain.disclosures import ReleaseStatus
from fednet.domain.identity import DatasetId, SiteId
from fednet.domain.plan import Plan
from fednet.provenance.safes.asked import EVERY, Asked
from fednet.provenance.safes.lines import Line, line
from fednet.provenance.safes.rows import ReleaseCount

_SAID = {
    ReleaseStatus.APPROVED: "approved",
    ReleaseStatus.REJECTED: "rejected",
    ReleaseStatus.EXPIRED: "expired undecided",
    ReleaseStatus.RETURNED: "returned",
    ReleaseStatus.REQUESTED: "undecided",
}


def outputs(asked: Asked) -> Iterator[Line]:
    """Tell of the mechanisms, the airlocks' decisions, the spending, erasures and models."""
    if asked.plan is not None:
        yield line("mechanism", mechanism(asked.plan), [asked.run])
        yield line("bounds", _bounds(asked.plan), [asked.run])
    yield from _releases(asked)
    yield from _spendings(asked)
    for row in asked.index.erasures(run=asked.run.run, limit=EVERY):
        yield line(
            f"erasure by site {row.site}",
            f"{row.blobs} blobs that were made from dataset {row.dataset}; commitment of their list"
            f" {row.list}, of the grounds {row.grounds}",
            [row],
            name=asked.name(row.site),
            site=row.site,
            dataset=row.dataset,
        )
    yield from _models(asked)


def mechanism(plan: Plan) -> str:
    """Say in a sentence what a plan does so that updates betray nobody."""
    return f"{_noise(plan)}; {_sight(plan)}"


def _noise(plan: Plan) -> str:
    privacy = plan.privacy
    if privacy.mechanism == "none":
        return "no noise is planned"
    if privacy.hides_sites:
        return (
            f"{privacy.mechanism}: updates of norm {privacy.clip_norm} at most, and in their masked"
            f" sum noise of {privacy.noise_multiplier} times the longest weighted one; a site"
            f" spends at most epsilon {privacy.epsilon} at delta {privacy.delta} on all its records"
            f" together in the whole run"
        )
    return (
        f"{privacy.mechanism}: gradients of norm {privacy.clip_norm} at most, noise"
        f" of {privacy.noise_multiplier} times that; a site spends at most epsilon"
        f" {privacy.epsilon} at delta {privacy.delta} on any one record in the whole run"
    )


def _sight(plan: Plan) -> str:
    """Say who can read a single update."""
    if plan.is_masked:
        return (
            "updates are masked: nobody can read a single one, but for the sum of those that"
            f" count, while no more than {colluding(plan)} of a cohort work together"
        )
    if plan.is_encrypted:
        named = ", ".join(map(str, plan.homomorphic.aggregators))
        return (
            f"updates are encrypted, and sites {named} add them without the key: one of these and a"
            " site of the run, which all share one key, could together read a single one"
        )
    if plan.privacy.sealed:
        return (
            "updates are sealed: the members of a round can read each single one, and whoever was"
            " granted its key on the record"
        )
    return "every member can read each single update"


def colluding(plan: Plan) -> str:
    """Say how large a part of a cohort may work together and see through no mask."""
    return f"{(plan.masking.colluding * 100).normalize():f} percent"


def _bounds(plan: Plan) -> str:
    late = "after submissions have closed" if plan.reveals_late else "at once"
    norm = f"an update has the Euclidean norm {plan.update.maximum_norm} at most"
    if plan.is_masked:
        masking = plan.masking
        return (
            f"{norm}, and no value above {masking.clip}, which its own site alone can see to; it is"
            f" packed in a ring of {masking.ring_bits} bits, and its bytes are published {late}"
        )
    if plan.is_encrypted:
        return (
            f"{norm}, and no value above {plan.homomorphic.clip}, which its own site alone can see"
            f" to; it is encrypted, and its bytes are published {late}"
        )
    return f"{norm}, is packed as {plan.update.codec}, and its bytes are published {late}"


def _releases(asked: Asked) -> Iterator[Line]:
    by_dataset: dict[tuple[SiteId, DatasetId], list[ReleaseCount]] = defaultdict(list)
    for count in asked.index.release_counts(asked.run.run):
        by_dataset[count.site, count.dataset].append(count)
    for (site, dataset), counts in sorted(by_dataset.items()):
        asked_for = sum(each.many for each in counts)
        told = ", ".join(f"{each.many} {_SAID.get(each.status, 'undecided')}" for each in counts)
        yield line(
            f"airlock of site {site}",
            f"{asked_for} updates of dataset {dataset} were to leave: {told}",
            counts,
            name=asked.name(site),
            site=site,
            dataset=dataset,
            more_records=asked_for - len(counts),
        )
    silent = sorted(set(asked.sites) - {site for site, _ in by_dataset})
    if silent:
        named = ", ".join(str(site) for site in silent[:20])
        rest = f" and {len(silent) - 20} more" if len(silent) > 20 else ""
        yield line(
            "airlocks without a record",
            f"sites {named}{rest}: no decision on what left them is on record",
            [],
        )


def _spendings(asked: Asked) -> Iterator[Line]:
    for row in asked.index.last_spendings(asked.run.run):
        budget = asked.index.budget(row.dataset)
        ceiling = asked.index.ceilings(dataset=row.dataset, limit=1, newest_first=True)
        yield line(
            f"privacy of dataset {row.dataset}",
            f"{row.spent} spent in this run; {budget.spent} over all runs, of a ceiling of"
            f" {budget.ceiling}",
            [row, *ceiling],
            name=asked.name(row.site),
            site=row.site,
            dataset=row.dataset,
            more_records=row.many - 1,
        )


def _models(asked: Asked) -> Iterator[Line]:
    final = asked.run.final_rounds
    newest = asked.index.rounds(asked.run.run, limit=2, newest_first=True)
    latest = next((each for each in newest if each.status == "final" and each.state), None)
    if latest is not None:
        yield line(
            "models",
            f"one after each of {final} final rounds; the latest, of round {latest.round}, has the"
            f" commitment {latest.state}",
            [latest],
            more_records=max(0, final - 1),
        )

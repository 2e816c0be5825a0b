"""Tell which cluster's model each update of a lineage went into.

The log does not say: the rounds' records do, and they are blobs. Whoever has
them at hand adds here what they say; the index keeps none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fednet.domain.identity import Commitment, SiteId
from fednet.domain.record import RoundRecord
from fednet.domain.sections import ClustersSection
from fednet.provenance.rows import Lineage, LineageStep


def with_clusters(
    lineage: Lineage,
    section: ClustersSection,
    records: Mapping[Commitment, RoundRecord],
    cluster: int | None = None,
) -> Lineage:
    """Add clusters to the updates of a lineage whose run has several models.

    Args:
        lineage: As the index gives it.
        section: The plan's ``clusters``.
        records: Records of its rounds, by commitment; rounds without one stay as they are.
        cluster: Keep only the updates that made this cluster's model; None keeps all. Before
            groups by similarity form, that is cluster 0's, from which every model then parts.
    """
    steps = []
    for step in lineage.steps:
        record = records.get(step.record)
        steps.append(_step(step, section, record, cluster) if record else step)
    return replace(lineage, steps=tuple(steps), cluster=cluster)


def _step(
    step: LineageStep, section: ClustersSection, record: RoundRecord, cluster: int | None
) -> LineageStep:
    into = clusters_of(section, record)
    updates = tuple(replace(each, cluster=into.get(each.site)) for each in step.updates)
    if cluster is not None:
        is_common = section.method == "similarity" and step.round < section.form_round
        wanted = 0 if is_common else cluster
        updates = tuple(each for each in updates if each.cluster == wanted)
    return replace(step, updates=updates)


def clusters_of(section: ClustersSection, record: RoundRecord) -> dict[SiteId, int]:
    """Read from a record's outcome which cluster's model took each included update, by site."""
    said = ((number, record.outcome.get(f"cluster-{number}")) for number in range(section.count))
    return {
        SiteId(site): number for number, sites in said if isinstance(sites, list) for site in sites
    }

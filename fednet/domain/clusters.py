"""Which cluster's model a site may train in a round."""

from __future__ import annotations

from collections.abc import Mapping

from fednet.domain.identity import SiteId
from fednet.domain.sections import ClustersSection


def forms_in(section: ClustersSection, round_number: int) -> bool:
    """Tell whether the updates of a round form the groups."""
    return section.method == "similarity" and round_number == section.form_round


def part_for(
    section: ClustersSection, round_number: int, assigned: Mapping[SiteId, int], site: SiteId
) -> int | None:
    """Return the part of the state that a site's update must carry.

    None lets the site choose the model of the lowest loss: with IFCA always,
    with groups by similarity for a site that was absent when they formed. Its
    first choice then binds it.
    """
    if section.method == "none":
        return 0
    if section.method == "ifca":
        return None
    return 0 if round_number <= section.form_round else assigned.get(site)

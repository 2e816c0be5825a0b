"""A lineage of a run with several models: which cluster's model each update went into."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from fednet.domain.identity import Commitment
from fednet.domain.record import RoundRecord
from fednet.domain.sections import ClustersSection
from fednet.provenance import Lineage, draw, with_clusters
from tests.unit.provenance.test_drawing import SVG, lineage_of

ROUNDS, SITES, FORM_ROUND = 3, 4, 2
IFCA = ClustersSection(method="ifca", count=2)
SIMILARITY = ClustersSection(method="similarity", count=2, form_round=FORM_ROUND)
GROUPS = {"cluster-0": [1, 3], "cluster-1": [4]}
"""Site 2's update is invalid, so that no model took it."""


def record(number: int, outcome: dict[str, str | int | list[int]]) -> RoundRecord:
    return RoundRecord(
        format="fednet-round-record/1", chain_id=1, contract="0x", run=1, round=number, attempt=1,
        proposal=1, proposer=1, plan="0" * 64, previous_record="0" * 64, previous_state="0" * 64,
        rule="fedavg", outcome=outcome, updates=(), state="0" * 64, state_locator="0" * 64,
        state_size_bytes=1, credits=(), credits_root="0" * 64, credits_total=0,
    )  # fmt: skip


def records_of(lineage: Lineage, common: int = 0) -> dict[Commitment, RoundRecord]:
    """Give each round a record; in the first so many all sites train cluster 0's model."""
    return {
        step.record: record(
            step.round, {"cluster-0": [1, 3, 4]} if step.round <= common else dict(GROUPS)
        )
        for step in lineage.steps
    }


def sites_by_round(lineage: Lineage) -> dict[int, list[int]]:
    return {step.round: [each.site for each in step.updates] for step in lineage.steps}


def test_every_update_is_told_its_cluster() -> None:
    plain = lineage_of(ROUNDS, SITES)
    found = with_clusters(plain, IFCA, records_of(plain))
    assert found.cluster is None
    for step in found.steps:
        assert [each.cluster for each in step.updates] == [0, None, 0, 1]


def test_one_cluster_lists_what_made_its_model_alone() -> None:
    plain = lineage_of(ROUNDS, SITES)
    found = with_clusters(plain, IFCA, records_of(plain), 1)
    assert found.cluster == 1
    assert sites_by_round(found) == {3: [4], 2: [4], 1: [4]}


def test_before_groups_form_every_cluster_comes_of_the_common_model() -> None:
    plain = lineage_of(ROUNDS, SITES)
    found = with_clusters(plain, SIMILARITY, records_of(plain, FORM_ROUND - 1), 1)
    assert sites_by_round(found) == {3: [4], 2: [4], 1: [1, 3, 4]}


def test_cluster_that_got_no_update_keeps_its_round() -> None:
    plain = lineage_of(1, SITES)
    found = with_clusters(plain, IFCA, records_of(plain, 1), 1)
    assert sites_by_round(found) == {1: []}


def test_round_without_a_record_at_hand_stays_as_it_was() -> None:
    plain = lineage_of(ROUNDS, SITES)
    known = records_of(plain)
    del known[plain.steps[0].record]
    found = with_clusters(plain, IFCA, known)
    assert found.steps[0] == plain.steps[0]
    assert found.steps[1] != plain.steps[1]


def test_drawing_says_into_which_model_an_update_went() -> None:
    plain = lineage_of(ROUNDS, SITES)
    drawn = draw(with_clusters(plain, IFCA, records_of(plain), 1))
    texts = [each.text or "" for each in ET.fromstring(drawn).iter(f"{SVG}text")]
    assert "1: 4 Hospital 4" in texts
    assert any(", cluster 1: " in text for text in texts)
    assert "into the model of cluster 1" in drawn
    assert "cluster" not in draw(plain)

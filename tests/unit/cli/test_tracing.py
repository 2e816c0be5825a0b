"""A lineage of a run with clusters, completed from the store: real training and a real index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fednet.cli.tracing import of_cluster
from fednet.domain.identity import Commitment, Locator
from fednet.domain.record import RoundRecord
from fednet.domain.sections import ClustersSection
from fednet.errors import BlobMissingError, SettingsError
from fednet.exports.extracting import model_bytes
from fednet.provenance import IndexedBlock, LedgerIndex, Lineage
from tests.unit.audit.books import DEPLOYMENT
from tests.unit.audit.schooling import School

ROUNDS = 2
STORE = SimpleNamespace(timeout_seconds=1)
APP: Any = SimpleNamespace(settings=lambda: SimpleNamespace(store=STORE))


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> School:
    folder: Path = tmp_path_factory.mktemp("school")
    school = School(folder, ROUNDS, {"clusters": ClustersSection(method="ifca", count=2)})
    school.play(ROUNDS)
    return school


@pytest.fixture(scope="module")
def found(school: School) -> Iterator[Lineage]:
    events = sorted([*school.events_seen, *school.logged], key=lambda each: each.log.block)
    blocks = [IndexedBlock(school.blocks([each.log.block])[0], [each]) for each in events]
    with closing(LedgerIndex.open(school.folder / "index.sqlite", DEPLOYMENT)) as index:
        index.ingest(blocks)
        yield index.lineage(school.base)


def records_of(school: School) -> list[RoundRecord]:
    paths = (school.folder / f"record-{number}-1-1" for number in range(ROUNDS, 0, -1))
    return [RoundRecord.from_bytes(path.read_bytes(), "record") for path in paths]


@pytest.mark.parametrize("cluster", [0, 1])
def test_lineage_of_a_cluster_holds_its_updates_and_names_its_model(
    school: School, found: Lineage, cluster: int
) -> None:
    traced = of_cluster(APP, school.store, found, cluster)
    made = [[each.site for each in step.updates] for step in traced.steps]
    assert made == [record.outcome.get(f"cluster-{cluster}", []) for record in records_of(school)]
    state = school.base_path.read_bytes()
    model = model_bytes(state, school.base, school.plan, cluster, "state")
    assert traced.cluster_model == Commitment.of(model) != school.base
    assert traced.task_digest == school.plan.task.digest


def test_initial_model_of_a_cluster_has_a_commitment_of_its_own(
    school: School, found: Lineage
) -> None:
    bare = replace(found, steps=(), subject=found.initial_model)
    models = {of_cluster(APP, school.store, bare, cluster).cluster_model for cluster in (0, 1)}
    assert len(models) == 2


def test_cluster_that_is_not_there_is_refused(school: School, found: Lineage) -> None:
    with pytest.raises(SettingsError, match="no such cluster"):
        of_cluster(APP, school.store, found, 2)


def test_cluster_whose_record_nobody_serves_is_no_lineage(school: School, found: Lineage) -> None:
    lost = Locator(bytes(32))
    gone = replace(found.steps[0], record=Commitment.of(b"gone"), record_locator=lost)
    with pytest.raises(BlobMissingError):
        of_cluster(APP, school.store, replace(found, steps=(gone,)), 0)

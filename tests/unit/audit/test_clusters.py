"""Groups of sites that differ: one model fails them, one each does not, and the audit agrees."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fednet.domain.record import RoundRecord
from fednet.domain.sections import ClustersSection, EvaluationSection
from tests.unit.audit.schooling import SITES, School, dialect

ROUNDS = 10
ACCURACY = {"evaluation": EvaluationSection(metric="accuracy")}


def similarity(form_round: int = 1) -> dict[str, object]:
    return ACCURACY | {
        "clusters": ClustersSection(method="similarity", count=2, form_round=form_round)
    }


def records_of(school: School) -> list[RoundRecord]:
    paths = (school.folder / f"record-{number}-1-1" for number in range(1, school.place.round + 1))
    return [RoundRecord.from_bytes(path.read_bytes(), "record") for path in paths if path.exists()]


def test_one_model_fails_two_groups_of_sites(tmp_path: Path) -> None:
    school = School(tmp_path, ROUNDS, ACCURACY)
    school.play(ROUNDS)
    assert np.mean(school.accuracy([0, 0])) < 0.65
    assert school.audit().findings == ()


def test_ifca_gives_each_group_its_model_and_the_audit_agrees(tmp_path: Path) -> None:
    school = School(
        tmp_path, ROUNDS, ACCURACY | {"clusters": ClustersSection(method="ifca", count=2)}
    )
    school.play(ROUNDS)
    last = records_of(school)[-1]
    groups = [last.outcome["cluster-0"], last.outcome["cluster-1"]]
    assert sorted(map(str, groups)) == [str([1, 3, 5]), str([2, 4, 6])]
    first = groups.index([1, 3, 5])
    assert min(school.accuracy([first, 1 - first])) > 0.85
    assert last.clusters == ()
    assert school.audit().findings == ()


def test_similar_updates_form_the_groups_once(tmp_path: Path) -> None:
    school = School(tmp_path, ROUNDS, similarity(form_round=2))
    school.play(1)
    assert records_of(school)[0].clusters == ()
    school.play(ROUNDS - 1)
    records = records_of(school)
    expected = {site: dialect(site) for site in school.sites}
    assert [record.assigned for record in records] == [{}] + [expected] * (ROUNDS - 1)
    assert records[1].outcome == {"cluster-0": [1, 3, 5], "cluster-1": [2, 4, 6]}
    assert min(school.accuracy([0, 1])) > 0.85
    assert school.audit().findings == ()


def test_groups_start_from_the_model_that_all_trained(tmp_path: Path) -> None:
    school = School(tmp_path, 2, similarity())
    before = school.global_state()
    school.play(1)
    after = school.global_state()
    for name in school.shape.model.tensors:
        steps = [
            np.linalg.norm(
                after[f"~cluster-{part}/{name.name}"] - before[f"~cluster-0/{name.name}"]
            )
            for part in (0, 1)
        ]
        apart = np.linalg.norm(after[f"~cluster-1/{name.name}"] - before[f"~cluster-1/{name.name}"])
        assert max(steps) < apart


def test_a_site_cannot_write_into_another_groups_model(tmp_path: Path) -> None:
    school = School(tmp_path, 3, similarity())
    school.play(1)
    for site in school.sites:
        school.train(site, part=1 - dialect(site) if site == 4 else None)
    school.close()
    school.propose()
    school.attest(*school.sites)
    school.finalize()
    entries = {entry.site: entry for entry in records_of(school)[-1].updates}
    assert (entries[4].verdict, entries[4].reason) == ("invalid", "wrong-cluster")
    assert {entries[site].verdict for site in (1, 2, 3, 5, 6)} == {"included"}
    assert [each.code for each in school.audit().findings] == []


def test_a_site_that_was_absent_joins_the_group_it_chooses_and_stays(tmp_path: Path) -> None:
    school = School(tmp_path, 3, similarity())
    absent = school.sites[-1]
    for site in school.sites[:-1]:
        school.train(site)
    school.close()
    school.propose()
    school.attest(*school.sites[:-1])
    school.finalize()
    assert absent not in records_of(school)[0].assigned
    school.play(1)
    assert records_of(school)[1].assigned == {site: dialect(site) for site in school.sites}
    school.train(absent, part=1 - dialect(absent))
    for site in school.sites[:-1]:
        school.train(site)
    school.close()
    school.propose()
    entries = {entry.site: entry for entry in records_of(school)[-1].updates}
    assert entries[SITES].reason == "wrong-cluster"

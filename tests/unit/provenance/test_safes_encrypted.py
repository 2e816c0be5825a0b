"""What the Five Safes and an assessment say of a plan whose updates are encrypted."""

from __future__ import annotations

from fednet.exports.assessment.measures import measures
from fednet.provenance.safes.outputs import mechanism
from tests.unit.domain.test_homomorphic_section import ENCRYPTED, plan_with


def test_the_five_safes_name_who_could_read_an_update() -> None:
    told = mechanism(plan_with(**ENCRYPTED))
    assert "sites 5, 6, 7 add them without the key" in told
    assert "all share one key" in told
    assert "every member can read" not in told


def test_an_assessment_says_that_there_is_no_threshold() -> None:
    told = list(measures(plan_with(**ENCRYPTED)))
    assert any(
        "3 aggregators without the key" in each and "without a threshold" in each for each in told
    )
    assert any("whoever gets hold of a stored model can" in each for each in told)
    assert any("no value above 0.5" in each for each in told)
    assert not any(each.startswith("Secure aggregation") for each in told)

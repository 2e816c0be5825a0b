"""What the site's policy asks of the ledger before the node trains, and what it then says."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from fednet.airlock import Airlock, policy_of
from fednet.domain.events import AccessRequested, Log
from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    Locator,
    RunId,
    SiteId,
)
from fednet.domain.sections import PrivacySection
from fednet.errors import LedgerUnavailableError
from fednet.node.admission import find_obstacle
from tests.unit.node.views import PLAN

PURPOSE = Commitment.of(b"study 17")
RESEARCHER = Address("0x" + "ab" * 20)
OPENED: Any = SimpleNamespace(researcher=RESEARCHER)
TERMS: Any = SimpleNamespace(plan=PLAN)


class Reader:
    """A ledger on which dataset 2 was granted, for study 17, to one researcher."""

    deployment = SimpleNamespace(block=0)

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_down = False

    def access(self, grant: int) -> Any:
        self.asked.append("access")
        if self.is_down:
            raise LedgerUnavailableError("no answer", subject="chain")
        return SimpleNamespace(dataset=DatasetId(2))

    def dataset(self, dataset: int) -> Any:
        return SimpleNamespace(dataset=DatasetId(2), examples=40)

    def events(self, kinds: Any, from_block: int) -> list[AccessRequested]:
        self.asked.append("events")
        log = Log(0, 0, Digest(bytes(32)), Address("0x"))
        located = Locator(bytes(PURPOSE))
        return [
            AccessRequested(log, GrantId(number), DatasetId(2), RESEARCHER, purpose, located)
            for number, purpose in ((5, Commitment.of(b"other")), (6, PURPOSE))
        ]


def obstacle(
    policy: dict[str, Any], reader: Any, digest: str = PLAN.task.digest, terms: Any = TERMS
) -> str:
    trainer = SimpleNamespace(digest=lambda plan: digest)
    tools: Any = SimpleNamespace(
        airlock=Airlock(policy_of(policy, "policy")), reader=reader, trainer=trainer, gate=None,
        site=SiteId(1),
    )  # fmt: skip
    return find_obstacle(tools, terms, OPENED, GrantId(6))


def test_a_policy_that_does_not_speak_of_plans_asks_nothing_of_the_ledger() -> None:
    reader = Reader()
    assert obstacle({"update": {"maximum_norm": 3}, "gate": {"human": True}}, reader) == ""
    assert not reader.asked


def test_the_purpose_of_the_very_grant_is_looked_up() -> None:
    assert obstacle({"plans": {"purposes": ["study 17"]}}, Reader()) == ""
    assert "plans.purposes" in obstacle({"plans": {"purposes": ["other"]}}, Reader())


@pytest.mark.parametrize(
    ("policy", "line"),
    [
        ({"plans": {"researchers": ["0x" + "12" * 20]}}, "plans.researchers"),
        ({"plans": {"mechanisms": ["epsilon <= 3"]}}, "plans.mechanisms"),
        ({"data": {"minimum_examples": 41}}, "data.minimum_examples"),
    ],
)
def test_the_line_that_refuses_and_the_remedy_are_told(policy: dict[str, Any], line: str) -> None:
    said = obstacle(policy, Reader())
    assert f"refuses this run by {line}" in said
    assert "fednet run withdraw" in said


@pytest.mark.parametrize(
    ("wanted", "met"),
    [
        ("epsilon <= 3", True),
        ("epsilon <= 2.999999", False),
        ("delta <= 0.00001", True),
        ("delta <= 0.000009", False),
        ("secure-aggregation", False),
        ("secure-aggregation or epsilon <= 3", True),
    ],
)
def test_what_a_plan_with_noise_promises_is_its_epsilon_and_delta(wanted: str, met: bool) -> None:
    promise = PrivacySection(
        mechanism="dp-sgd", clip_norm=Decimal(1), noise_multiplier=Decimal(1),
        epsilon=Decimal(3), delta=Decimal("0.00001"),
    )  # fmt: skip
    terms = SimpleNamespace(run=RunId(1), plan=PLAN.model_copy(update={"privacy": promise}))
    said = obstacle({"plans": {"mechanisms": [wanted]}}, Reader(), terms=terms)
    assert (said == "") is met
    if not met:
        assert f"expected {wanted}; got epsilon 3, delta 0.00001" in said
        assert "ask the researcher for a plan that promises it" in said


def test_other_code_is_an_obstacle_whatever_the_policy_allows() -> None:
    assert "another digest" in obstacle({"plans": {"tasks": ["digits"]}}, Reader(), "f" * 64)


def test_a_ledger_that_does_not_answer_is_no_permission() -> None:
    reader = Reader()
    reader.is_down = True
    with pytest.raises(LedgerUnavailableError):
        obstacle({"data": {"minimum_examples": 2}}, reader)

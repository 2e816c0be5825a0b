"""A node and its airlock in a run, killed between any two steps: asked, decided, sent or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fednet.codec import TensorFile
from fednet.domain.update import Manifest
from fednet.errors import AirlockRefusedError, FednetError, TaskError
from tests.unit.audit.books import RUN
from tests.unit.node.airlock_site import (
    APPROVE,
    APPROVED,
    EXPIRED,
    FIRST,
    HUMAN,
    INSIDE,
    REJECT,
    REJECTED,
    REQUESTED,
    RETURN,
    RETURNED,
    SITE,
    Late,
    Site,
    keep_time,
)
from tests.unit.node.views import attempt_key


@pytest.fixture(params=[False, True], ids=["runs on", "killed after each step"])
def open_site(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    sites: list[Site] = []

    def open_site(policy: dict[str, Any]) -> Site:
        site = Site(tmp_path, policy, kills=request.param)
        keep_time(site, monkeypatch)
        sites.append(site)
        return site

    yield open_site
    for site in sites:
        site.close()


def test_without_a_person_an_update_is_recorded_and_then_sent(open_site: Any) -> None:
    site = open_site({})
    assert site.rest() == "others are training"
    assert site.ledger.order == ["requested", "approved", "submitted"]
    record = site.ledger.told[0]
    assert (record.run, record.round, record.attempt, record.dataset) == (RUN, 1, 1, 43)
    assert site.hands.trainings == 1


def test_an_update_waits_for_a_person_while_the_node_goes_on(open_site: Any) -> None:
    site = open_site(HUMAN)
    assert site.rest() == "a person decides on update 1: fednet airlock show 1"
    assert not site.submitted
    site.ledger.begin(1)  # something else happens on the chain
    assert "a person decides" in site.rest()
    site.answer(APPROVE)
    assert site.rest() == "others are training"
    assert site.submitted
    assert site.hands.trainings == 1


def test_a_rejected_update_costs_the_attempt_and_nothing_else(open_site: Any) -> None:
    site = open_site(HUMAN)
    site.rest()
    site.answer(REJECT)
    assert "the airlock keeps update 1 in, a reviewer rejected it" in site.rest()
    assert site.steps == [REQUESTED, REJECTED]
    assert not site.submitted
    assert not site.journal.notes(RUN).pledges
    site.ledger.go_on()
    assert "a person decides on update 2" in site.rest()
    site.answer(APPROVE)
    site.rest()
    assert site.submitted
    assert site.steps == [REQUESTED, REJECTED, REQUESTED, APPROVED]


def test_values_that_were_rejected_are_not_asked_about_again(open_site: Any) -> None:
    site = open_site(HUMAN)
    site.hands.is_stubborn = True
    site.rest()
    site.answer(REJECT)
    site.rest()
    site.ledger.go_on()
    assert "the airlock keeps update 2 in, a reviewer rejected it" in site.rest()
    assert site.steps == [REQUESTED, REJECTED] * 2


def test_what_is_sent_back_is_made_again_in_the_same_attempt(open_site: Any) -> None:
    site = open_site(HUMAN)
    site.rest()
    site.ledger.now += 30
    site.answer(RETURN)
    assert site.rest() == "a person decides on update 2: fednet airlock show 2"
    assert (site.hands.trainings, site.submitted) == (2, False)
    site.answer(APPROVE)
    site.rest()
    assert site.submitted
    assert site.steps == [REQUESTED, RETURNED, REQUESTED, APPROVED]
    assert site.ledger.order[-2:] == ["approved", "submitted"]


def test_what_is_sent_back_without_time_left_costs_the_attempt(open_site: Any) -> None:
    site = open_site({"gate": {"human": True, "answer_seconds": 9_999}})
    site.ledger.now += 20  # so long it took
    site.rest()
    site.ledger.now = site.ledger.deadline - 19
    site.answer(RETURN)
    assert "the airlock keeps update 1 in, a reviewer returned it" in site.rest()
    assert (site.hands.trainings, site.submitted) == (1, False)
    assert site.steps == [REQUESTED, RETURNED]
    site.ledger.go_on()
    assert "a person decides on update 2" in site.rest()


def test_what_nobody_answers_in_time_costs_the_attempt(open_site: Any) -> None:
    site = open_site(HUMAN)
    site.rest()
    site.ledger.now += 61
    assert "nobody answered in time" in site.rest()
    site.answer(APPROVE)  # too late
    assert "nobody answered in time" in site.rest()
    assert site.steps == [REQUESTED, EXPIRED]
    assert not site.submitted


def test_what_nobody_answers_leaves_where_the_policy_says_so(open_site: Any) -> None:
    site = open_site({"gate": {**HUMAN["gate"], "unanswered": "release"}})
    site.rest()
    site.ledger.now += 61
    site.rest()
    assert site.submitted
    assert site.steps == [REQUESTED, APPROVED]


def test_a_round_that_goes_on_ends_the_waiting(open_site: Any) -> None:
    site = open_site(HUMAN)
    site.rest()
    site.ledger.go_on()
    assert "a person decides on update 2" in site.rest()
    assert site.steps[:2] == [REQUESTED, EXPIRED]
    assert site.gate.held(RUN)[FIRST].why == "the round went on before it was decided"


def test_a_check_that_refuses_costs_the_attempt_and_is_recorded(open_site: Any) -> None:
    site = open_site({"update": {"maximum_norm": 0.5}})
    with pytest.raises(AirlockRefusedError, match="norm"):
        site.rest()
    assert "sitting this attempt out" in site.rest()
    assert site.steps == [REQUESTED, REJECTED]
    assert (site.hands.trainings, site.submitted) == (1, False)
    assert not list((site.folder / "runs").rglob("update-*"))


def test_content_is_compared_with_the_data_before_anybody_is_asked(open_site: Any) -> None:
    site = open_site(INSIDE | HUMAN)
    assert "a person decides on update 1" in site.rest()
    assert site.hands.looked == 1
    site.answer(APPROVE)
    site.rest()
    assert site.submitted


def test_content_that_betrays_too_much_stays(open_site: Any) -> None:
    site = open_site(INSIDE)
    site.hands.examples_alike = 1
    with pytest.raises(AirlockRefusedError) as caught:
        site.rest()
    assert caught.value.check == "content.minimum_effective_examples"
    assert "sitting this attempt out" in site.rest()
    assert site.steps == [REQUESTED, REJECTED]
    assert site.hands.looked == 1


def test_content_that_nobody_can_look_into_stays(open_site: Any) -> None:
    site = open_site(INSIDE)
    site.hands.failure = TaskError("the task failed", subject="probe")
    with pytest.raises(TaskError):
        site.rest()
    if not site.kills:
        assert "the task failed" in site.rest()
    assert not site.submitted


def test_a_budget_that_is_used_up_keeps_the_next_update_in(open_site: Any) -> None:
    site = open_site({"budgets": {"43": {"updates": 1}}})
    site.rest()
    assert site.submitted
    site.ledger.go_on()
    assert "budgets.43.updates" in site.rest()
    assert site.steps[:2] == [REQUESTED, APPROVED]
    assert len([each for each in site.ledger.order if each == "submitted"]) == 1


def test_nothing_leaves_before_the_ledger_knows_that_it_may(open_site: Any) -> None:
    site = open_site({})
    site.ledger.is_down = True
    with pytest.raises(FednetError):
        site.rest()
    assert not site.submitted
    site.ledger.is_down = False
    site.rest()
    assert site.ledger.order == ["requested", "approved", "submitted"]


def test_an_approved_update_whose_bytes_are_gone_is_never_promised(open_site: Any) -> None:
    site = open_site(HUMAN)
    site.rest()
    site.answer(APPROVE)
    for path in (site.folder / "runs").rglob("update-*"):
        path.unlink()
    for _ in range(5):
        site.step()
    assert site.steps == [REQUESTED, APPROVED]
    assert not site.journal.notes(RUN).pledges
    assert not site.submitted


@pytest.fixture
def late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    # What was trained is in memory only: a node that is killed trains again.
    site = Site(tmp_path, HUMAN, Late, kills=False)
    keep_time(site, monkeypatch)
    yield site
    site.close()


def test_late_work_waits_from_round_to_round_and_is_asked_about_once(late: Site) -> None:
    initial = late.ledger.base
    assert "a person decides on update 1" in late.rest()
    late.answer(APPROVE)  # and the round closes before the node sees it
    fast: Any = late.ledger
    fast.fast()
    assert late.rest() == "others are training"
    assert late.steps == [REQUESTED, EXPIRED, REQUESTED, APPROVED]
    (sent,) = [each for each in late.ledger.submissions() if each.site == SITE]
    assert (sent.round, late.hands.trainings) == (2, 1)
    pledge = late.journal.notes(RUN).pledges[attempt_key(2)]
    with TensorFile(late.folder / "runs" / "run-1" / pledge.file, "update") as file:
        assert Manifest.from_metadata(file.metadata, "update").base == initial


def test_late_work_that_is_sent_back_is_trained_anew(late: Site) -> None:
    late.rest()
    late.answer(RETURN)
    assert "a person decides on update 2" in late.rest()
    assert late.hands.trainings == 2
    assert late.steps == [REQUESTED, RETURNED, REQUESTED]

"""The seven misuses of privacy that are refused: each with the reason, and with the remedy.

That a contract refuses the one that only it can see, and at which moment, is for
``tests/contracts``; here it is what a person is told of the refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from fednet.airlock import Petition, check_plan, policy_of, promised
from fednet.airlock.report import Verdict
from fednet.domain.disclosures import PrivacyLoss
from fednet.domain.identity import Address, Commitment, DatasetId, SiteId
from fednet.domain.plan import Plan
from fednet.errors import (
    AirlockRefusedError,
    BudgetExceededError,
    FednetError,
    PhaseError,
    PlanError,
    RevertedError,
)
from fednet.ledger import abi
from fednet.ledger.refusals import refusal
from fednet.privacy.masking import Masked, bind, freeze, require_maskable
from tests.masking_fixtures import TEN, Attempt
from tests.unit.domain.test_masking_section import MASKED, plan_with
from tests.unit.privacy.test_allowance import allowance, expense

ONE, NINE = SiteId(1), SiteId(9)


def krum_with_secure_aggregation() -> None:
    plan_with(**MASKED, aggregation={"rule": "krum"})


def ring_too_small_for_the_weights() -> None:
    many = {"minimum_sites": 10, "target_sites": 10, "maximum_sites": 60}
    masking = {"clip": 1, "ring_bits": 32, "colluding": "0.2", "vanishing": "0.2"}
    require_maskable(
        plan_with(
            module={"name": "masked"}, masking=masking, cohort=many,
            update={"maximum_examples": 1_000_000},
        )
    )  # fmt: skip


def epsilon_ceiling_reached() -> None:
    ceiling = PrivacyLoss.of(Decimal("0.5"), Decimal("0.00001"))
    allowance(ceiling, spent=ceiling).charge(expense())


def put_to(policy: dict[str, Any], plan: Plan, examples: int) -> None:
    """Put a plan to a site's policy as the node does before it consents."""
    petition = Petition(
        plan, promised(plan), Address("0x" + "11" * 20), None, DatasetId(4), examples
    )
    checks = check_plan(policy_of(policy, "policy"), petition)
    refused = [check for check in checks if check.verdict is Verdict.REFUSED]
    if refused:
        raise refused[0].error()


def mechanism_that_the_plan_lacks() -> None:
    put_to({"plans": {"mechanisms": ["secure-aggregation or epsilon <= 3"]}}, plan_with(), 100)


def fewer_examples_than_the_policys_minimum() -> None:
    put_to({"data": {"minimum_examples": 100}}, plan_with(), 99)


def fewer_examples_than_the_plans_minimum() -> None:
    put_to({}, plan_with(update={"minimum_examples": 100}), 99)


def second_unmasking_request() -> None:
    attempt = Attempt.begin(TEN)
    attempt.deal(TEN)
    attempt.hold(TEN)
    dealers = attempt.close()
    included = {site: Masked(Commitment.of(b"%d" % site), 1) for site in TEN}
    bound = bind(freeze(dealers, included), ONE, None)
    del included[NINE]
    bind(freeze(dealers, included), ONE, bound)


def share_sent_twice() -> None:
    selector = next(
        each for each, error in abi.errors_by_selector().items() if error.name == "AlreadyRecorded"
    )
    raise refusal(selector + abi.encode(["uint64", "uint32"], [1, 7]), "deal_shares")


MISUSES: list[tuple[Callable[[], None], type[FednetError], str, str]] = [
    (
        krum_with_secure_aggregation, PlanError,
        "krum compares updates with one another, and masked ones cannot be seen",
        'set aggregation.rule = "fedavg", or module.name = "plain"',
    ),
    (
        epsilon_ceiling_reached, BudgetExceededError,
        "would go past what may be spent of the dataset, over all runs",
        "raise the ceiling: fednet privacy ceiling 4",
    ),
    (
        mechanism_that_the_plan_lacks, AirlockRefusedError,
        "expected secure-aggregation or epsilon <= 3; got nothing",
        "ask the researcher for a plan that promises it; do not consent, or leave",
    ),
    (
        fewer_examples_than_the_policys_minimum, AirlockRefusedError,
        "examples that an update rests on; expected at least 100; got 99",
        "register more data, or do not consent",
    ),
    (
        fewer_examples_than_the_plans_minimum, AirlockRefusedError,
        "fewer examples than the plan asks for; expected at least 100; got 99",
        "do not consent, or leave: fednet run withdraw RUN",
    ),
    (
        second_unmasking_request, PhaseError,
        "shares were disclosed for another set already",
        "a second unmasking would open single updates: sit out this attempt",
    ),
    (
        share_sent_twice, RevertedError,
        "the site has recorded this already, in this attempt",
        "the first record counts, and nothing takes its place",
    ),
    (
        ring_too_small_for_the_weights, PlanError,
        "a ring of 32 bits is too small for these weights",
        "choose the ring of 64 bits, or lower the cap on a site's examples",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("misuse", "kind", "reason", "remedy"), MISUSES, ids=[each[0].__name__ for each in MISUSES]
)
def test_misuse_is_refused_with_the_reason_and_the_remedy(
    misuse: Callable[[], None], kind: type[FednetError], reason: str, remedy: str
) -> None:
    with pytest.raises(kind) as caught:
        misuse()
    assert reason in str(caught.value)
    assert remedy in f"{caught.value}\n{caught.value.hint}"
    assert not caught.value.retryable

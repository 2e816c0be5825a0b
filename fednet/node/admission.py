"""Put a run to the site's own policy: gather from the ledger what the policy's lines ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fednet.airlock import (
    AirlockPolicy,
    Check,
    Petition,
    Spending,
    check_plan,
    first_refusal,
    promised,
)
from fednet.domain.events import AccessRequested, RunOpened
from fednet.domain.identity import Commitment, DatasetId, GrantId
from fednet.domain.plan import Plan
from fednet.domain.ports import LedgerReader
from fednet.errors import FednetError
from fednet.node.site import SiteTools
from fednet.node.terms import RunTerms

ADDS_ONLY = "the plan names this site to add encrypted updates, and whoever adds has no key"


def check_admission(
    policy: AirlockPolicy,
    reader: LedgerReader,
    opened: RunOpened,
    plan: Plan,
    grant: GrantId,
    spent: Callable[[DatasetId], Spending] | None = None,
    *,
    has_begun: bool = False,
    class_counts: Mapping[int, int] | None = None,
) -> list[Check]:
    """Return what each line of the policy says of a run; empty if none speaks of plans.

    Args:
        policy: The site's.
        reader: Of the ledger.
        opened: The run.
        plan: Its plan.
        grant: Grant that the site consents under, or would.
        spent: Tells what was spent of a dataset so far, over all runs; nothing was unless given.
        has_begun: Whether an update of this run is part of that.
        class_counts: Examples by class, where somebody has counted.

    Raises:
        LedgerError: The ledger does not answer.
    """
    if not policy.speaks_of_plans:
        return []
    dataset = reader.dataset(reader.access(grant).dataset)
    petition = Petition(
        plan=plan,
        promises=promised(plan),
        researcher=opened.researcher,
        purpose=_purpose(reader, grant) if policy.plans.purposes else None,
        dataset=dataset.dataset,
        examples=dataset.examples,
        class_counts=class_counts,
        spent=spent(dataset.dataset) if spent else Spending(),
        has_begun=has_begun,
    )
    return check_plan(policy, petition)


def find_obstacle(tools: SiteTools, terms: RunTerms, opened: RunOpened, grant: GrantId) -> str:
    """Return why this site must not train in a run; empty if it may.

    Raises:
        LedgerError: The ledger does not answer what the site's policy asks.
    """
    if tools.site in terms.plan.homomorphic.aggregator_sites:
        return ADDS_ONLY
    gate = tools.gate
    checks = check_admission(
        tools.airlock.policy,
        tools.reader,
        opened,
        terms.plan,
        grant,
        gate.spent if gate else None,
        has_begun=gate is not None and gate.has_begun(terms.run),
    )
    refusal = first_refusal(checks)
    if refusal is not None:
        return f"the airlock's policy refuses this run by {refusal.sentence}; {refusal.remedy}"
    try:
        actual = tools.trainer.digest(terms.plan)
    except FednetError as exc:
        return str(exc)
    if str(actual) != terms.plan.task.digest:
        return (
            f"this site's code of task {terms.plan.task.source} has another digest than the plan: "
            f"expected {terms.plan.task.digest}, got {actual}"
        )
    return ""


def _purpose(reader: LedgerReader, grant: GrantId) -> Commitment | None:
    """Return what the purpose of an access request hashes to."""
    requests = reader.events([AccessRequested], reader.deployment.block)
    found = (each for each in requests if isinstance(each, AccessRequested))
    return next((each.purpose for each in found if each.grant == grant), None)

"""What a run agreed on, read from chain and store and checked one against the other."""

from __future__ import annotations

from dataclasses import dataclass

from fednet.domain.blobs import BlobStore
from fednet.domain.events import RunOpened
from fednet.domain.history import RunHistory
from fednet.domain.identity import Address, Commitment, RoundNumber, RunId
from fednet.domain.ledger import Deployment
from fednet.domain.plan import MAX_PLAN_SIZE_BYTES, Plan
from fednet.domain.ports import LedgerReader
from fednet.domain.record import StateRef
from fednet.domain.staleness import late_bases
from fednet.domain.update import Place
from fednet.errors import PlanError

_PLAN_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class RunTerms:
    """A run's plan and where it lives."""

    run: RunId
    plan: Plan
    plan_commitment: Commitment
    initial: StateRef
    chain_id: int
    module: Address
    credits: Address

    def place(self, round_number: RoundNumber, attempt: int) -> Place:
        """Name an attempt as an update's manifest does."""
        return Place(self.chain_id, self.module, self.run, round_number, attempt)

    def late_bases(self, history: RunHistory, round_number: RoundNumber) -> dict[Commitment, int]:
        """Return how late each older state makes an update of a round."""
        return late_bases(self.plan.staleness, history, self.initial.commitment, round_number)


def read_terms(reader: LedgerReader, blobs: BlobStore, opened: RunOpened) -> RunTerms:
    """Fetch a run's plan and refuse one that is not what the chain enforces.

    Raises:
        PlanError: The plan is malformed or cannot work, or the contract holds other values.
        StoreError: The plan cannot be fetched.
    """
    subject = f"plan of run {opened.run}"
    path = blobs.fetch(
        opened.plan, [opened.plan_locator], MAX_PLAN_SIZE_BYTES, _PLAN_TIMEOUT_SECONDS
    )
    data = path.read_bytes()
    opened.plan.verify(data, subject)
    plan = Plan.from_bytes(data, subject)
    _require(subject, "parameters", plan.parameters(), reader.parameters(opened.run))
    # Of a module that the deployment does not name, nobody here knows what it is.
    if named := reader.deployment.modules.name_of(opened.module):
        _require(subject, "module", plan.module.name, named)
        drawn = reader.drawn_sites(opened.run)
        _require(subject, "number of drawn sites", plan.module.drawn_sites, drawn)
    if plan.is_masked:
        _require(subject, "masking", plan.masking_times, reader.masking_times(opened.run))
        # Imported when asked for: most runs mask nothing.
        from fednet.privacy.masking import require_maskable

        require_maskable(plan)
    if plan.is_encrypted:
        # Imported when asked for, as above.
        from fednet.privacy.homomorphic.agreement import numbers_of

        numbers_of(plan)
    _require(subject, "initial model", plan.model.commitment, str(opened.initial_model))
    _require(subject, "transferable", plan.credits.transferable, opened.transferable)
    deployment: Deployment = reader.deployment
    initial = StateRef(opened.initial_model, opened.initial_model_locator, plan.model.size_bytes)
    return RunTerms(
        opened.run,
        plan,
        opened.plan,
        initial,
        deployment.chain_id,
        opened.module,
        deployment.credits,
    )


def _require(subject: str, name: str, planned: object, enforced: object) -> None:
    if planned != enforced:
        raise PlanError(
            f"the chain enforces another {name} than the plan says",
            subject=subject,
            expected=planned,
            actual=enforced,
            hint="do not consent; ask the researcher to open the run again",
        )

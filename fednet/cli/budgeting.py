"""What may be and what is spent of datasets' privacy: asked, told, and set on the ledger."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from fednet.cli import indexing, queries, settings, wiring
from fednet.cli.app import App
from fednet.domain import canonical
from fednet.domain.disclosures import NO_LOSS, PrivacyLoss
from fednet.domain.identity import ZERO_DIGEST, Commitment, DatasetId, Digest, RunId, SiteId
from fednet.domain.plan import Plan
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.domain.privacy import Budget
from fednet.errors import FednetError, SettingsError
from fednet.node.expenses import read_expenses
from fednet.node.terms import read_terms
from fednet.privacy.accounting import Allowance

if TYPE_CHECKING:
    from fednet.provenance import LedgerIndex
    from fednet.provenance.listings import Filters

ACCOUNTS = "privacy"
"""Folder of a home in which its site's account of spent privacy is kept, and grounds."""
GROUNDS_FORMAT = "fednet-ceiling/1"
_EVERY = 1 << 40
_SALT_SIZE_BYTES = 32


@dataclass(frozen=True, slots=True)
class RunAccount:
    """What one run may spend of a dataset, and what it has."""

    run: RunId
    promised: Budget | None
    """By the run's plan; None if it promises nothing, or its bytes cannot be had now."""
    spent: Budget
    round: int
    """Of the last spending; 0 if there is none."""


@dataclass(frozen=True, slots=True)
class DatasetAccount:
    """What the ledger says of one dataset, over all runs."""

    dataset: DatasetId
    site: SiteId
    ceiling: Budget
    spent: Budget
    left: Budget
    runs: tuple[RunAccount, ...]


def require_whole_run(
    app: App,
    reader: LedgerReader,
    site: SiteId,
    run: RunId,
    plan: Plan,
    dataset: DatasetId,
    examples: int,
) -> None:
    """Refuse a run whose plan would spend more of a dataset than is left.

    Raises:
        BudgetExceededError: Its forecast is past the dataset's ceiling, or there is none.
        SettingsError: The site's own account is damaged.
    """
    if plan.privacy.mechanism == "none":
        return
    Allowance(
        site,
        Budget(plan.privacy.epsilon, plan.privacy.delta),
        reader.budget(dataset),
        reader.dataset_use(run, dataset),
        read_expenses(app.home / ACCOUNTS, reader.deployment, site).book(dataset),
    ).require_whole_run(plan, examples)


def accounts(app: App, filters: Filters) -> list[DatasetAccount]:
    """Read the account of each dataset that filters leave, with the runs that draw on it."""
    only = filters.pop("run", None)
    with indexing.fresh_index(app) as (index, _):
        datasets = index.datasets(limit=_EVERY, **filters)
        found = [_account(index, each.dataset, each.site, only) for each in datasets]
    found = [each for each in found if each.runs or only is None]
    promises = _promises(app, sorted({use.run for each in found for use in each.runs}))
    return [
        replace(
            each,
            runs=tuple(replace(use, promised=promises.get(use.run)) for use in each.runs),
        )
        for each in found
    ]


def _account(
    index: LedgerIndex, dataset: DatasetId, site: SiteId, only: int | None
) -> DatasetAccount:
    """Read one dataset's account, of one run only if asked for; what plans promise is left out."""
    budget = index.budget(dataset)
    spent = {each.run: each for each in index.spendings(limit=_EVERY, dataset=dataset)}
    consents = index.accesses(limit=_EVERY, dataset=dataset)
    drawing = {each.run for each in consents if each.run is not None} | spent.keys()
    return DatasetAccount(
        dataset,
        site,
        _budget(budget.ceiling),
        _budget(budget.spent),
        _left(budget.ceiling, budget.spent),
        tuple(
            RunAccount(
                run,
                None,
                _budget(spent[run].spent if run in spent else NO_LOSS),
                spent[run].round if run in spent else 0,
            )
            for run in sorted(drawing)
            if only in (None, run)
        ),
    )


def set_ceiling(
    app: App,
    reader: LedgerReader,
    writer: LedgerWriter,
    dataset: DatasetId,
    ceiling: PrivacyLoss,
    reason: str,
) -> Digest:
    """Set what may be spent of a dataset; return the commitment to the grounds.

    Raises:
        SettingsError: A ceiling is raised without a reason, or the disk refuses.
        LedgerError: The ledger refuses.
    """
    before = reader.budget(dataset).ceiling
    if not reason.strip() and not ceiling.is_within(before):
        raise SettingsError(
            "a ceiling is raised on grounds only",
            subject=f"dataset {dataset}",
            expected=f"at most {before}",
            actual=ceiling,
            hint="say why with --reason TEXT; it stays in this home",
        )
    grounds = _keep_grounds(app, dataset, ceiling, reason) if reason.strip() else ZERO_DIGEST
    writer.set_ceiling(dataset, ceiling, grounds)
    return grounds


def _keep_grounds(app: App, dataset: DatasetId, ceiling: PrivacyLoss, reason: str) -> Commitment:
    """Write the grounds down with a salt, so that nobody guesses them from their commitment."""
    data = canonical.encode(
        {
            "format": GROUNDS_FORMAT,
            "dataset": dataset,
            "epsilon": canonical.decimal_text(ceiling.epsilon),
            "delta": canonical.decimal_text(ceiling.delta),
            "reason": reason,
            "salt": os.urandom(_SALT_SIZE_BYTES).hex(),
        }
    )
    commitment = Commitment.of(data)
    path = app.home / ACCOUNTS / f"ceiling-{dataset}-{commitment}.json"
    settings.write_durably(path, data, private=True)
    return commitment


def _promises(app: App, runs: Sequence[RunId]) -> Mapping[RunId, Budget]:
    """Read what the plans of runs promise; plans are blobs, and one may not be had now."""
    found: dict[RunId, Budget] = {}
    if not runs:
        return found
    reader = wiring.reader(app)
    with wiring.store(app) as store:
        for run in runs:
            try:
                plan = read_terms(reader, store, queries.opening_of(reader, run).opened).plan
            except FednetError:
                continue
            if plan.privacy.mechanism != "none":
                found[run] = Budget(plan.privacy.epsilon, plan.privacy.delta)
    return found


def _budget(loss: PrivacyLoss) -> Budget:
    return Budget(loss.epsilon.normalize() + 0, loss.delta.normalize() + 0)


def _left(ceiling: PrivacyLoss, spent: PrivacyLoss) -> Budget:
    """Return what is left of a ceiling; nothing where it was lowered below what is spent."""
    left = ceiling - spent
    return _budget(PrivacyLoss(max(0, left.epsilon_micro), max(0, left.delta_pico)))


def written(budget: Budget | None) -> str:
    """Write a budget for a person."""
    if budget is None:
        return "none known"
    return "epsilon {}, delta {}".format(*map(_plainly, (budget.epsilon, budget.delta)))


def _plainly(value: Decimal) -> str:
    return f"{value:f}"

"""Make this site's update: check the data and train, then wrap it, pass the airlock, commit to it.

The order is the promise: bytes durable on the disk, then the journal, and only
then may anybody hear of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from fednet.airlock import Passage
from fednet.audit import PreviousRound
from fednet.codec import open_update, write_update
from fednet.codec.feedback import with_residual
from fednet.domain import canonical
from fednet.domain.clusters import part_for
from fednet.domain.events import ConsentGiven
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Digest
from fednet.domain.privacy import Expense, noise_of_training
from fednet.domain.tensors import Layout
from fednet.domain.update import Manifest
from fednet.errors import DataError, ShapeMismatchError, TrainingError
from fednet.node import residuals
from fednet.node.desk import Trained, Work
from fednet.node.keepsakes import Keepsakes, Kept
from fednet.node.places import AttemptKey, TrainingOrder
from fednet.node.progress import Progress
from fednet.node.site import SiteTools
from fednet.node.terms import RunTerms
from fednet.node.values import digest_of
from fednet.node.workshop import Workshop

if TYPE_CHECKING:
    from fednet.node.hiding import Hides


@dataclass(frozen=True, slots=True)
class Wrapped:
    """An update in its final bytes, as far as the airlock."""

    key: AttemptKey
    path: Path
    """The blob that may leave: sealed, in a run that seals."""
    content: Path
    """What the airlock looks at, and never leaves; the same file unless it is sealed or masked."""
    commitment: Commitment
    """Of the blob."""
    weight: int
    passage: Passage
    """What the bytes showed."""
    values: Commitment | None = None
    """Of what the file decodes to, wherever it belongs; None where no gate keeps it."""
    expense: Expense | None = None
    """What has to be paid for before it leaves; None where no noise hides anything."""

    def forget(self, *, refused: bool) -> None:
        """Remove what is of no use any more: the plain update and, if it was refused, all of it."""
        if self.content != self.path:
            self.content.unlink(missing_ok=True)
        if refused:
            self.path.unlink(missing_ok=True)


def require_registered_data(tools: SiteTools, consent: ConsentGiven) -> None:
    """Refuse to train on anything but the data that the consent's grant names.

    Raises:
        DataError: The dataset is closed, or the data is not what was registered.
    """
    dataset = tools.registered(consent.grant)
    subject = f"dataset {dataset.dataset}"
    if dataset.closed:
        raise DataError("the dataset is closed", subject=subject)
    actual = tools.data.commitment()
    if actual != dataset.data:
        raise DataError(
            "the private data is not what was registered",
            subject=subject,
            expected=dataset.data,
            actual=actual,
            hint="restore the registered file, or register the data as it is now",
        )


def prepare_training(
    tools: SiteTools,
    terms: RunTerms,
    workshop: Workshop,
    key: AttemptKey,
    history: RunHistory,
    base: PreviousRound,
) -> Work:
    """Gather what a training starts from; what is returned may be done in another thread.

    The work raises:
        DataError: The data is not what was registered.
        TrainingError: Training failed.
        TaskError: The task's code broke a rule.
        ShapeMismatchError: The update does not describe the model.
        LedgerError: The ledger does not say what was registered.
    """
    plan, place = terms.plan, terms.place(key.round, key.attempt)
    state_path = base.state_path
    assert isinstance(state_path, Path)  # a node has files of its own, no bundle
    consent = history.consents[tools.site]
    own, _ = residuals.split(
        Keepsakes(workshop.folder, tools.site).latest(history, key.round).arrays
    )
    part = part_for(plan.clusters, key.round, base.assigned, tools.site)

    def work(halt: Event) -> Trained:
        shape = workshop.shape_of(base)
        with tools.training:
            if halt.is_set():
                raise TrainingError("stopped before it began", subject=f"round {key.round}")
            require_registered_data(tools, consent)
            scratch = workshop.scratch()
            result = tools.trainer.train(
                plan, state_path, place, tools.site, scratch, own, part, halt
            )
        if shape.part_of(Layout.of(result.arrays)) is None:
            raise ShapeMismatchError("update does not fit the plan", subject="update")
        return Trained(shape, result, state_path)

    return work


def wrap_update(
    tools: SiteTools,
    terms: RunTerms,
    workshop: Workshop,
    key: AttemptKey,
    history: RunHistory,
    order: TrainingOrder,
    trained: Trained,
    hides: Hides | None = None,
) -> Wrapped:
    """Make an attempt's update of what was trained, and put its bytes to the airlock.

    What training leaves for the next round is on the disk when this returns, unless
    a check said no.

    Args:
        tools: What the site acts with.
        terms: Of the run.
        workshop: Where the file goes.
        key: The attempt.
        history: What happened in the run.
        order: What was trained; from the state of an earlier round if the update is late.
        trained: What came of it.
        hides: Masks or encrypts it, where the plan says so.

    Raises:
        ShapeMismatchError: What was trained does not describe the model.
        LedgerError: The ledger does not say which data it is.
        UnsealingError: The run seals, and this site was no member when the attempt began.
        TrainingError: It may not be masked, or cannot.
        SettingsError: The disk refuses.
    """
    plan, shape, result = terms.plan, trained.shape, trained.result
    expense = _expense(tools, terms, key, order, history, trained)
    keepsakes = Keepsakes(workshop.folder, tools.site)
    _, residual = residuals.split(keepsakes.latest(history, key.round).arrays)
    own_metrics = {name: canonical.decimal_text(at) for name, at in result.metrics.items()}
    weight = min(result.examples, history.consents[tools.site].maximum_examples)
    manifest = Manifest(
        terms.place(key.round, key.attempt),
        tools.site,
        order.base,
        weight,
        Digest(os.urandom(32)),
        result.steps,
        result.published_metrics,
        result.evaluated,
    )
    path = workshop.folder / workshop.update_name(key, tools.site)
    content = workshop.draft_path(key, tools.site)
    wanted = with_residual(result.arrays, residual)
    within = True
    if hides is not None:
        wanted, within = hides.cut(wanted, key, history)
    commitment: Commitment = write_update(content, wanted, manifest, plan.update)
    try:
        passage = tools.airlock.examine(
            lambda: open_update(content, "update", plan, shape),
            content.stat().st_size,
            shape,
            plan,
            manifest,
        )
        if workshop.vault is not None:
            commitment = workshop.vault.seal_update(history, key, content, path).commitment
        if passage.refusal is None and hides is not None:
            opened = open_update(content, "update", plan, shape)
            commitment = hides.hide(key, path, opened, manifest, history, within=within)
        if passage.refusal is None:
            kept = {**result.kept, **residuals.lost(wanted, content, plan, shape)}
            keepsakes.keep(key, commitment, Kept(kept, own_metrics), history)
    except BaseException:
        content.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise
    _tell(tools, terms, key, own_metrics)
    values = None
    if tools.gate is not None and passage.refusal is None:
        values = digest_of(open_update(content, "update", plan, shape))
    return Wrapped(key, path, content, commitment, weight, passage, values, expense)


def _expense(
    tools: SiteTools,
    terms: RunTerms,
    key: AttemptKey,
    order: TrainingOrder,
    history: RunHistory,
    trained: Trained,
) -> Expense | None:
    """Name what has to be paid for by its attempt.

    Noise of a training is the attempt's that it was begun for, whatever it is wrapped for;
    noise in a sum is drawn anew for each, and hides the update in that one alone.
    """
    noise, paid_for, plan = trained.result.noise, order.key, terms.plan
    if plan.privacy.hides_sites:
        paid_for = key
        noise = noise_of_training(plan.training, plan.privacy, trained.result.examples)
    if noise is None:
        return None
    dataset = tools.registered(history.consents[tools.site].grant).dataset
    return Expense(dataset, terms.run, paid_for.round, paid_for.attempt, noise)


def _tell(tools: SiteTools, terms: RunTerms, key: AttemptKey, metrics: Mapping[str, str]) -> None:
    """Tell the site, and nobody else, how good its models are on its own data."""
    if metrics:
        detail = ", ".join(f"{name} {float(text):.4g}" for name, text in sorted(metrics.items()))
        tools.report(Progress(terms.run, key.round, key.attempt, "collecting", "trained", detail))

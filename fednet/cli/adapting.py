"""Fine-tune a run's model on data of one's own, behind the same walls as in training.

Nothing is sent anywhere: the ledger and the store are only read. The file and
its card name the state that the model came from, so that its origin can be
traced; what was done to it here cannot be recomputed by anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from fednet.cli import plans, wiring
from fednet.cli.app import App
from fednet.cli.opening import FinalState
from fednet.domain.identity import Commitment, RunId
from fednet.domain.plan import Plan
from fednet.domain.sections import TrainingSection
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, decode_tensors, encode_tensors
from fednet.errors import SettingsError
from fednet.exports import AdaptedModel, write_adapted_card
from fednet.learning import LocalTerms, Trainer, derive_seed, groups, naming
from fednet.learning.trainer import DatasetName

Arrays = Mapping[str, FloatArray]
_FORMAT = "fednet-adapted/1"


@dataclass(frozen=True, slots=True)
class Wish:
    """How a model is to be adapted."""

    data: Path
    epochs: int
    held_out: Path | None = None
    """What the model is judged on; the data that it is trained on unless given."""
    learning_rate: Decimal | None = None
    """The plan's unless given."""
    only: tuple[str, ...] = ()
    """Patterns of the tensors that are trained; empty: all."""
    cluster: int | None = None
    """The cluster whose model fits the data best unless given."""


@dataclass(frozen=True, slots=True)
class Adaptation:
    """A model that was adapted."""

    about: AdaptedModel
    model: bytes
    """Complete bytes of a safetensors file."""
    card: bytes


def adapt(app: App, run: RunId, state: FinalState, wish: Wish, kept: Arrays) -> Adaptation:
    """Train the model of a final state on, and judge it before and after.

    Args:
        app: Whose settings say where the task's code is, and which walls may be missing.
        run: The run.
        state: A final round's state.
        wish: What to train on, and how.
        kept: What the node of this home keeps of the run; its own tensors complete the model.

    Raises:
        PlanError: The task's code here is not the plan's.
        DataError: The data cannot be used.
        TrainingError: Training did not end in a finite model.
        SettingsError: No such cluster.
    """
    plan = state.plan
    source = app.settings().task.source or plan.task.source
    plans.require_task(plan, source)
    arrays, _ = decode_tensors(state.data, f"state of round {state.final.round}")
    shape = StateShape.of_state(plan, Layout.of(arrays))
    with wiring.trainer(app, source, wish.data, wish.held_out) as trainer:
        part = _part(trainer, plan, shape, arrays, wish.cluster, kept)
        model = _whole(trainer, plan, naming.model_of(shape, arrays, part), kept)
        judged_on: DatasetName = "held_out" if wish.held_out else "private"
        before = trainer.evaluate(model, judged_on)
        seed = derive_seed(plan.training.seed, "adapt", run, state.final.round)
        settings = _settings(plan, wish)
        done = trainer.train(model, settings, seed, LocalTerms(travelling=wish.only))
        adapted = dict(model)
        for name, change in done.update.items():
            adapted[name] = model[name] + change
        after = trainer.evaluate(adapted, judged_on)
    cluster = part if len(shape.parts) > 1 else None
    metadata: dict[str, object] = {
        "format": _FORMAT,
        "parent": str(state.final.state),
        "round": state.final.round,
        "run": run,
    }
    data = encode_tensors(adapted, metadata | ({} if cluster is None else {"cluster": cluster}))
    about = AdaptedModel(
        run=run,
        round=state.final.round,
        cluster=cluster,
        parent=state.final.state,
        plan=plan.commitment,
        task=plan.task.source,
        model=Commitment.of(data),
        examples=done.examples,
        epochs=settings.local_epochs,
        learning_rate=str(settings.learning_rate),
        trained=tuple(sorted(done.update)),
        untouched=tuple(sorted(model.keys() - done.update.keys())),
        judged_on=judged_on,
        before=before,
        after=after,
    )
    return Adaptation(about, data, write_adapted_card(about))


def _part(
    trainer: Trainer,
    plan: Plan,
    shape: StateShape,
    arrays: Arrays,
    wanted: int | None,
    kept: Arrays,
) -> int:
    count = len(shape.parts)
    if wanted is not None and (count == 1 or wanted >= count):
        raise SettingsError(
            "no such cluster",
            subject=f"cluster {wanted}",
            expected=f"0 to {count - 1}" if count > 1 else "no cluster: the run has one model",
            hint="leave --cluster out, and the one that fits your data best is taken",
        )
    if wanted is not None or count == 1:
        return wanted or 0
    losses = [
        trainer.loss(
            naming.model_of(shape, arrays, at),
            plan.training,
            naming.terms_of(plan, shape, arrays, kept, at),
        )
        for at in range(count)
    ]
    return losses.index(min(losses))


def _whole(trainer: Trainer, plan: Plan, shared: Arrays, kept: Arrays) -> dict[str, FloatArray]:
    """Complete a model by the tensors that each site has of its own, kept or fresh."""
    if not plan.update.personal:
        return dict(shared)
    fresh = trainer.initial_model(plan.training.seed)
    own = groups.take(kept, groups.OWN_TENSORS)
    fitting = {
        name: value
        for name, value in own.items()
        if name in fresh and fresh[name].shape == value.shape
    }
    return {**fresh, **fitting, **shared}


def _settings(plan: Plan, wish: Wish) -> TrainingSection:
    """Take the plan's batches and momentum; neither a pull nor a control variate has a place."""
    rate = plan.training.learning_rate if wish.learning_rate is None else wish.learning_rate
    return TrainingSection(
        local_epochs=wish.epochs,
        batch_size=plan.training.batch_size,
        learning_rate=rate,
        momentum=plan.training.momentum,
        seed=plan.training.seed,
    )


def own_model(shape: StateShape, arrays: Arrays, kept: Arrays) -> dict[str, FloatArray]:
    """Return the model that a site has for itself: Ditto's, or the global one with its own layers.

    Raises:
        SettingsError: The node keeps none.
    """
    beside = groups.take(kept, groups.OWN_MODEL)
    own = groups.take(kept, groups.OWN_TENSORS)
    if beside:
        return beside
    if own and len(shape.parts) == 1:
        return {**naming.model_of(shape, arrays), **own}
    raise SettingsError(
        "this node keeps no model of its own for the run",
        expected="a plan with personal.method or update.personal, and a round that counted",
        hint="`fednet model adapt` makes one of the global model",
    )

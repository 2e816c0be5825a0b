"""Let the node train through the learning layer: the two never meet but here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event

from fednet.airlock import AirlockPolicy, Exposure, Losses, RecordMatch, Trace
from fednet.domain import canonical
from fednet.domain.identity import Commitment, SiteId
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, decode_tensors
from fednet.domain.update import Place
from fednet.errors import PlanError
from fednet.learning import LocalTerms, Probed, ProbeOrder, Trainer, derive_seed, naming
from fednet.node.ports import TrainingResult

_DECIMALS = 9


class SiteTrainer:
    """Train the task that this site agreed to run; one visitor process is kept.

    Args:
        open_trainer: Gives a trainer for a task's name, on the private data.
        source: The task in this site's settings; empty takes the plan's.
    """

    def __init__(self, open_trainer: Callable[[str], Trainer], source: str) -> None:
        self._open_trainer = open_trainer
        self._source = source
        self._trainer: Trainer | None = None
        self._running = ""

    def digest(self, plan: Plan) -> Commitment:
        """Return the digest of this site's own code for the plan's task."""
        return self._of(plan).digest

    def train(
        self,
        plan: Plan,
        base_state_path: Path,
        place: Place,
        site: SiteId,
        out_dir: Path,
        kept: Mapping[str, FloatArray],
        part: int | None,
        halt: Event,
    ) -> TrainingResult:
        """Train behind the walls; the seed names the place, so a repeat gives the same bytes."""
        state = decode_tensors(base_state_path.read_bytes(), "global model")[0]
        shape = StateShape.of_state(plan, Layout.of(state))
        seed = derive_seed(
            plan.training.seed,
            place.chain_id,
            place.contract,
            place.run,
            place.round,
            place.attempt,
            site,
        )
        trainer = self._of(plan)
        if str(trainer.digest) != plan.task.digest:
            raise PlanError(
                "the task's code is not the plan's",
                subject=plan.task.source,
                hint="install the code that the plan names, or leave: fednet run withdraw RUN",
            )
        if part is None:
            part = _closest(trainer, plan, shape, state, kept)
        result = trainer.train(
            naming.model_of(shape, state, part),
            plan.training,
            seed,
            naming.terms_of(plan, shape, state, kept, part),
            halt,
        )
        return TrainingResult(
            naming.update_of(shape, result, part),
            result.examples,
            result.metrics,
            result.steps,
            _published(result.published),
            result.evaluated,
            result.kept,
            result.noise,
        )

    def measure(self, policy: AirlockPolicy, trace: Trace, halt: Event) -> Exposure:
        """Measure an update behind the walls; what the policy has no bound for is left out."""
        trainer, bounded = self._of(trace.plan), policy.content.bounded
        classes = trainer.inspect().class_counts if policy.data.minimum_per_class else {}
        state = decode_tensors(trace.base_state_path.read_bytes(), "global model")[0]
        shape = StateShape.of_state(trace.plan, Layout.of(state))
        order = ProbeOrder(
            losses="maximum_advantage" in bounded,
            gradients=bool(bounded & {"minimum_effective_examples", "minimum_mixing"}),
            records=bool(bounded & {"maximum_likeness", "maximum_influence"}),
            least_weight=policy.content.least_weight,
            seed=derive_seed(trace.plan.training.seed, "airlock"),
        )
        found = trainer.probe(
            naming.model_of(shape, state, trace.part),
            naming.difference_of(shape, trace.update, trace.part),
            trace.plan.training,
            LocalTerms(
                personal=trace.plan.update.personal,
                control=naming.control_of(shape, trace.update, trace.part),
                kept=trace.kept,
            ),
            order,
            halt,
        )
        return _exposure(found, classes)

    def close(self) -> None:
        """End the visitor."""
        if self._trainer is not None:
            self._trainer.close()
            self._trainer = None

    def _of(self, plan: Plan) -> Trainer:
        source = self._source or plan.task.source
        if self._trainer is None or self._running != source:
            self.close()
            self._trainer, self._running = self._open_trainer(source), source
        return self._trainer


def _closest(
    trainer: Trainer,
    plan: Plan,
    shape: StateShape,
    state: Mapping[str, FloatArray],
    kept: Mapping[str, FloatArray],
) -> int:
    """Return the cluster whose model has the lowest loss on this site's data."""
    losses = [
        trainer.loss(
            naming.model_of(shape, state, part.number),
            plan.training,
            naming.terms_of(plan, shape, state, kept, part.number),
        )
        for part in shape.parts
    ]
    return losses.index(min(losses))


def _exposure(found: Probed, classes: Mapping[int, int]) -> Exposure:
    """Say what was measured in the airlock's words."""
    like = found.likeness
    return Exposure(
        found.examples,
        classes,
        Losses(**found.losses) if found.losses else None,
        found.gradients,
        RecordMatch(like.likeness, like.chance, like.influence, like.stretches, like.left_out)
        if like
        else None,
    )


def _published(metrics: Mapping[str, float]) -> dict[str, str]:
    """Write metrics as decimal text of a few digits, as they stand in a manifest."""
    return {
        name: canonical.decimal_text(round(value, _DECIMALS)) for name, value in metrics.items()
    }

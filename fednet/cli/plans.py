"""Make, read and check plan files and the initial models beside them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel

from fednet.cli import wiring
from fednet.cli.app import App
from fednet.codec import check_initial_state
from fednet.domain.identity import Commitment
from fednet.domain.plan import MAX_PLAN_SIZE_BYTES, Plan
from fednet.domain.shape import StateShape
from fednet.domain.tensors import Layout, encode_tensors
from fednet.domain.update import STATE_METADATA
from fednet.errors import PlanError, SettingsError
from fednet.learning import derive_seed, naming

_WRITTEN_BY = "`fednet plan new NAME --task TASK` writes one to start from"
_HEAD = """\
# A fednet plan: what a run agrees on. Opening a run freezes it.
# `fednet plan check` tells whether it is possible; every field is in docs/protocol.md.
"""


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan as its file says it, and the model that belongs to it."""

    plan: Plan
    path: Path
    model: Path


def read(path: Path, model: Path | None = None) -> PlanFile:
    """Read a plan file; its model lies beside it unless it is named.

    Raises:
        PlanError: Missing, too large, not TOML, or not a possible plan.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_PLAN_SIZE_BYTES + 1)
        text = data.decode("utf-8")
    except OSError as exc:
        raise PlanError(
            "cannot read the plan",
            subject=str(path),
            actual=exc.strerror,
            hint=_WRITTEN_BY,
        ) from exc
    except UnicodeDecodeError as exc:
        raise PlanError("not text", subject=str(path), hint=_WRITTEN_BY) from exc
    if len(data) > MAX_PLAN_SIZE_BYTES:
        raise PlanError("plan is too large", subject=str(path), expected=MAX_PLAN_SIZE_BYTES)
    beside = path.with_suffix(".safetensors")
    return PlanFile(Plan.from_toml(text, str(path)), path, model or beside)


def check(file: PlanFile) -> list[str]:
    """Check a plan against the task's code and the model's bytes; return what was found right.

    Raises:
        PlanError: The code or the model is not the plan's, or it breaks its own promise.
    """
    plan = file.plan
    require_task(plan)
    try:
        data = file.model.read_bytes()
    except OSError as exc:
        raise PlanError(
            "cannot read the initial model",
            subject=str(file.model),
            actual=exc.strerror,
            hint="it lies beside the plan; name it with --model if it was moved",
        ) from exc
    if len(data) != plan.model.size_bytes or str(Commitment.of(data)) != plan.model.commitment:
        raise PlanError(
            "the initial model is not the plan's",
            subject=str(file.model),
            expected=plan.model.commitment,
            actual=str(Commitment.of(data)),
            hint="make plan and model together with `fednet plan new`",
        )
    shape = check_initial_state(file.model, plan, "initial model")
    return [
        f"plan {plan.commitment}: possible",
        f"task {plan.task.source}: code is the plan's",
        f"model: {len(shape.model.tensors)} tensors, {shape.model.element_count} parameters",
        *_beside_the_model(shape),
        *_promised(plan),
        *_sealed(plan),
        *_masked(plan),
        *_hidden(plan, shape),
        *_encrypted(plan),
    ]


def _beside_the_model(shape: StateShape) -> list[str]:
    """Say what a state holds besides one model, and what an update carries of it."""
    found = []
    if len(shape.parts) > 1:
        found.append(f"clusters: {len(shape.parts)} models")
    added = sum(spec.element_count for spec in shape.state.tensors if shape.is_added(spec.name))
    if added:
        found.append(f"beside: {added} values of the server's state, all zero")
    travelling = shape.parts[0].layout.element_count
    if travelling != shape.model.element_count:
        found.append(f"update: {travelling} values travel")
    return found


def _promised(plan: Plan) -> list[str]:
    """Say what differential privacy costs where it costs most.

    Raises:
        PlanError: More than the plan promises.
    """
    if plan.privacy.mechanism == "none":
        return []
    # Imported when asked for: most plans have no such promise.
    from fednet.privacy.accounting import require_kept

    spent, promise = require_kept(plan), plan.privacy
    where = "whole sites" if promise.hides_sites else f"{plan.update.minimum_examples} examples"
    return [f"privacy: epsilon {spent} of {promise.epsilon} at delta {promise.delta}, {where}"]


def _sealed(plan: Plan) -> list[str]:
    """Say who can read updates and states, and what that costs at most."""
    if not plan.privacy.sealed:
        return []
    size = plan.model.size_bytes
    return [
        "sealed: updates and states are for the members of each round, and at most "
        f"{plan.stored_size_bytes(size) - size} bytes longer"
    ]


def _masked(plan: Plan) -> list[str]:
    """Say how a masked plan's largest cohort masks.

    Raises:
        PlanError: The ring is too small for the weights, or no threshold is safe.
    """
    if not plan.is_masked:
        return []
    # Imported when asked for: most plans mask nothing.
    from fednet.privacy.masking import require_maskable

    agreed = require_maskable(plan)
    fixed_point, needed = agreed.fixed_point, agreed.parameters
    return [
        f"masking: {plan.cohort.maximum_sites} sites at most, {needed.threshold} of "
        f"{needed.degree} neighbours unmask one, {agreed.least_updates} updates must count",
        f"masking: values up to {fixed_point.clip:g} in steps of 2^{-fixed_point.exponent} over "
        f"the examples, in a ring of {fixed_point.ring.value} bits",
    ]


def _hidden(plan: Plan, shape: StateShape) -> list[str]:
    """Say how loud the noise is that hides whole sites of a plan's largest cohort."""
    if not plan.privacy.hides_sites:
        return []
    # Imported when asked for: most plans hide nothing so.
    from fednet.privacy.masking import agree_on, noise_in_mean

    agreed = agree_on(plan, plan.cohort.maximum_sites)
    noise, values = agreed.fixed_point.noise, shape.parts[0].layout.element_count
    assert noise is not None  # the plan hides sites
    deviation = noise_in_mean(plan.privacy, noise, agreed.least_updates)
    longer = deviation * math.sqrt(values) / float(plan.privacy.clip_norm)
    return [
        f"noise: at least {noise.honest_sites} honest sites share what is promised; in the mean of "
        f"{agreed.least_updates} updates of full weight it deviates by {deviation:.3g} a value"
        + (" in round 1" if plan.privacy.adapts else ""),
        f"noise: over {values} values, {longer:.3g} times as long as an update may be",
    ]


def _encrypted(plan: Plan) -> list[str]:
    """Say how a plan's updates are encrypted, and what that does not keep out.

    Raises:
        PlanError: Too many sites have too much weight for the numbers.
    """
    if not plan.is_encrypted:
        return []
    # Imported when asked for: most plans encrypt nothing.
    from fednet.privacy.homomorphic.agreement import numbers_of

    section, numbers = plan.homomorphic, numbers_of(plan)
    return [
        f"homomorphic: {section.majority} of {len(section.aggregators)} aggregators must have the "
        f"same sum; values up to {numbers.clip:g} in steps of 2^{-numbers.exponent} over the "
        "examples",
        "homomorphic: all sites share one secret key, without a threshold: a site and an "
        "aggregator that collude can read every update",
    ]


def require_task(plan: Plan, local: str = "") -> None:
    """Raise unless the task's code here is the plan's.

    Args:
        plan: The plan.
        local: Where this machine has the task, if not where the plan says.

    Raises:
        PlanError: It has another digest.
    """
    actual = wiring.task_digest(local or plan.task.source)
    if str(actual) != plan.task.digest:
        raise PlanError(
            "the task's code on this machine is not the plan's",
            subject=local or plan.task.source,
            expected=plan.task.digest,
            actual=actual,
            hint="install the version of fednet, or of the task, that the researcher used",
        )


def make(app: App, raw: dict[str, Any], folder: Path, task: str, seed: int) -> PlanFile:
    """Make the initial model, complete the plan, write both.

    Raises:
        PlanError: The plan is impossible.
        SettingsError: A file is there already, or cannot be written.
    """
    path = folder / f"{raw['name']}.toml"
    model = path.with_suffix(".safetensors")
    # Refused before the model is made, which takes seconds.
    placeholder = {"commitment": "0" * 64, "size_bytes": 1}
    digest = str(wiring.task_digest(task))
    raw = raw | {"task": {"source": task, "digest": digest}}
    possible = Plan.validated(raw | {"model": placeholder}, "plan")
    _masked(possible)
    _encrypted(possible)
    for file in (path, model):
        if file.exists():
            raise SettingsError("is there already", subject=str(file), hint="choose another name")
    seeds = [seed, *(derive_seed(seed, "cluster", at) for at in range(1, possible.clusters.count))]
    with wiring.trainer(app, task, None) as trainer:
        models = [trainer.initial_model(one) for one in seeds]
    shape = StateShape.of_model(possible, Layout.of(models[0]))
    state = encode_tensors(naming.initial_state(shape, models), STATE_METADATA)
    described = {"commitment": str(Commitment.of(state)), "size_bytes": len(state)}
    plan = Plan.validated(raw | {"model": described}, "plan")
    try:
        model.write_bytes(state)
        path.write_text(_HEAD + to_toml(plan), "utf-8")
    except OSError as exc:
        raise SettingsError("cannot write", subject=str(folder), actual=exc.strerror) from exc
    return PlanFile(plan, path, model)


def with_values(raw: Mapping[str, Any], values: Sequence[str]) -> dict[str, Any]:
    """Set fields of a plan by their names, as ``section.field=value``.

    Args:
        raw: The plan so far, by section.
        values: A value is read as TOML does, or is text if that cannot be read.

    Raises:
        PlanError: Not of that form.
    """
    made = {name: dict(item) if isinstance(item, dict) else item for name, item in raw.items()}
    for text in values:
        name, equals, value = text.partition("=")
        section, dot, field = name.strip().partition(".")
        if not equals or not dot or not section or not field:
            raise PlanError(
                "not a field and its value",
                subject=f"--set {text}",
                expected="section.field=value",
                hint="for example --set server.optimizer=fedadam",
            )
        fields = made.setdefault(section, {})
        if not isinstance(fields, dict):
            raise PlanError("has no fields", subject=f"--set {text}", expected="a section")
        fields[field] = _toml_value(value.strip())
    return made


def _toml_value(text: str) -> Any:  # noqa: ANN401 - whatever TOML can say
    try:
        return tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]
    except tomllib.TOMLDecodeError:
        return text


def to_toml(plan: Plan) -> str:
    """Write a plan as its author would."""
    return tomli_w.dumps(_plain(plan))


def _plain(section: BaseModel) -> Mapping[str, Any]:
    fields = {name: getattr(section, name) for name in type(section).model_fields}
    # TOML has no word for nothing: a field that is not set is left out.
    return {
        name: _plain(value) if isinstance(value, BaseModel) else value
        for name, value in fields.items()
        if value is not None
    }

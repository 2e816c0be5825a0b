"""What a site lets out, in its own file: TOML, strict, and nobody's to override.

A plan can ask for less than the policy allows, never for more: wherever both set
a bound, the stricter counts. A key that is not known is refused, because a
misspelt bound would be none. An empty file lets out what the plan does.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from fednet.airlock.requirements import Requirement
from fednet.domain.identity import DatasetId
from fednet.domain.sections import SECONDS_PER_DAY, Hex64, Real
from fednet.errors import FednetError, SettingsError

MAXIMUM_FILE_SIZE_BYTES = 1 << 20
_SIZE_BYTES = 1 << 34
_EVERY = "every"
_MOST = Field(max_length=1_000)


def _to_requirement(text: str) -> str:
    try:
        Requirement.parse(text)
    except FednetError as exc:
        raise ValueError(str(exc)) from exc
    return text


Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False), _MOST]
Account = Annotated[str, Field(pattern=r"^0x[0-9A-Fa-f]{40}$")]
Share = Annotated[float, Field(ge=0, le=1, strict=False)]


class Rules(BaseModel):
    """Refuse what is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class PlanRules(Rules):
    """Which plans this site trains under; an empty list allows any."""

    tasks: Texts = ()
    """Sources of tasks, as plans name them."""
    digests: Annotated[tuple[Hex64, ...], Field(strict=False), _MOST] = ()
    """Digests of task code."""
    researchers: Annotated[tuple[Account, ...], Field(strict=False), _MOST] = ()
    """Accounts that may have opened the run."""
    purposes: Texts = ()
    """Purposes of the access request: the exact text, or its SHA-256 in hexadecimal."""
    mechanisms: Annotated[
        tuple[Annotated[str, AfterValidator(_to_requirement)], ...], Field(strict=False), _MOST
    ] = ()
    """What a plan has to promise, each of them: "secure-aggregation or epsilon <= 3"."""


class DataRules(Rules):
    """How much data an update must rest on."""

    minimum_examples: int = Field(1, ge=1)
    minimum_per_class: int = Field(0, ge=0)
    """Fewest examples of each class that occurs; 0 does not ask."""


class UpdateRules(Rules):
    """How large an update may be."""

    maximum_norm: float = Field(math.inf, gt=0, strict=False)
    """Largest Euclidean norm."""
    maximum_size_bytes: int = Field(_SIZE_BYTES, ge=1)
    tensors: dict[str, Annotated[float, Field(gt=0, strict=False)]] = {}
    """Largest norm of each tensor, by patterns of names; each must match one."""


class ContentRules(Rules):
    """What an update may betray; every check that has a bound is made."""

    maximum_likeness: Share | None = None
    """How like a single record a stretch of the update may be, and not by chance; 1 is its copy."""
    least_weight: Share = 0.0
    """How long such a stretch must be to count, as a share of its tensor's typical one."""
    maximum_influence: Share | None = None
    """Largest share of the first layer's change that one record may explain."""
    maximum_advantage: Share | None = None
    """By how much an attacker may do better than guessing who was trained on."""
    minimum_effective_examples: float | None = Field(None, ge=1, strict=False)
    """How many examples of equal weight the update must be worth."""
    minimum_mixing: float | None = Field(None, gt=0, strict=False)
    """Effective examples times steps, for each thousand parameters."""
    held_out: str = ""
    """File of records from the same source that are never trained on: membership is measured
    against them, and records of another kind would be told apart by that."""
    unmeasured: Literal["refuse", "pass"] = "refuse"
    """What becomes of an update on which a check cannot say anything."""

    @model_validator(mode="after")
    def _need_others(self) -> Self:
        needs = self.maximum_advantage is not None and self.unmeasured == "refuse"
        if needs and not self.held_out:
            raise ValueError("maximum_advantage needs held_out: every update would be refused")
        return self

    @property
    def bounded(self) -> frozenset[str]:
        """Name the bounds that are set."""
        bounds = (
            "maximum_likeness",
            "maximum_influence",
            "maximum_advantage",
            "minimum_effective_examples",
            "minimum_mixing",
        )
        return frozenset(name for name in bounds if getattr(self, name) is not None)


class GateRules(Rules):
    """Whether a person decides on each update."""

    human: bool = False
    answer_seconds: int = Field(3_600, ge=1, le=30 * SECONDS_PER_DAY)
    """How long to wait for an answer; never longer than the round does."""
    unanswered: Literal["hold", "release"] = "hold"
    """What then becomes of an update that passed every check: held, it costs the round."""


class BudgetRules(Rules):
    """What may be spent of a dataset, over all runs together."""

    updates: int | None = Field(None, ge=0)
    epsilon: Annotated[Real, Field(ge=0)] | None = None
    delta: Annotated[Real, Field(ge=0)] | None = None


class AirlockPolicy(Rules):
    """Everything that a site's policy says."""

    plans: PlanRules = PlanRules()
    data: DataRules = DataRules()
    update: UpdateRules = UpdateRules()
    content: ContentRules = ContentRules()
    gate: GateRules = GateRules()
    budgets: dict[Annotated[str, Field(pattern=r"^(every|[1-9][0-9]*)$")], BudgetRules] = {}
    """By the dataset's number; "every" is for those that are not named."""

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """Return what a plan has to promise."""
        return tuple(Requirement.parse(text) for text in self.plans.mechanisms)

    @property
    def speaks_of_plans(self) -> bool:
        """Tell whether a plan can be refused by anything but its own words."""
        default = AirlockPolicy()
        return (self.plans, self.data, self.budgets) != (
            default.plans,
            default.data,
            default.budgets,
        )

    @property
    def looks_inside(self) -> bool:
        """Tell whether an update's content is compared with the data that it comes from."""
        return bool(self.content.bounded or self.data.minimum_per_class)

    def budget_of(self, dataset: DatasetId) -> tuple[str, BudgetRules]:
        """Return a dataset's ceilings and the policy's line that sets them."""
        key = str(dataset) if str(dataset) in self.budgets else _EVERY
        return f"budgets.{key}", self.budgets.get(key, BudgetRules())

    def tightened(self, minimum_examples: int, maximum_norm: float) -> AirlockPolicy:
        """Return the policy with two more bounds, which count where they are stricter."""
        least = max(minimum_examples, self.data.minimum_examples)
        most = min(maximum_norm, self.update.maximum_norm)
        return self.model_copy(
            update={
                "data": self.data.model_copy(update={"minimum_examples": least}),
                "update": self.update.model_copy(update={"maximum_norm": most}),
            }
        )


def read_policy(path: Path) -> AirlockPolicy:
    """Read a site's policy.

    Raises:
        SettingsError: The file cannot be read, is not TOML, or a key is wrong; names the key.
    """
    hint = f"mend {path}, or name another file in airlock.policy of fednet.toml"
    try:
        if path.stat().st_size > MAXIMUM_FILE_SIZE_BYTES:
            raise SettingsError("the airlock's policy is too large", subject=str(path), hint=hint)
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(
            "cannot read the airlock's policy", subject=str(path), actual=exc, hint=hint
        ) from exc
    except tomllib.TOMLDecodeError as exc:
        raise SettingsError(f"not TOML: {exc}", subject=str(path), hint=hint) from exc
    return policy_of(raw, str(path))


def policy_of(raw: Mapping[str, Any], subject: str) -> AirlockPolicy:
    """Check plain values and make a policy of them.

    Raises:
        SettingsError: A key is wrong; names it.
    """
    try:
        return AirlockPolicy.model_validate(raw)
    except ValidationError as exc:
        first = exc.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part != "[key]")
        raise SettingsError(
            f"{key}: {first['msg']}",
            subject=subject,
            actual=repr(first.get("input"))[:80],
            hint=f"correct {key} in {subject}",
        ) from exc

"""Several plans rehearsed on the same sites, and what to read off them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fednet.domain.sections import AggregationSection, ServerSection, TrainingSection
from fednet.errors import SettingsError
from fednet.simulation.engine import Rehearsal
from fednet.simulation.scenario import HELP

_MASKED = "masked"
"""The mean again, of which nothing but the sum is known to anybody."""
_DEFAULTS: dict[str, dict[str, dict[str, Any]]] = {
    _MASKED: {
        "module": {"name": "masked"},
        "masking": {"clip": "1"},
        "update": {"maximum_examples": 1_000},
    },
    "fedprox": {"training": {"proximal_mu": "0.1"}},
    "norm-bounding": {"aggregation": {"norm": "1"}},
    "centred-clipping": {"aggregation": {"norm": "1"}},
    "fedavgm": {"server": {"learning_rate": "1", "momentum": "0.9"}},
    "fedadam": {"server": {"learning_rate": "0.01"}},
    "fedyogi": {"server": {"learning_rate": "0.01"}},
    "fedadagrad": {"server": {"learning_rate": "0.05"}},
}
"""What a variant needs beyond its name, unless the plan says otherwise."""
_WITH_HOSTILE = ("trimmed-mean", "krum", "multi-krum", "bulyan")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one variant."""

    name: str
    rehearsal: Rehearsal
    metric: str
    """The metric that is compared."""

    @property
    def series(self) -> list[float]:
        """The metric after each round."""
        return [float(each[self.metric]) for each in self.rehearsal.metrics]

    @property
    def last(self) -> float | None:
        """The metric at the end; None if no round became final."""
        return self.series[-1] if self.series else None

    @property
    def best(self) -> float | None:
        """The best round's metric, the larger the better."""
        return max(self.series, default=None)

    def to_json(self) -> dict[str, object]:
        """Return everything as plain values."""
        rehearsal = self.rehearsal
        return {
            "name": self.name,
            "run": rehearsal.run,
            "metric": self.metric,
            "series": self.series,
            "last": self.last,
            "best": self.best,
            "seconds": round(rehearsal.seconds, 3),
            "complete": rehearsal.is_complete,
            "failures": rehearsal.failures,
        }


def variants() -> tuple[str, ...]:
    """Name everything that can be compared: rules, local algorithms, server optimisers, masks."""
    return (*_words(AggregationSection, "rule"), *_others(), _MASKED)


def variant(name: str, hostile: int) -> dict[str, dict[str, Any]]:
    """Return what a variant changes in a plan.

    Args:
        name: One of `variants`.
        hostile: Hostile sites that a robust rule must withstand.

    Raises:
        SettingsError: No such variant.
    """
    changes = {section: dict(values) for section, values in _DEFAULTS.get(name, {}).items()}
    if name in _words(AggregationSection, "rule"):
        section = changes.setdefault("aggregation", {})
        section["rule"] = name
        if name in _WITH_HOSTILE:
            section["hostile"] = hostile
    elif name in _words(TrainingSection, "algorithm"):
        changes.setdefault("training", {})["algorithm"] = name
    elif name in _words(ServerSection, "optimizer"):
        changes.setdefault("server", {})["optimizer"] = name
    elif name != _MASKED:
        raise SettingsError(
            "nothing of this name can be compared",
            subject=name,
            expected=", ".join(variants()),
            hint=HELP,
        )
    return changes


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Lay plans' raw sections over one another; the last one wins, field by field."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, Mapping):
                result[key] = {**result.get(key, {}), **value}
            else:
                result[key] = value
    return result


def _words(section: type[Any], field: str) -> Sequence[str]:
    return tuple(section.model_fields[field].annotation.__args__)


def _others() -> tuple[str, ...]:
    words = (*_words(TrainingSection, "algorithm"), *_words(ServerSection, "optimizer"))
    return tuple(word for word in words if word not in ("fedavg", "none"))

"""A plan and the model it starts from, as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from fednet.api.place import app_of
from fednet.cli import plans
from fednet.cli.plans import PlanFile
from fednet.domain import plan as domain
from fednet.domain.identity import Commitment
from fednet.simulation.comparison import merged


class Plan:
    """A plan file with its initial model beside it; make one with `new`, or `read` one."""

    def __init__(self, file: PlanFile) -> None:
        self.file = file

    def __repr__(self) -> str:
        return f"Plan({str(self.path)!r})"

    @classmethod
    def new(
        cls,
        name: str,
        task: str,
        *,
        rounds: int = 10,
        sites: int = 2,
        folder: str | Path = ".",
        home: str | Path | None = None,
        **sections: Mapping[str, Any],
    ) -> Self:
        """Make an initial model, and a plan that names it; write both.

            plan = fednet.Plan.new(
                "pilot", "digits", rounds=20, sites=4,
                training={"learning_rate": "0.1", "local_epochs": 2},
                aggregation={"rule": "median"},
            )

        Args:
            name: Of the plan and of its files.
            task: Built-in name, ``package.module:Class`` or ``path/to/file.py:Class``.
            rounds: How many.
            sites: Consents that begin the run, and that it needs at least.
            folder: Where to write ``NAME.toml`` and ``NAME.safetensors``.
            home: Whose settings say what the task's walls may lack.
            sections: Fields of any section of a plan; docs/protocol.md names them. Real
                numbers may be text or `Decimal`, for these are exact.

        Raises:
            PlanError: Such a plan is impossible.
            TaskError: The task's code failed.
            SettingsError: A file is there already.
        """
        raw = merged(
            {
                "name": name,
                "rounds": rounds,
                "cohort": {
                    "minimum_sites": sites,
                    "target_sites": sites,
                    "minimum_updates": min(2, sites),
                },
            },
            sections,
        )
        seed = int(raw.get("training", {}).get("seed", 0))
        return cls(plans.make(app_of(home), raw, Path(folder), task, seed))

    @classmethod
    def read(cls, path: str | Path, model: str | Path | None = None) -> Self:
        """Read a plan file; its model lies beside it unless it is named.

        Raises:
            PlanError: It cannot be read, or is no possible plan.
        """
        return cls(plans.read(Path(path), Path(model) if model is not None else None))

    @property
    def path(self) -> Path:
        """The plan's file."""
        return self.file.path

    @property
    def model_path(self) -> Path:
        """The initial model's file."""
        return self.file.model

    @property
    def terms(self) -> domain.Plan:
        """Everything the plan says, by section: ``plan.terms.training.batch_size``."""
        return self.file.plan

    @property
    def commitment(self) -> Commitment:
        """SHA-256 of the plan's canonical bytes, which the chain holds."""
        return self.file.plan.commitment

    def check(self) -> list[str]:
        """Check the plan against the task's code and the model's bytes.

        Returns:
            What was found right, a line each.

        Raises:
            PlanError: The code or the model is not the plan's.
        """
        return plans.check(self.file)

    def to_toml(self) -> str:
        """Write the plan as its author would."""
        return plans.to_toml(self.file.plan)

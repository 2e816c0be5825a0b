"""Learn from a site's private data without letting it, or the task, out.

A user writes one `Task`. A node runs it through a `Trainer`, which imports no
torch and keeps the task behind walls in a process of its own. Names are loaded
when they are first used, so that importing this package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fednet.learning.sandbox import probe_walls
    from fednet.learning.source import TaskSource, find_task
    from fednet.learning.supervised import SupervisedTask
    from fednet.learning.tables import Measured, Table, load_measured, load_table
    from fednet.learning.task import Dataset, Task
    from fednet.learning.trainer import Trainer
    from fednet.learning.values import (
        Inspection,
        Limits,
        LocalTerms,
        Probed,
        ProbeOrder,
        TrainResult,
        derive_seed,
    )
    from fednet.learning.walls.report import Wall

__all__ = [
    "Dataset",
    "Inspection",
    "Limits",
    "LocalTerms",
    "Measured",
    "ProbeOrder",
    "Probed",
    "SupervisedTask",
    "Table",
    "Task",
    "TaskSource",
    "TrainResult",
    "Trainer",
    "Wall",
    "derive_seed",
    "find_task",
    "load_measured",
    "load_table",
    "probe_walls",
]

_HOMES = {
    "Dataset": "task",
    "Inspection": "values",
    "Limits": "values",
    "LocalTerms": "values",
    "Measured": "tables",
    "ProbeOrder": "values",
    "Probed": "values",
    "SupervisedTask": "supervised",
    "Table": "tables",
    "Task": "task",
    "TaskSource": "source",
    "TrainResult": "values",
    "Trainer": "trainer",
    "Wall": "walls.report",
    "derive_seed": "values",
    "find_task": "source",
    "load_measured": "tables",
    "load_table": "tables",
    "probe_walls": "sandbox",
}


def __getattr__(name: str) -> object:
    """Load a public name from the module it lives in."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)

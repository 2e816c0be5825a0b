"""Blockchain-audited federated learning: anyone can recompute who did what.

What stands here is loaded when it is first used, so that ``import fednet`` costs
nothing; docs/python.md is the tour.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fednet.api.home import Home
    from fednet.api.plan import Plan
    from fednet.api.run import Model, Run
    from fednet.api.simulate import Simulation, simulate
    from fednet.audit import AuditReport, Finding
    from fednet.errors import FednetError
    from fednet.learning.supervised import SupervisedTask
    from fednet.learning.tables import Table, load_table
    from fednet.learning.task import Dataset, Task

__version__ = "0.1.0"
__all__ = [
    "AuditReport",
    "Dataset",
    "FednetError",
    "Finding",
    "Home",
    "Model",
    "Plan",
    "Run",
    "Simulation",
    "SupervisedTask",
    "Table",
    "Task",
    "__version__",
    "load_table",
    "simulate",
]

_HOMES = {
    "AuditReport": "audit",
    "Dataset": "learning.task",
    "FednetError": "errors",
    "Finding": "audit",
    "Home": "api.home",
    "Model": "api.run",
    "Plan": "api.plan",
    "Run": "api.run",
    "Simulation": "api.simulate",
    "SupervisedTask": "learning.supervised",
    "Table": "learning.tables",
    "Task": "learning.task",
    "load_table": "learning.tables",
    "simulate": "api.simulate",
}


def __getattr__(name: str) -> object:
    """Load a public name from the module it lives in."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})

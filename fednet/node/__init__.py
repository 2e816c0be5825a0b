"""One site's running process: read the chain, decide by a pure function, act.

Imports neither torch nor web3: the command line injects what trains and what
signs. Kill a node at any moment and start it again; see ``fednet.node.journal``.
"""

from __future__ import annotations

from fednet.node.checkpoints import CheckpointBook, CheckpointKeeper
from fednet.node.data import SaltedData, create_salt
from fednet.node.disclosing import DisclosedAirlock
from fednet.node.expenses import ExpenseBook
from fednet.node.gate import Gate
from fednet.node.journal import Journal
from fednet.node.keepsakes import Keepsakes, Kept
from fednet.node.node import Node
from fednet.node.ports import DataPort, TrainerPort, TrainingResult
from fednet.node.progress import Progress, Report, StatusFile
from fednet.node.running import run_until_signal
from fednet.node.settings import NodeSettings
from fednet.node.site import SiteTools
from fednet.node.treasury import Treasurer
from fednet.node.vault import SiteKeys

__all__ = [
    "CheckpointBook",
    "CheckpointKeeper",
    "DataPort",
    "DisclosedAirlock",
    "ExpenseBook",
    "Gate",
    "Journal",
    "Keepsakes",
    "Kept",
    "Node",
    "NodeSettings",
    "Progress",
    "Report",
    "SaltedData",
    "SiteKeys",
    "SiteTools",
    "StatusFile",
    "TrainerPort",
    "TrainingResult",
    "Treasurer",
    "create_salt",
    "run_until_signal",
]

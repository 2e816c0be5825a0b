"""Rehearse a plan: hundreds of virtual sites in one process, before the consortium runs it.

Every virtual site has an account, a journal and an airlock of its own, and acts
through the code of a real node on a real chain and a real store. What they
share is what one machine has once: the store, the folder in which rounds are
recomputed, and the process that trains.
"""

from fednet.simulation.crowd import Crowd, Member, VirtualData
from fednet.simulation.engine import Rehearsal, rehearse
from fednet.simulation.scenario import Attack, Partition, Scenario
from fednet.simulation.vanishing import Step, Vanishing

__all__ = [
    "Attack",
    "Crowd",
    "Member",
    "Partition",
    "Rehearsal",
    "Scenario",
    "Step",
    "Vanishing",
    "VirtualData",
    "rehearse",
]

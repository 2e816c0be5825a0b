"""The one way out of a site: plans and updates are held against the site's own policy.

A policy is a file of the site's. `check_plan` puts it to a run before anybody
consents, `Airlock` puts it to an update's final bytes. It knows no chain and no
store, and it changes nothing. A pass says that no check found a leak, not that
there is none: code that means to hide a record in an update can.
"""

from __future__ import annotations

from fednet.airlock.admission import Petition, check_plan
from fednet.airlock.airlock import Airlock
from fednet.airlock.budget import Spending, check_budget
from fednet.airlock.exposure import Exposure, Losses, ProbePort, RecordMatch, Trace
from fednet.airlock.policy import AirlockPolicy, policy_of, read_policy
from fednet.airlock.report import Check, Passage, Verdict, first_refusal
from fednet.airlock.requirements import Promises, promised

__all__ = [
    "Airlock",
    "AirlockPolicy",
    "Check",
    "Exposure",
    "Losses",
    "Passage",
    "Petition",
    "ProbePort",
    "Promises",
    "RecordMatch",
    "Spending",
    "Trace",
    "Verdict",
    "check_budget",
    "check_plan",
    "first_refusal",
    "policy_of",
    "promised",
    "read_policy",
]

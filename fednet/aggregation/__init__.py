"""Rules that combine updates into the next state: pure, streaming, bit for bit the same.

The bytes that come out depend on the base state and on the included updates
alone; not on the machine, the number of threads, the order of arrival, or on
whether numba is installed. Nothing here decides who is included.
"""

from fednet.aggregation.digest import begin_digest, end_digest, recomputation_digest
from fednet.aggregation.interface import Emit, Outcome, Rule
from fednet.aggregation.mean import apply_mean
from fednet.aggregation.output import WrittenState
from fednet.aggregation.parts import PartOfState
from fednet.aggregation.rule import RULES, aggregate, rule_for, rule_of
from fednet.aggregation.similarity import FirstOfAll, group_by_similarity
from fednet.aggregation.vector import Contribution, Vector

__all__ = [
    "RULES",
    "Contribution",
    "Emit",
    "FirstOfAll",
    "Outcome",
    "PartOfState",
    "Rule",
    "Vector",
    "WrittenState",
    "aggregate",
    "apply_mean",
    "begin_digest",
    "end_digest",
    "group_by_similarity",
    "recomputation_digest",
    "rule_for",
    "rule_of",
]

"""Tell what noise costs: epsilon at a delta, by step, run and dataset. Pure; no torch."""

from fednet.privacy.accounting.allowance import Allowance
from fednet.privacy.accounting.book import Book, round_up, spent_by
from fednet.privacy.accounting.forecast import Forecast, forecast, presence_epsilon, require_kept
from fednet.privacy.accounting.losses import tight_epsilon
from fednet.privacy.accounting.renyi import Curve, curve_of, epsilon_of

__all__ = [
    "Allowance",
    "Book",
    "Curve",
    "Forecast",
    "curve_of",
    "epsilon_of",
    "forecast",
    "presence_epsilon",
    "require_kept",
    "round_up",
    "spent_by",
    "tight_epsilon",
]

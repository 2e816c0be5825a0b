"""The Five Safes of a run, gathered from the index; nothing here judges what it tells.

What a site did not record is not told, and what it did record is its own word: an audit,
not this view, says whether the ledger holds.
"""

from fednet.provenance.safes.gathering import five_safes, part_of
from fednet.provenance.safes.lines import PARTS, QUESTIONS, FiveSafes, Line, Source
from fednet.provenance.safes.passing import PassingIndex

__all__ = [
    "PARTS",
    "QUESTIONS",
    "FiveSafes",
    "Line",
    "PassingIndex",
    "Source",
    "five_safes",
    "part_of",
]

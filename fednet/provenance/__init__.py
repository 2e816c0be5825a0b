"""A local index of the ledger: rebuildable from the chain at any time, never the authority."""

from fednet.provenance.clusters import clusters_of, with_clusters
from fednet.provenance.disclosure_rows import (
    BudgetRow,
    CeilingRow,
    ErasureRow,
    ReaderRow,
    ReleaseRow,
    SpendingRow,
)
from fednet.provenance.drawing import draw
from fednet.provenance.index import LedgerIndex
from fednet.provenance.rows import (
    AccessRow,
    ClaimRow,
    ContributionRow,
    DatasetRow,
    EventRow,
    IndexedBlock,
    Lineage,
    LineageStep,
    LineageUpdate,
    Match,
    MemberRow,
    ProposalRow,
    Refreshed,
    RoundRow,
    RunRow,
    SiteRow,
    UpdateRow,
    VoteRow,
)
from fednet.provenance.storage import DamagedIndexError

__all__ = [
    "AccessRow",
    "BudgetRow",
    "CeilingRow",
    "ClaimRow",
    "ContributionRow",
    "DamagedIndexError",
    "DatasetRow",
    "ErasureRow",
    "EventRow",
    "IndexedBlock",
    "LedgerIndex",
    "Lineage",
    "LineageStep",
    "LineageUpdate",
    "Match",
    "MemberRow",
    "ProposalRow",
    "ReaderRow",
    "Refreshed",
    "ReleaseRow",
    "RoundRow",
    "RunRow",
    "SiteRow",
    "SpendingRow",
    "UpdateRow",
    "VoteRow",
    "clusters_of",
    "draw",
    "with_clusters",
]

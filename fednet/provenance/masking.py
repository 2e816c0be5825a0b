"""What can be asked of the index about masked rounds."""

from __future__ import annotations

from typing import Unpack

from fednet.provenance.asking import PAGE
from fednet.provenance.disclosing import DisclosuresAsking
from fednet.provenance.listings import Filters, Listing
from fednet.provenance.mask_rows import MaskActRow

MASK_ACTS = Listing(
    MaskActRow,
    "x.run, x.round, x.attempt, x.act, x.site, x.number, x.inclusion",
    "mask_acts x",
    {
        "run": "x.run = ?",
        "round_number": "x.round = ?",
        "attempt": "x.attempt = ?",
        "site": "x.site = ?",
    },
)


class MaskingAsking(DisclosuresAsking):
    """Answer about masked rounds, too; filters are those of ``Asking``."""

    def mask_acts(
        self,
        *,
        limit: int = PAGE,
        offset: int = 0,
        newest_first: bool = False,
        **filters: Unpack[Filters],
    ) -> list[MaskActRow]:
        """List what was recorded of masks; by run, round, attempt, site, time."""
        return self._page(MASK_ACTS, filters, limit, offset, newest_first)

"""What masked rounds ask of a ledger, beside what every run asks; see ``fednet.domain.ports``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fednet.domain.identity import Commitment, Locator, RoundNumber, RunId, SiteId
from fednet.domain.ledger import Receipt
from fednet.domain.masking_events import MaskingEvent
from fednet.domain.masking_stages import MaskingLog, MaskingState, MaskingTimes


class MaskingReader(Protocol):
    """Read the ledger of masked rounds at its head."""

    def masking_times(self, run: RunId) -> MaskingTimes | None:
        """Return how long the stages last, as the run was opened; None if it masks nothing."""
        ...

    def masking_state(self, run: RunId) -> MaskingState:
        """Read where the attempt at hand stands; all zero outside of one, or in another run."""
        ...

    def masking_events(self, run: RunId, from_block: int = 0) -> Sequence[MaskingEvent]:
        """Read what was recorded of a run from a block on, in the order of the chain."""
        ...

    def masking_log(self) -> MaskingLog: ...


class MaskingWriter(Protocol):
    """Act in masked rounds with one account; see ``LedgerWriter``."""

    def advertise_keys(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        mask_key: bytes,
        channel_key: bytes,
    ) -> Receipt:
        """Advertise two X25519 public keys, of 32 bytes each, once an attempt."""
        ...

    def close_keys(self, run: RunId) -> Receipt:
        """Close the key stage: once the whole cohort advertised, or its deadline has passed."""
        ...

    def deal_shares(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        commitment: Commitment,
        locator: Locator,
    ) -> Receipt: ...
    def hold_shares(
        self, run: RunId, site: SiteId, round_number: RoundNumber, attempt: int, holding: bytes
    ) -> Receipt: ...
    def propose_set(
        self, run: RunId, site: SiteId, round_number: RoundNumber, attempt: int, inclusion: bytes
    ) -> Receipt:
        """Propose which masked updates count; the bytes as a proposal's, see ``pack_inclusion``."""
        ...

    def affirm_set(
        self, run: RunId, site: SiteId, round_number: RoundNumber, attempt: int, number: int
    ) -> Receipt: ...
    def disclose_shares(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        commitment: Commitment,
        locator: Locator,
    ) -> Receipt: ...

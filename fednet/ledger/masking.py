"""Acts in masked rounds; each is one function of the ledger of masked rounds."""

from __future__ import annotations

from fednet.domain.identity import Commitment, Locator, RoundNumber, RunId, SiteId
from fednet.domain.ledger import Deployment, Receipt
from fednet.ledger.transacting import Transactor


class MaskingActs:
    """Implement ``MaskingWriter`` for a writer that has a deployment and a transactor."""

    _deployment: Deployment
    _transactor: Transactor

    def advertise_keys(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        mask_key: bytes,
        channel_key: bytes,
    ) -> Receipt:
        return self._mask("advertise", run, site, round_number, attempt, mask_key, channel_key)

    def close_keys(self, run: RunId) -> Receipt:
        return self._mask("closeKeys", run)

    def deal_shares(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        commitment: Commitment,
        locator: Locator,
    ) -> Receipt:
        return self._mask("deal", run, site, round_number, attempt, commitment, locator)

    def hold_shares(
        self, run: RunId, site: SiteId, round_number: RoundNumber, attempt: int, holding: bytes
    ) -> Receipt:
        return self._mask("hold", run, site, round_number, attempt, holding)

    def propose_set(
        self, run: RunId, site: SiteId, round_number: RoundNumber, attempt: int, inclusion: bytes
    ) -> Receipt:
        return self._mask("proposeSet", run, site, round_number, attempt, inclusion)

    def affirm_set(
        self, run: RunId, site: SiteId, round_number: RoundNumber, attempt: int, number: int
    ) -> Receipt:
        return self._mask("affirmSet", run, site, round_number, attempt, number)

    def disclose_shares(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        commitment: Commitment,
        locator: Locator,
    ) -> Receipt:
        return self._mask("disclose", run, site, round_number, attempt, commitment, locator)

    def _mask(self, function: str, *arguments: object) -> Receipt:
        return self._transactor.act("Masking", self._deployment.masking, function, arguments)

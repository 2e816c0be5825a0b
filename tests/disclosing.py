"""A whole run whose sites keep the ledger of disclosures: airlock, budget, a reader of blobs."""

from __future__ import annotations

from pathlib import Path

from fednet.domain.disclosures import PrivacyLoss, ReleaseStatus
from fednet.domain.identity import Commitment, Digest
from fednet.domain.update import Place
from tests import ledger_acts as acts
from tests.handmade import HandmadeRun

CEILING = PrivacyLoss(3_000_000, 10_000_000)
PER_ROUND = PrivacyLoss(500_000, 1_000_000)


class DisclosingRun(HandmadeRun):
    """Every update waits for its site's airlock, and its privacy is spent on record."""

    def __init__(
        self, world: acts.World, folder: Path, sites: int, rounds: int, elements: int
    ) -> None:
        super().__init__(world, folder, sites, rounds, elements)
        for hospital in self.hospitals:
            grounds = Digest(acts.commitment("grounds"))
            hospital.writer.set_ceiling(hospital.dataset, CEILING, grounds)
            hospital.writer.set_retention(hospital.dataset, acts.DAY_SECONDS)

    def decision(self, number: int, place: Place) -> ReleaseStatus:
        """Say what a site's airlock decides; an honest one lets its update out."""
        return ReleaseStatus.APPROVED

    def spending(self, number: int, place: Place) -> PrivacyLoss:
        """Say what a site records as spent in the run so far."""
        return PrivacyLoss(
            PER_ROUND.epsilon_micro * place.round, PER_ROUND.delta_pico * place.round
        )

    def admit_reader(self, number: int) -> Commitment:
        """Let an auditor read; give the commitment of the letter."""
        hospital, path = self.hospitals[number], self.folder / "unnamed"
        path.write_bytes(b"sealed to the auditor's key")
        letter = Commitment.of(path.read_bytes())
        _, located = self._keep(letter, path)
        account, key = self.world.writer("auditor").address, Digest(acts.commitment("key"))
        hospital.writer.admit_reader(self.run, hospital.site, account, key, (letter, located))
        return letter

    def _submit(self, number: int, hospital: acts.Hospital, place: Place) -> None:
        acts.request_release(self.run, hospital, place.round, place.attempt)
        decision = self.decision(number, place)
        if decision is not ReleaseStatus.REQUESTED:
            reason = acts.commitment("reason", number, place.round)
            hospital.writer.decide_release(
                self.run, place.round, place.attempt, hospital.dataset, decision, reason
            )
        spent = self.spending(number, place)
        hospital.writer.spend_budget(self.run, place.round, hospital.dataset, spent)
        super()._submit(number, hospital, place)

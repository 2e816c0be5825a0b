"""What hides updates in a run: masks, encryption, or nothing; loaded only where there is some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fednet.audit import MaskedInputs
from fednet.audit.inputs import EncryptedInputs
from fednet.domain.blobs import Wanted
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, RoundNumber
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Manifest, UpdateFile
from fednet.node.places import AttemptKey
from fednet.node.view import Masks

if TYPE_CHECKING:
    from pathlib import Path

    from fednet.node.fetching import Fetcher
    from fednet.node.mask_reading import MaskReading
    from fednet.node.masked_acts import MaskedActs
    from fednet.node.masking import Masking
    from fednet.node.reading import RunReading
    from fednet.node.site import SiteTools
    from fednet.node.sums import Sums
    from fednet.node.terms import RunTerms
    from fednet.node.workshop import Workshop


class Hides(Protocol):
    """Hide an update in the bytes that leave."""

    def cut(
        self, update: dict[str, FloatArray], key: AttemptKey, history: RunHistory
    ) -> tuple[dict[str, FloatArray], bool]:
        """Cut an update to what can be hidden of it; tell if it was within that.

        Raises:
            StoreError: What it follows from can be had nowhere.
            VerificationError: That and the chain contradict each other.
        """
        ...

    def hide(
        self,
        key: AttemptKey,
        path: Path,
        file: UpdateFile,
        manifest: Manifest,
        history: RunHistory,
        *,
        within: bool,
    ) -> Commitment:
        """Write the bytes that leave, durably, and commit to them.

        Args:
            key: The attempt.
            path: Where the bytes go.
            file: The update, cut.
            manifest: Who did this, where, from which state.
            history: What happened in the run.
            within: What ``cut`` told.

        Raises:
            TrainingError: It may not be hidden in this attempt, or cannot.
            AggregationError: Nothing can be hidden in this attempt.
            SettingsError: The disk refuses, or a key is not here.
        """
        ...


@dataclass(frozen=True, slots=True)
class Hidden:
    """What is known of the masks, or of the sums of encrypted updates, in one run."""

    tools: SiteTools
    terms: RunTerms
    masking: Masking | None = None
    sums: Sums | None = None

    def look(self) -> None:
        """Read what is new.

        Raises:
            LedgerError: The chain does not answer.
        """
        for each in (self.masking, self.sums):
            if each is not None:
                each.look()

    def masks(self, ground: RoundNumber) -> Mapping[AttemptKey, Masks]:
        """Return what is known of masks, by attempt."""
        return self.masking.masks(ground) if self.masking else {}

    def ready(self, ground: RoundNumber) -> frozenset[AttemptKey]:
        """List the attempts whose sums of encrypted updates are here."""
        return self.sums.ready(ground) if self.sums else frozenset()

    def inputs(self, key: AttemptKey) -> tuple[MaskedInputs | None, EncryptedInputs | None]:
        """Return what an attempt is recomputed with, beside the updates."""
        masked = self.masking.inputs(key) if self.masking else None
        return masked, self.sums.inputs(key) if self.sums else None

    def named_since(self, first: RoundNumber) -> set[Commitment]:
        """Name the blobs beside updates that rounds from one on need."""
        found = self.masking.named_since(first) if self.masking else set()
        return found | (self.sums.named_since(first) if self.sums else set())

    def blobs(self, key: AttemptKey) -> list[Wanted]:
        """List the blobs beside updates that an attempt rests on."""
        if self.sums is not None:
            found = self.sums.wanted(key)
            return [found] if found else []
        return list(self.masking.blobs(key)) if self.masking else []

    def masked_acts(self, workshop: Workshop) -> MaskedActs | None:
        """Make what acts in a masked run; None in another."""
        if self.masking is None:
            return None
        from fednet.node.masked_acts import MaskedActs

        return MaskedActs(self.tools, self.terms, workshop, self.masking)

    def encryption(self) -> Hides | None:
        """Make what encrypts and seals this site's update; None where nothing is encrypted."""
        if self.sums is None:
            return None
        from fednet.node.encrypting import Encryption

        return Encryption(self.tools, self.terms, self.sums)


def begin_hiding(
    tools: SiteTools,
    terms: RunTerms,
    reading: RunReading,
    fetcher: Fetcher,
    first_block: int,
    masks: MaskReading | None = None,
) -> Hidden:
    """Follow what hides the updates of a run.

    Args:
        tools: What the site acts with.
        terms: Of the run.
        reading: Where the run stands.
        fetcher: Holds blobs.
        first_block: In which the run was opened.
        masks: What other sites of this process read of the ledger of masked rounds already.
    """
    if terms.plan.is_masked:
        from fednet.node.mask_reading import MaskReading
        from fednet.node.masking import Masking

        masks = masks or MaskReading(tools.reader, terms.run, reading)
        roots = tools.journal.notes(terms.run).roots
        masking = Masking(tools.reader, terms, reading, masks, fetcher, tools.site, roots)
        return Hidden(tools, terms, masking=masking)
    if terms.plan.is_encrypted:
        from fednet.node.encrypting import key_of
        from fednet.node.sums import Sums

        key = key_of(tools, terms.plan)
        sums = Sums(tools.reader, terms, reading, fetcher, first_block, key)
        return Hidden(tools, terms, sums=sums)
    return Hidden(tools, terms)

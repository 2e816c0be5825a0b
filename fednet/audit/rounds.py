"""Recompute a run round by round, beside what was proposed, attested and made final."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fednet.audit.attempts import AttemptAudit, Tools, fetch_record, fetch_update, holder
from fednet.audit.checks import BLOBS, SETTLEMENT
from fednet.audit.cohorts import Cohort, Key
from fednet.audit.conclusions import check_votes_to_end
from fednet.audit.evidence import report_blob
from fednet.audit.findings import Severity
from fednet.audit.inputs import MaskedAttempt, PreviousRound
from fednet.audit.own_work import OwnWork
from fednet.audit.proposals import Judged
from fednet.audit.recomputation import settlement_of
from fednet.audit.report import RoundResult, RoundVerdict, SiteResult
from fednet.audit.sheets import RowVerdict
from fednet.codec import update_blob_limit_bytes
from fednet.credits import settlement_hash
from fednet.domain.batches import BatchedUpdate
from fednet.domain.blobs import BlobFile
from fednet.domain.events import RoundProposed, UpdateSubmitted
from fednet.domain.history import AttemptHistory, RoundHistory, RunHistory
from fednet.domain.identity import Address, Commitment, Digest, Locator, RoundNumber, SiteId
from fednet.domain.plan import Plan
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, VERDICT_NAMES, RoundRecord
from fednet.domain.staleness import late_bases
from fednet.domain.update import Place
from fednet.errors import SealedError, UnsealingError

if TYPE_CHECKING:
    # Most runs mask nothing, and load nothing of it.
    from fednet.audit.encrypted_sums import EncryptedAttempt
    from fednet.audit.masks import MasksAudit
    from fednet.audit.sealed import AttemptSeals


@dataclass(frozen=True, slots=True)
class _Final:
    """What became of a final proposal."""

    proposed: RoundProposed
    judged: Judged | None
    """None if evidence is missing."""
    record: RoundRecord | None
    erased: bool = False
    """Whether nothing but what was erased is missing."""
    is_sealed: bool = False
    """Whether it could not be judged because no key to something is here."""
    encrypted: EncryptedAttempt | None = None
    """What the sum of its encrypted updates came to."""


@dataclass(slots=True)
class RoundsAudit:
    """Audit the rounds of a run in order, holding one at a time.

    Each round starts from what the ledger made final, so that a wrong round is
    reported once and the later ones are still checked.
    """

    tools: Tools
    plan: Plan
    chain_id: int
    contract: Address
    history: RunHistory
    initial: Commitment
    """The initial model."""
    cohorts: Mapping[Key, Cohort]
    settlements: Mapping[RoundNumber, Digest]
    """What the contract stores, by final round."""
    own_work: OwnWork
    rows: Mapping[Key, Mapping[SiteId, RowVerdict]] = field(default_factory=dict)
    """Verdicts on rows of batches, by attempt."""
    masks: MasksAudit | None = None
    """Folds the masks, in a run whose updates are masked."""
    earned: dict[RoundNumber, Mapping[SiteId, int]] = field(default_factory=dict)
    """Cumulative credits by final round, as recomputed or else as recorded."""

    def prefetch(self, entry: RoundHistory) -> None:
        """Begin to fetch what auditing a round will need."""
        evidence, limit = self.tools.evidence, update_blob_limit_bytes(self.plan)
        if self.masks is not None and (first := next(iter(entry.attempts.values()), None)):
            self.masks.prefetch(first.started.round, entry.attempts)
        for number, attempt in entry.attempts.items():
            is_masked = self.masks is not None and self.masks.has_frozen(
                attempt.started.round, number
            )
            is_looked_at = bool(attempt.proposals) or is_masked
            for submission in attempt.submissions.values() if is_looked_at else ():
                if not (isinstance(submission, BatchedUpdate) and submission.locator.is_zero):
                    evidence.want(submission.commitment, submission.locator, limit)
        if (final := entry.final_proposal) is not None:
            said = final.proposed
            evidence.want(said.record, said.record_locator, MAX_RECORD_SIZE_BYTES)

    def audit_round(
        self, number: RoundNumber, entry: RoundHistory, previous: PreviousRound | None
    ) -> tuple[RoundResult, PreviousRound | None]:
        """Audit one round with all its attempts.

        Returns:
            The verdict, and what the next round starts from, None if that cannot be had.
        """
        final = self._audit_attempts(entry, number, previous)
        if final is None or entry.finalized is None:
            return _open_result(number, entry), previous
        self.check_stored(final.proposed)
        following = self._following(number, final)
        if final.judged is not None:
            record = final.judged.recomputed.record
            self.earned[number] = record.earned
            check_votes_to_end(number, entry, record.ends, self.tools.findings)
        elif following is not None:
            self.earned[number] = following.earned
            check_votes_to_end(number, entry, following.ends, self.tools.findings)
        self._clear(number, following)
        return _final_result(number, entry, final, previous), following

    def _audit_attempts(
        self, entry: RoundHistory, number: RoundNumber, previous: PreviousRound | None
    ) -> _Final | None:
        final: _Final | None = None
        late = late_bases(self.plan.staleness, self.history, self.initial, number)
        for attempt_number, history in entry.attempts.items():
            place = self._place(number, attempt_number)
            cohort = self.cohorts[(number, attempt_number)]
            rows = self.rows.get((number, attempt_number), {})
            seals = self._seals(place, history)
            masked = self._masked(place, history, is_final=entry.final_attempt is history)
            encrypted = self._encrypted(place, history, previous)
            attempt = (
                AttemptAudit(
                    self.tools,
                    self.plan,
                    place,
                    history,
                    cohort,
                    previous,
                    late,
                    rows,
                    seals,
                    masked=masked,
                    encrypted=encrypted,
                )
                if previous
                else None
            )
            if self.masks and attempt and masked:
                self.masks.check_sets(place, history, attempt.judge_masked)
            for proposal in history.proposals.values():
                is_final = entry.final_proposal is proposal
                judged = attempt.judge(proposal, is_final) if attempt else None
                if is_final:
                    is_sealed = attempt is not None and attempt.is_sealed
                    final = self._final(proposal.proposed, judged, is_sealed, encrypted)
            if attempt is not None and history.proposals:
                attempt.look_at(self.own_work, is_final=entry.final_attempt is history)
        return final

    def _masked(
        self, place: Place, history: AttemptHistory, *, is_final: bool
    ) -> MaskedAttempt | None:
        """Fold the masks of an attempt that unmasked something, or says so."""
        if self.masks is None:
            return None
        if not (history.proposals or self.masks.has_frozen(place.round, place.attempt)):
            return None
        return self.masks.look_at(place, history, is_final=is_final)

    def _encrypted(
        self, place: Place, history: AttemptHistory, previous: PreviousRound | None
    ) -> EncryptedAttempt | None:
        """Look at the sum of an attempt that proposed something, where updates are encrypted."""
        sums = self.tools.sums
        if sums is None or previous is None or not history.proposals:
            return None
        return sums.look_at(place, history, previous, self.history.events)

    def _final(
        self,
        proposed: RoundProposed,
        judged: Judged | None,
        is_sealed: bool,
        encrypted: EncryptedAttempt | None,
    ) -> _Final:
        if judged is not None:
            return _Final(proposed, judged, judged.record, encrypted=encrypted)
        if is_sealed:
            record = fetch_record(self.tools, proposed, is_final=True)
            if record and encrypted and encrypted.inputs and self.tools.sums:
                self.tools.sums.check_record(record, encrypted.inputs, proposed.site)
            return _Final(proposed, None, record, is_sealed=True, encrypted=encrypted)
        erased = self._is_erased(proposed.round)
        self.tools.findings.add(
            BLOBS,
            "round-erased" if erased else "round-unverifiable",
            f"round {proposed.round}",
            "updates of it were erased on recorded grounds: nobody can recompute it any more"
            if erased
            else "could not be recomputed for want of evidence",
            severity=Severity.MISSING,
            round_number=proposed.round,
        )
        return _Final(proposed, None, fetch_record(self.tools, proposed, is_final=True), erased)

    def _is_erased(self, number: RoundNumber) -> bool:
        """Tell whether what keeps a round from being recomputed was erased, and nothing else."""
        found = self.tools.findings.entries
        told = {
            each.code
            for each in found
            if each.round == number and each.severity is not Severity.NOTICE
        }
        return told == {"blob-erased"}

    def _seals(self, place: Place, attempt: AttemptHistory) -> AttemptSeals | None:
        seals = self.tools.seals
        return seals.of(place, attempt, self.history.events) if seals else None

    def content_of(self, submission: UpdateSubmitted) -> BlobFile | None:
        """Return what was handed in, verified and opened; None if it cannot be had or read."""
        file = fetch_update(self.tools, self.plan, submission).path
        attempt = self.history.rounds[submission.round].attempts[submission.attempt]
        seals = self._seals(self._place(submission.round, submission.attempt), attempt)
        if file is None or seals is None:
            return file
        try:
            opened = seals.open_updates(attempt.submissions.values(), {submission.site: file})
        except SealedError:
            return None
        return opened.paths[submission.site]

    def _place(self, number: RoundNumber, attempt: int) -> Place:
        return Place(self.chain_id, self.contract, self.history.run, number, attempt)

    def _following(self, number: RoundNumber, final: _Final) -> PreviousRound | None:
        """Take what the ledger made final as the start of the next round."""
        proposed, judged, record = final.proposed, final.judged, final.record
        if judged is not None and judged.record_right:
            record = judged.recomputed.record
        if record is None:
            return None
        cap = self.plan.stored_size_bytes(self.plan.model.size_bytes)
        blob = self.tools.evidence.get(proposed.state, Locator(record.state_locator), cap)
        subject = f"state of round {number}"
        report_blob(self.tools.findings, blob, subject, holder(proposed.site), number)
        path, is_sealed = blob.path, False
        if judged is not None and judged.recomputed.settlement.state == proposed.state:
            path = judged.recomputed.base_path
        elif path is not None:
            path, is_sealed = self._open_state(proposed, path, is_told=judged is not None)
        if path is None:
            return None
        following = PreviousRound.of_record(proposed.record, proposed.state, path, record)
        return replace(following, is_sealed=is_sealed)

    def _open_state(
        self, proposed: RoundProposed, file: BlobFile, *, is_told: bool
    ) -> tuple[BlobFile | None, bool]:
        """Open a final state where it is sealed; return its file, and whether it still is.

        Args:
            proposed: The final proposal.
            file: The state's verified bytes.
            is_told: Whether it was told already that the state is not what it should be.
        """
        attempt = self.history.rounds[proposed.round].attempts[proposed.attempt]
        seals = self._seals(self._place(proposed.round, proposed.attempt), attempt)
        if seals is None:
            return file, False
        try:
            return seals.open_state(proposed.state, file), False
        except SealedError:
            return file, True
        except UnsealingError as exc:
            if not is_told:
                self.tools.findings.add(
                    BLOBS,
                    "state-not-sealed",
                    f"state of round {proposed.round}",
                    str(exc),
                    round_number=proposed.round,
                    duty=holder(proposed.site),
                    actual=proposed.state,
                )
            return None, False

    def recall_following(self, number: RoundNumber, entry: RoundHistory) -> PreviousRound | None:
        """Fetch what the round after a verified one starts from, recomputing nothing."""
        assert entry.final_proposal is not None
        proposed = entry.final_proposal.proposed
        return self._following(
            number, _Final(proposed, None, fetch_record(self.tools, proposed, is_final=True))
        )

    def check_stored(self, proposed: RoundProposed) -> None:
        """Do the part of check 13 that concerns the contract's storage."""
        self.tools.findings.require_equal(
            SETTLEMENT,
            "settlement-differs",
            f"round {proposed.round}",
            "stored settlement is not the hash of what was proposed",
            settlement_hash(settlement_of(proposed)),
            self.settlements.get(proposed.round),
            round_number=proposed.round,
        )

    def _clear(self, number: RoundNumber, following: PreviousRound | None) -> None:
        """Remove recomputed states that no later round needs."""
        for path in self.tools.work_dir.iterdir():
            if following is None or path != following.state_path:
                path.unlink()
        if self.tools.seals is not None:
            self.tools.seals.forget(number)


def _open_result(number: RoundNumber, entry: RoundHistory) -> RoundResult:
    last = max(entry.attempts, default=0)
    submissions = entry.attempts[last].submissions if last else {}
    sites = tuple(
        SiteResult(site, submission.weight, "", "", 0)
        for site, submission in sorted(submissions.items())
    )
    return RoundResult(number, RoundVerdict.OPEN, last, None, None, 0, sites)


def _final_result(
    number: RoundNumber, entry: RoundHistory, final: _Final, previous: PreviousRound | None
) -> RoundResult:
    attempt, proposal = entry.final_attempt, entry.final_proposal
    assert attempt is not None
    assert proposal is not None
    judged = final.judged
    verdict = RoundVerdict.ERASED if final.erased else RoundVerdict.UNVERIFIABLE
    if judged is not None:
        verdict = RoundVerdict.VERIFIED if judged.right else RoundVerdict.WRONG
    elif final.is_sealed:
        verdict = RoundVerdict.SEALED
    if final.encrypted is not None:
        verdict = final.encrypted.weigh(verdict)
    verdicts = judged.recomputed.verdicts if judged else {}
    earned = judged.recomputed.record.earned if judged else {}
    before = previous.earned if previous else {}
    sites = tuple(
        SiteResult(
            site=site,
            weight=submission.weight,
            verdict=VERDICT_NAMES[verdicts[site].inclusion] if site in verdicts else "",
            reason=verdicts[site].reason if site in verdicts else "",
            earned=earned.get(site, 0) - before.get(site, 0) if judged else 0,
            staleness=verdicts[site].staleness if site in verdicts else 0,
        )
        for site, submission in sorted(attempt.submissions.items())
    )
    return RoundResult(
        round=number,
        verdict=verdict,
        attempt=final.proposed.attempt,
        record=final.proposed.record,
        state=final.proposed.state,
        attestations=len(proposal.attestations),
        sites=sites,
        outcome=judged.recomputed.record.outcome if judged else {},
    )

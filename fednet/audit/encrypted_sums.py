"""Checks 34 and 35: the sums of encrypted updates, added again, and what was decrypted of them.

Two readers, two halves. Whom the aggregators granted their keys adds the ciphertexts
again, bit for bit, and needs no key of the sites'; who has that key repeats the
decryption, and sees no single update. What a reader cannot repeat is called sealed,
never verified.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from fednet.audit.checks import DECRYPTIONS, ENCRYPTED_SUMS
from fednet.audit.encrypted_updates import read_sum, verdicts_of, write_sum
from fednet.audit.evidence import Blob, Evidence
from fednet.audit.findings import Findings, Severity
from fednet.audit.inputs import EncryptedInputs, OpenedUpdates, PreviousRound, RoundInputs
from fednet.audit.judging import judge
from fednet.audit.report import RoundVerdict
from fednet.audit.sealed import RunSeals
from fednet.audit.snapshot import Snapshot
from fednet.audit.sum_claims import AgreedSum, SumClaims
from fednet.codec import check_state, sum_size_limit_bytes, update_blob_limit_bytes
from fednet.domain import events as ev
from fednet.domain.blobs import BlobFile
from fednet.domain.history import AttemptHistory
from fednet.domain.identity import Address, SiteId
from fednet.domain.ledger import Inclusion
from fednet.domain.plan import Plan
from fednet.domain.record import RoundRecord
from fednet.domain.shape import StateShape
from fednet.domain.update import Place
from fednet.errors import AggregationError, MalformedBlobError, SealedError
from fednet.privacy.homomorphic import Decrypting

_MOST_LOOKED_AT = 16
"""Blobs that may be the sum of an attempt: aggregators can agree on others."""


class SumVerdict(Enum):
    """What became of adding an attempt's ciphertexts again."""

    RIGHT = "right"
    WRONG = "wrong"
    UNREAD = "unread"
    """The updates could not be opened, so that nothing is said of their sum."""


@dataclass(frozen=True, slots=True)
class EncryptedAttempt:
    """What an attempt's sum came to."""

    inputs: EncryptedInputs | None
    """None if there is no sum of it."""
    sum: SumVerdict = SumVerdict.UNREAD
    is_missing: bool = False
    """Whether a blob that may be the sum cannot be had."""

    def weigh(self, verdict: RoundVerdict) -> RoundVerdict:
        """Return the verdict on a round whose decryption has another."""
        if self.sum is SumVerdict.WRONG:
            return RoundVerdict.WRONG
        if self.sum is SumVerdict.UNREAD and verdict is RoundVerdict.VERIFIED:
            return RoundVerdict.SEALED
        return verdict


def check_apart(snapshot: Snapshot, plan: Plan, findings: Findings) -> None:
    """Tell of aggregators that are sites of the run as well: these have ciphertexts and the key."""
    for event in snapshot.run_events:
        if isinstance(event, ev.ConsentGiven) and event.site in plan.homomorphic.aggregator_sites:
            findings.add(
                ENCRYPTED_SUMS,
                "aggregator-in-cohort",
                f"site {event.site}",
                "the plan names it to add ciphertexts without the key, and it took part as a site,"
                " which has the key: it could read every update",
                accused=event.site,
            )


@dataclass(slots=True)
class SumsAudit:
    """Look at the sums of one run, attempt by attempt.

    Args:
        plan: The run's.
        claims: What the aggregators announced.
        evidence: Fetches blobs.
        findings: Gets what is found.
        seals: Opens what is sealed to aggregators; finds no key where none was granted.
        key: What the sites share; None without it.
        work_dir: Folder of the audit's own.
        credits_contract: Of the deployment.
        threads: Threads that judge.
    """

    plan: Plan
    claims: SumClaims
    evidence: Evidence
    findings: Findings
    seals: RunSeals
    key: Decrypting | None
    work_dir: Path
    credits_contract: Address
    threads: int

    def look_at(
        self,
        place: Place,
        attempt: AttemptHistory,
        previous: PreviousRound,
        run_events: Iterable[ev.RunEvent],
    ) -> EncryptedAttempt:
        """Find an attempt's sum and, where its updates can be opened, add them again."""
        submissions = tuple(attempt.submissions.values())
        is_missing = False
        for candidate in self.claims.agreed(attempt.started.log)[:_MOST_LOOKED_AT]:
            blob = self._fetch(candidate)
            if blob.path is None:
                is_missing = True
                continue
            try:
                header = read_sum(blob.path, self.plan, place, submissions)
            except MalformedBlobError:
                continue
            found = EncryptedInputs(candidate.commitment, blob.path, header, self.key)
            verdict = self._add_again(place, attempt, previous, run_events, candidate, found)
            return EncryptedAttempt(found, verdict)
        return EncryptedAttempt(None, is_missing=is_missing)

    def check_record(self, record: RoundRecord, inputs: EncryptedInputs, proposer: SiteId) -> None:
        """Hold the sum that a record says it decrypted against the one that was agreed on."""
        self.findings.require_equal(
            DECRYPTIONS,
            "another-sum-decrypted",
            f"record of round {record.round}",
            "the record is not of the sum on which a majority of aggregators agreed",
            str(inputs.commitment),
            str(record.outcome.get("sum", "")),
            accused=proposer,
        )

    def tell_not_decrypted(self, place: Place) -> None:
        """Say that a decryption was attested and not repeated here."""
        self.findings.add(
            DECRYPTIONS,
            "not-decrypted",
            f"round {place.round}, attempt {place.attempt}",
            "sites attested what they decrypted; it was not repeated here, for want of their key",
            severity=Severity.SEALED,
            round_number=place.round,
            duty="whoever wants it repeated, to audit with the key that the sites share",
        )

    def _fetch(self, candidate: AgreedSum) -> Blob:
        limit = sum_size_limit_bytes(self.plan)
        blobs = [self.evidence.get(candidate.commitment, at, limit) for at in candidate.locators]
        return next((blob for blob in blobs if blob.path is not None), blobs[0])

    def _add_again(
        self,
        place: Place,
        attempt: AttemptHistory,
        previous: PreviousRound,
        run_events: Iterable[ev.RunEvent],
        agreed: AgreedSum,
        found: EncryptedInputs,
    ) -> SumVerdict:
        try:
            opened = self._open(place, attempt, run_events, found)
        except SealedError as exc:
            self._tell_sealed(place, agreed, exc)
            return SumVerdict.UNREAD
        if opened is None:
            return SumVerdict.UNREAD
        inputs = RoundInputs(
            self.plan,
            place,
            previous,
            tuple(attempt.submissions.values()),
            opened.paths,
            self.credits_contract,
            attempt.started.cohort,
            refused=opened.refused,
        )
        limit = self.plan.model.size_bytes
        header = check_state(previous.state_path, None, limit)
        shape = StateShape.of_state(self.plan, header.layout)
        with ThreadPoolExecutor(self.threads, thread_name_prefix="judge") as pool:
            verdicts = judge(inputs, shape, pool)
        target = self.work_dir / "sum"
        try:
            expected: object = write_sum(inputs, verdicts, shape, target)
        except AggregationError as exc:
            expected = exc
        finally:
            target.unlink(missing_ok=True)
        if expected == agreed.commitment:
            return SumVerdict.RIGHT
        told = verdicts_of(found.header)
        wrong = [site for site in sorted(told) if told[site].reason != verdicts[site].reason]
        self._accuse(place, agreed, expected, wrong)
        return SumVerdict.WRONG

    def _open(
        self,
        place: Place,
        attempt: AttemptHistory,
        run_events: Iterable[ev.RunEvent],
        found: EncryptedInputs,
    ) -> OpenedUpdates | None:
        """Open what the sum says was at hand; None if it cannot be had here.

        Raises:
            SealedError: No key to one of them is here.
        """
        limit, said = update_blob_limit_bytes(self.plan), verdicts_of(found.header)
        files: dict[SiteId, BlobFile | None] = {}
        for site, submission in attempt.submissions.items():
            if said[site].inclusion is Inclusion.UNAVAILABLE:
                files[site] = None
                continue
            blob = self.evidence.get(submission.commitment, submission.locator, limit)
            if blob.path is None:
                return None  # Told where blobs are asked for.
            files[site] = blob.path
        seals = self.seals.of(place, attempt, run_events)
        return seals.open_updates(attempt.submissions.values(), files)

    def _tell_sealed(self, place: Place, agreed: AgreedSum, exc: SealedError) -> None:
        self.findings.add(
            ENCRYPTED_SUMS,
            "sum-sealed",
            f"sum of round {place.round}, attempt {place.attempt}",
            "the updates are sealed to the aggregators: their ciphertexts were not added again",
            severity=Severity.SEALED,
            round_number=place.round,
            duty="whoever wants it repeated, to audit with keys that an aggregator granted",
            expected=f"a key to every update of sum {agreed.commitment}",
            actual=str(exc),
        )

    def _accuse(
        self, place: Place, agreed: AgreedSum, expected: object, wrong: list[SiteId]
    ) -> None:
        judged = ", ".join(f"site {site}" for site in wrong)
        more = f"; it judges the updates of {judged} otherwise" if wrong else ""
        for site in agreed.said:
            self.findings.add(
                ENCRYPTED_SUMS,
                "sum-wrong",
                f"sum of round {place.round}, attempt {place.attempt}",
                f"the aggregator committed to a sum that the updates do not have{more}",
                round_number=place.round,
                accused=site,
                expected=expected,
                actual=agreed.commitment,
            )

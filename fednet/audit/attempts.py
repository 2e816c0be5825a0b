"""Judge the proposals of one attempt by recomputing them from the submitted bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, combinations
from pathlib import Path
from typing import TYPE_CHECKING

from fednet.audit.batches import fetch_sheet
from fednet.audit.checks import BLOBS, INCLUSION, RECORD
from fednet.audit.cohorts import Cohort
from fednet.audit.evidence import Blob, Evidence, report_blob
from fednet.audit.findings import Findings, Severity
from fednet.audit.inputs import (
    MaskedAttempt,
    MaskedInputs,
    OpenedUpdates,
    PreviousRound,
    RoundInputs,
)
from fednet.audit.own_work import OwnWork
from fednet.audit.proposals import (
    Judged,
    check_attestations,
    check_objections,
    check_record,
    check_settlement,
    report_unavailable,
)
from fednet.audit.recomputation import Combined, Locate, combine, judge_alone, settle
from fednet.audit.sheets import RowVerdict, SignerOf
from fednet.codec import Reason, Verdict, update_blob_limit_bytes
from fednet.domain.batches import BatchedUpdate
from fednet.domain.blobs import BlobFile
from fednet.domain.events import RoundProposed, UpdateSubmitted
from fednet.domain.history import AttemptHistory, ProposalHistory
from fednet.domain.identity import Address, Commitment, SiteId
from fednet.domain.ledger import Inclusion, unpack_inclusion
from fednet.domain.plan import Plan
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from fednet.domain.update import Place
from fednet.errors import AggregationError, MalformedBlobError, SealedError

if TYPE_CHECKING:
    from fednet.audit.encrypted_sums import EncryptedAttempt, SumsAudit
    from fednet.audit.sealed import AttemptSeals, RunSeals

_MOST_ALTERNATIVES = 16
"""Recomputations spent on objections to one proposal."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What an audit works with."""

    evidence: Evidence
    locate: Locate
    signer_of: SignerOf
    work_dir: Path
    """Folder of the audit's own, for recomputed states."""
    findings: Findings
    threads: int
    credits_contract: Address
    seals: RunSeals | None = None
    """Opens blobs and seals states, in a run that seals."""
    sums: SumsAudit | None = None
    """Adds ciphertexts again, in a run whose updates are encrypted."""


@dataclass(slots=True)
class AttemptAudit:
    """Recompute the proposals of one attempt, each set of available updates once."""

    tools: Tools
    plan: Plan
    place: Place
    history: AttemptHistory
    cohort: Cohort
    previous: PreviousRound
    late: Mapping[Commitment, int]
    """How late an update is that was trained from an older state."""
    rows: Mapping[SiteId, RowVerdict] = field(default_factory=dict)
    """Verdicts on rows of batches whose sheets are served."""
    seals: AttemptSeals | None = None
    is_sealed: bool = False
    """Whether the last proposal could not be judged because no key to something is here."""
    masked: MaskedAttempt | None = None
    """What the masks came to, in a run whose updates are masked."""
    encrypted: EncryptedAttempt | None = None
    """What the sum of encrypted updates came to, in a run that has them."""
    _combined: dict[frozenset[SiteId], Combined] = field(default_factory=dict)

    def judge(self, said: ProposalHistory, is_final: bool) -> Judged | None:
        """Check one proposal and every vote on it; None if evidence is missing."""
        proposed = said.proposed
        self.is_sealed = False
        unavailable = self._unavailable(proposed)
        if unavailable is None or not self._require_blobs(proposed, unavailable, is_final):
            return None
        if not self._require_masks(proposed) or not self._require_sum(proposed):
            return None
        try:
            combined = self._combine(unavailable)
        except AggregationError as exc:
            self._accuse(proposed, "proposal-impossible", str(exc))
            return None
        except SealedError as exc:
            if self.tools.sums is None:
                self._report_sealed(proposed, exc)
            else:
                self.tools.sums.tell_not_decrypted(self.place)
            self.is_sealed = True
            return None
        recomputed = settle(combined, proposed.proposal, proposed.site)
        inclusion = recomputed.inclusion(self.cohort.positions)
        right = recomputed.commitment == proposed.record
        needed = is_final or not right
        record = fetch_record(self.tools, proposed, is_final) if needed else recomputed.record
        judged = Judged(said, recomputed, record, self.tools.findings, inclusion)
        check_record(judged)
        check_settlement(judged)
        check_attestations(judged)
        keepers = {site: self._keeper(site) for site in unavailable}
        report_unavailable(judged, self._at_hand(unavailable), keepers)
        if said.objections:
            try:
                check_objections(judged, self._alternatives(judged, unavailable))
            except SealedError as exc:
                self._report_sealed(proposed, exc)
        return judged

    def look_at(self, own_work: OwnWork, *, is_final: bool) -> None:
        """Look whether the updates are work of their sites' own; each once, as first judged."""
        if self.previous.is_sealed:
            return
        verdicts = next((each.verdicts for each in self._combined.values()), {})
        base = self.previous.state_path
        for site, submission in self.history.submissions.items():
            verdict = verdicts.get(site)
            if self._is_refused(site):
                continue
            if self.encrypted:
                continue  # Equal updates have other ciphertexts each time.
            if self.masked and (verdict is None or verdict.inclusion is Inclusion.INCLUDED):
                continue  # Of what a mask hides nothing can be compared.
            if (path := self._content(site)) is not None:
                own_work.look(submission, path, base, verdict, counted=is_final)

    def judge_masked(self, masked: MaskedInputs) -> Mapping[SiteId, Verdict]:
        """Judge the masked updates whose bytes are there; the others come out unavailable."""
        submissions = self.history.submissions
        inputs = RoundInputs(
            plan=self.plan,
            place=self.place,
            previous=self.previous,
            submissions=tuple(submissions.values()),
            paths={site: self._blob(site).path for site in submissions},
            credits_contract=self.tools.credits_contract,
            cohort=self.history.started.cohort,
            late=self.late,
            masked=masked,
        )
        return judge_alone(inputs, self.tools.threads)

    def _unavailable(self, proposed: RoundProposed) -> frozenset[SiteId] | None:
        """Read from the ledger whose bytes the proposer could not get."""
        positions = self.cohort.positions
        submitted = {
            positions[site]: site for site in self.history.submissions if site in positions
        }
        verdicts = unpack_inclusion(proposed.inclusion, submitted)
        if verdicts is None:
            self._accuse(proposed, "inclusion-malformed", "its bitmap does not fit the submissions")
            return None
        return frozenset(
            submitted[at] for at, verdict in verdicts.items() if verdict is Inclusion.UNAVAILABLE
        )

    def _require_blobs(
        self, proposed: RoundProposed, unavailable: frozenset[SiteId], is_final: bool
    ) -> bool:
        complete = True
        for site, submission in sorted(self.history.submissions.items()):
            if site not in self.cohort.members:
                self._accuse(proposed, "proposal-impossible", f"site {site} is not in the cohort")
                return False
            if site not in unavailable and not self._is_refused(site):
                subject = f"update of site {site} in round {submission.round}"
                complete &= report_blob(
                    self.tools.findings,
                    self._blob(site),
                    subject,
                    f"site {self._keeper(site)}, and every member that pinned it",
                    submission.round,
                    None if is_final else Severity.NOTICE,
                )
        return complete

    def _require_masks(self, proposed: RoundProposed) -> bool:
        """Tell whether the sum can be freed of its masks, where there are any."""
        if self.masked is None:
            return True
        if self.masked.problem:
            self._accuse(proposed, "proposal-impossible", self.masked.problem)
            return False
        return not self.masked.is_missing

    def _require_sum(self, proposed: RoundProposed) -> bool:
        """Tell whether there is a sum to decrypt, where updates are encrypted."""
        if self.encrypted is None or self.encrypted.inputs is not None:
            return True
        if not self.encrypted.is_missing:
            reason = "no majority of aggregators has the same sum of its updates"
            self._accuse(proposed, "proposal-impossible", reason)
        return False

    def _is_refused(self, site: SiteId) -> bool:
        """Tell whether a row counts for nothing whatever its bytes are."""
        return isinstance(self.rows.get(site), Reason)

    def _at_hand(self, sites: frozenset[SiteId]) -> list[SiteId]:
        """List the sites whose submissions can be judged here."""
        return [
            site
            for site in sorted(sites)
            if self._is_refused(site) or self._blob(site).path is not None
        ]

    def _combine(self, unavailable: frozenset[SiteId]) -> Combined:
        if unavailable not in self._combined:
            submissions = self.history.submissions
            refused = {
                site: verdict
                for site, verdict in self.rows.items()
                if isinstance(verdict, Reason) and site not in unavailable
            }
            absent = unavailable | refused.keys()
            opened = self._open({site: site in absent for site in submissions})
            inputs = RoundInputs(
                plan=self.plan,
                place=self.place,
                previous=self.previous,
                submissions=tuple(submissions.values()),
                paths=opened.paths,
                credits_contract=self.tools.credits_contract,
                cohort=self.history.started.cohort,
                late=self.late,
                refused={**refused, **opened.refused},
                seal=opened.seal,
                masked=self.masked.inputs if self.masked else None,
                encrypted=self.encrypted.inputs if self.encrypted else None,
            )
            self._combined[unavailable] = combine(
                inputs, self.tools.locate, self.tools.work_dir, self.tools.threads
            )
        return self._combined[unavailable]

    def _alternatives(self, judged: Judged, unavailable: frozenset[SiteId]) -> Iterator[Commitment]:
        """Give the records that follow if some unavailable updates had been at hand."""
        had = self._at_hand(unavailable)
        sets = chain.from_iterable(combinations(had, count) for count in range(len(had), 0, -1))
        proposed = judged.said.proposed
        for _, found in zip(range(_MOST_ALTERNATIVES), sets, strict=False):
            try:
                combined = self._combine(unavailable - set(found))
            except AggregationError:
                continue
            yield settle(combined, proposed.proposal, proposed.site).commitment

    def _open(self, is_absent: Mapping[SiteId, bool]) -> OpenedUpdates:
        """Find the contents of updates, with a key where they are sealed.

        Raises:
            SealedError: No key is here to one that is not absent, or to the state before.
        """
        files = {site: None if out else self._blob(site).path for site, out in is_absent.items()}
        if self.seals is None:
            return OpenedUpdates(files, {}, None)
        opened = self.seals.open_updates(self.history.submissions.values(), files)
        if self.previous.is_sealed:
            raise SealedError(
                "the state that it starts from is sealed, and no key to it is here",
                commitment=self.previous.state,
                subject=f"round {self.place.round}",
            )
        return opened

    def _content(self, site: SiteId) -> BlobFile | None:
        """Return what a site handed in, as far as it can be had and read."""
        try:
            return self._open({site: False}).paths[site]
        except SealedError:
            return None

    def _report_sealed(self, proposed: RoundProposed, exc: SealedError) -> None:
        self.tools.findings.add(
            BLOBS,
            "sealed",
            f"proposal {proposed.proposal} of round {proposed.round}, attempt {proposed.attempt}",
            "sealed, not replayed",
            severity=Severity.SEALED,
            round_number=proposed.round,
            duty="whoever wants it replayed, to audit with a key that a member granted",
            expected="a key to every blob",
            actual=str(exc),
        )

    def _blob(self, site: SiteId) -> Blob:
        return fetch_update(self.tools, self.plan, self.history.submissions[site])

    def _keeper(self, site: SiteId) -> SiteId:
        """Name who has to serve what a submission is judged by: a sheet is its batcher's."""
        submission = self.history.submissions[site]
        if isinstance(submission, BatchedUpdate) and site not in self.rows:
            return submission.batcher
        return site

    def _accuse(self, proposed: RoundProposed, code: str, message: str) -> None:
        self.tools.findings.add(
            INCLUSION,
            code,
            f"proposal {proposed.proposal} of round {proposed.round}, attempt {proposed.attempt}",
            message,
            round_number=proposed.round,
            accused=proposed.site,
            actual=proposed.inclusion.hex(),
        )


def fetch_update(tools: Tools, plan: Plan, submission: UpdateSubmitted) -> Blob:
    """Get the bytes of one submission; those of a row whose sheet is not served cannot be had."""
    if isinstance(submission, BatchedUpdate) and submission.locator.is_zero:
        sheet = fetch_sheet(tools.evidence, submission)
        if sheet.path is None:
            return sheet
    return tools.evidence.get(
        submission.commitment, submission.locator, update_blob_limit_bytes(plan)
    )


def fetch_record(tools: Tools, proposed: RoundProposed, is_final: bool) -> RoundRecord | None:
    """Get a proposed record; that of a proposal that failed need not be served any more."""
    subject = f"record of round {proposed.round}, proposal {proposed.proposal}"
    blob = tools.evidence.get(proposed.record, proposed.record_locator, MAX_RECORD_SIZE_BYTES)
    severity = None if is_final else Severity.NOTICE
    if not report_blob(
        tools.findings, blob, subject, holder(proposed.site), proposed.round, severity
    ):
        return None
    assert blob.path is not None
    try:
        return RoundRecord.from_bytes(blob.path.read_bytes(), subject)
    except MalformedBlobError as exc:
        tools.findings.add(
            RECORD,
            "record-malformed",
            subject,
            str(exc),
            round_number=proposed.round,
            accused=proposed.site,
        )
        return None


def holder(site: SiteId) -> str:
    """Name who has to serve what a proposal names."""
    return f"site {site}, which proposed it, and every member that pinned it"

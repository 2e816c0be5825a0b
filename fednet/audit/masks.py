"""Checks 32 and 33: who masked with whom, which set was unmasked, and who lied about a share.

Proved by published bytes, and therefore accused: a share that is not the one dealt, shares of
two polynomials or of another key than advertised, a disclosure for another set, a dealing that
is none, a set that contradicts the bytes (``audit.sets``). Told, without an accusation: a share
that its neighbour does not hold, a share that was held and not disclosed. See docs/adr/0021.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from fednet.audit.checks import FROZEN_SET, MASKED_ACTS, MASKS
from fednet.audit.cohorts import Cohort, Key
from fednet.audit.evidence import Evidence, report_blob
from fednet.audit.findings import CHAIN_DUTY, Findings, Severity
from fednet.audit.inputs import MaskedAttempt, MaskedInputs
from fednet.audit.sets import SetGround, check_sets
from fednet.audit.snapshot import Snapshot
from fednet.codec import Verdict
from fednet.domain.blobs import Wanted
from fednet.domain.history import AttemptHistory
from fednet.domain.identity import RoundNumber, SiteId
from fednet.domain.ledger import Head
from fednet.domain.masking_stages import MaskingAttempt, MaskingHistory
from fednet.domain.plan import Plan
from fednet.domain.update import Place
from fednet.errors import AggregationError, PlanError, VerificationError
from fednet.privacy.masking import (
    Agreement,
    Dealers,
    Frozen,
    Recovery,
    Wrong,
    agree_on,
    circle_of,
    dealers_of,
    frozen_of,
    included_in,
    read_dealings,
    recover,
    share_blobs,
    usable_keys,
)

Judge = Callable[[MaskedInputs], Mapping[SiteId, Verdict]]
"""Judges an attempt's masked updates; those whose bytes cannot be had as unavailable."""


@dataclass(slots=True)
class MasksAudit:
    """Fold masked attempts from the ledger and from what is served of shares."""

    plan: Plan
    history: MaskingHistory
    blocks: Mapping[int, Head]
    """Headers of the blocks in which keys were closed, by number."""
    cohorts: Mapping[Key, Cohort]
    evidence: Evidence
    findings: Findings

    @classmethod
    def of(
        cls,
        snapshot: Snapshot,
        plan: Plan,
        cohorts: Mapping[Key, Cohort],
        evidence: Evidence,
        findings: Findings,
    ) -> Self:
        """Fold what the ledger says of a run's masks."""
        own = [each for each in snapshot.masked() if each.run == snapshot.run_id]
        try:
            history = MaskingHistory.fold(own)
        except KeyError:
            findings.add(
                MASKED_ACTS,
                "masking-log-impossible",
                f"run {snapshot.run_id}",
                "a record speaks of a set that nobody proposed",
                duty=CHAIN_DUTY,
            )
            history = MaskingHistory()
        return cls(plan, history, snapshot.blocks, cohorts, evidence, findings)

    def prefetch(self, number: RoundNumber, attempts: Iterable[int]) -> None:
        """Begin to fetch the shares of attempts that have a frozen set."""
        for attempt in attempts:
            cohort = self.cohorts.get((number, attempt))
            if cohort is not None and self.has_frozen(number, attempt):
                dealings, disclosures = self._blobs((number, attempt), len(cohort.members))
                for wanted in (*dealings.values(), *disclosures.values()):
                    self.evidence.want(*wanted)

    def has_frozen(self, number: RoundNumber, attempt: int) -> bool:
        """Tell whether a set was frozen in an attempt, so that shares may be out."""
        return self.history.attempt(number, attempt).frozen is not None

    def look_at(self, place: Place, history: AttemptHistory, *, is_final: bool) -> MaskedAttempt:
        """Fold one attempt that has proposals, and note who lied in it."""
        key = (place.round, place.attempt)
        record, cohort = self.history.attempt(*key), self.cohorts[key]
        self._tell_useless_keys(place, record)
        try:
            agreement = agree_on(self.plan, history.started.cohort)
            dealers = self._dealers(place, record, agreement)
            frozen = self._frozen(record, history, cohort, dealers, agreement)
        except (AggregationError, PlanError, VerificationError) as exc:
            return MaskedAttempt(None, str(exc))
        self._tell_who_does_not_hold(place, record, dealers)
        recovery, is_whole = self._recovery(place, frozen, len(cohort.members), is_final)
        self._tell_faults(place, recovery)
        missing = bool(recovery.missing)
        return MaskedAttempt(
            MaskedInputs(dealers, agreement.fixed_point, frozen, recovery),
            is_missing=missing and not is_whole,
        )

    def check_sets(self, place: Place, history: AttemptHistory, judge: Judge) -> None:
        """Hold every set that was proposed in an attempt against the updates' bytes.

        Args:
            place: The attempt.
            history: What the run's own ledger says of it.
            judge: Judges the masked updates whose bytes are there.
        """
        key = (place.round, place.attempt)
        record, cohort = self.history.attempt(*key), self.cohorts[key]
        if not record.sets:
            return
        try:
            agreement = agree_on(self.plan, history.started.cohort)
            dealers = self._dealers(place, record, agreement)
        except (AggregationError, PlanError, VerificationError):
            return  # Nobody can have masked, so that no set could count anything.
        known = {
            site: said for site, said in history.submissions.items() if site in cohort.positions
        }
        verdicts = judge(MaskedInputs(dealers, agreement.fixed_point))
        ground = SetGround(agreement, dealers, known, cohort.positions, verdicts)
        check_sets(record, ground, self.findings)

    def _blobs(self, key: Key, cohort: int) -> tuple[dict[SiteId, Wanted], dict[SiteId, Wanted]]:
        """Name the blobs of an attempt's shares, as dealt and as disclosed, by site."""
        return share_blobs(self.history.attempt(*key), cohort)

    def _dealers(self, place: Place, record: MaskingAttempt, agreement: Agreement) -> Dealers:
        if record.seed_block is None:
            raise VerificationError("no keys were ever closed", subject=_named(place))
        seed = self.blocks[record.seed_block].block_hash
        return dealers_of(circle_of(place, record, seed, agreement), record)

    def _tell_useless_keys(self, place: Place, record: MaskingAttempt) -> None:
        for site, said in record.keys.items():
            if usable_keys(said) is None:
                self.findings.add(
                    MASKS,
                    "key-keeps-no-secret",
                    f"keys of site {site} in {_named(place)}",
                    "agrees on the same secret with everybody, so that it counts as none",
                    severity=Severity.NOTICE,
                    round_number=place.round,
                    accused=site,
                )

    def _frozen(
        self,
        record: MaskingAttempt,
        history: AttemptHistory,
        cohort: Cohort,
        dealers: Dealers,
        agreement: Agreement,
    ) -> Frozen:
        """Read the frozen set, and hold each proposal against it (check 33)."""
        inclusion = record.frozen_inclusion
        if inclusion is None:
            raise VerificationError("no set was frozen before the proposal")
        for said in history.proposals.values():
            proposed = said.proposed
            self.findings.require_equal(
                FROZEN_SET,
                "proposal-of-another-set",
                f"proposal {proposed.proposal} of round {proposed.round},"
                f" attempt {proposed.attempt}",
                "counts others than the set that was frozen",
                inclusion,
                proposed.inclusion,
                round_number=proposed.round,
                accused=proposed.site,
            )
        known = {
            site: said for site, said in history.submissions.items() if site in cohort.positions
        }
        included = included_in(inclusion, known, cohort.positions)
        if included is None:
            raise VerificationError("the frozen set does not fit the submissions")
        return frozen_of(dealers, agreement, included)

    def _recovery(
        self, place: Place, frozen: Frozen, cohort: int, is_final: bool
    ) -> tuple[Recovery, bool]:
        """Give back the secrets; tell as well whether every share that is named was there."""
        dealings, disclosures = self._blobs((place.round, place.attempt), cohort)
        dealt = {
            site: self._fetch(dealings[site], f"shares dealt by site {site}", site, place, is_final)
            for site in frozen.dealers.sites
        }
        disclosed = {
            site: self._fetch(wanted, f"shares disclosed by site {site}", site, place, is_final)
            for site, wanted in disclosures.items()
        }
        read, malformed = read_dealings(frozen.dealers, _there(dealt))
        for site, exc in malformed.items():
            self._accuse(place, "dealing-malformed", f"shares dealt by site {site}", str(exc), site)
        is_whole = None not in dealt.values() and None not in disclosed.values()
        return recover(frozen, read, _there(disclosed)), is_whole

    def _fetch(
        self, wanted: Wanted, subject: str, site: SiteId, place: Place, is_final: bool
    ) -> bytes | None:
        blob = self.evidence.get(*wanted)
        report_blob(
            self.findings,
            blob,
            f"{subject} in {_named(place)}",
            f"site {site}, and every member that pinned it",
            place.round,
            None if is_final else Severity.NOTICE,
        )
        return None if blob.path is None else blob.path.read_bytes()

    def _tell_who_does_not_hold(
        self, place: Place, record: MaskingAttempt, dealers: Dealers
    ) -> None:
        for dealer in sorted(record.dealings.keys() & dealers.circle.keys.keys()):
            holders = dealers.holders.get(dealer, frozenset())
            said_nothing = [
                site
                for site in dealers.circle.neighbours[dealer]
                if site in record.holdings and site not in holders
            ]
            if said_nothing and dealer in dealers.holders:
                self._tell(place, "share-not-held", f"shares dealt by site {dealer}",
                           f"not held by {_sites(said_nothing)}: it was sent rubbish, or says so"
                           " falsely")  # fmt: skip
            elif dealer not in dealers.holders:
                self._tell(place, "dealer-left-out", f"shares dealt by site {dealer}",
                           "held by too few, so that its update could not count")  # fmt: skip

    def _tell_faults(self, place: Place, recovery: Recovery) -> None:
        for fault in recovery.faults:
            code = {
                Wrong.DISCLOSURE: "disclosure-of-another-set",
                Wrong.SHARE: "share-is-another",
                Wrong.DEALING: "dealing-false",
            }[fault.wrong]
            about = f", dealt by site {fault.dealer}" if fault.dealer is not None else ""
            subject = f"shares of site {fault.site}{about}"
            message = f"{fault.wrong.value}; {fault.reason}" if fault.reason else fault.wrong.value
            self._accuse(place, code, subject, message, fault.site)
        withheld: dict[SiteId, list[SiteId]] = {}
        for holder, dealer in recovery.withheld:
            withheld.setdefault(holder, []).append(dealer)
        for holder, dealers in sorted(withheld.items()):
            self._tell(
                place,
                "shares-withheld",
                f"shares at site {holder}",
                f"said to be held, and not disclosed: those of {_sites(dealers)}",
            )

    def _accuse(self, place: Place, code: str, subject: str, message: str, site: SiteId) -> None:
        self.findings.add(
            MASKS, code, f"{subject} in {_named(place)}", message,
            round_number=place.round, accused=site,
        )  # fmt: skip

    def _tell(self, place: Place, code: str, subject: str, message: str) -> None:
        self.findings.add(
            MASKS, code, f"{subject} in {_named(place)}", message,
            severity=Severity.NOTICE, round_number=place.round,
        )  # fmt: skip


def _named(place: Place) -> str:
    return f"round {place.round}, attempt {place.attempt}"


def _there(blobs: Mapping[SiteId, bytes | None]) -> dict[SiteId, bytes]:
    return {site: data for site, data in blobs.items() if data is not None}


def _sites(sites: list[SiteId]) -> str:
    return ", ".join(f"site {site}" for site in sites)

"""Checks 10 to 16 for one proposal: what recomputation gives beside what was said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fednet.audit.checks import (
    AGGREGATE,
    ATTESTATIONS,
    CREDITS,
    INCLUSION,
    OBJECTIONS,
    PLAN_KEPT,
    RECORD,
    SETTLEMENT,
    Check,
)
from fednet.audit.findings import Findings, Severity
from fednet.audit.recomputation import Recomputed, settlement_of
from fednet.domain.history import ProposalHistory
from fednet.domain.identity import Commitment, SiteId
from fednet.domain.ledger import Inclusion, Settlement
from fednet.domain.record import RoundRecord, UpdateEntry, witness

_CHECK_OF_FIELD: dict[str, tuple[Check, str]] = {
    "rule": (PLAN_KEPT, "plan-deviation"),
    "outcome": (AGGREGATE, "aggregate-differs"),
    "clusters": (AGGREGATE, "aggregate-differs"),
    "evaluation": (RECORD, "evaluation-differs"),
    "state": (AGGREGATE, "aggregate-differs"),
    "state_size_bytes": (AGGREGATE, "aggregate-differs"),
    "credits": (CREDITS, "credits-differ"),
    "credits_root": (CREDITS, "credits-differ"),
    "credits_total": (CREDITS, "credits-differ"),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One proposal beside its recomputation."""

    said: ProposalHistory
    recomputed: Recomputed
    record: RoundRecord | None
    """The proposed record, if its bytes can be had and are a record."""
    findings: Findings
    inclusion: bytes
    """The recomputed verdicts as the proposal should carry them."""

    @property
    def subject(self) -> str:
        """Name the proposal."""
        proposed = self.said.proposed
        return f"proposal {proposed.proposal} of round {proposed.round}, attempt {proposed.attempt}"

    @property
    def said_settlement(self) -> Settlement:
        """Return what the proposal would settle."""
        return settlement_of(self.said.proposed)

    @property
    def right(self) -> bool:
        """Tell whether the record and all that the contract was told are the recomputed ones."""
        return self.recomputed.agrees_with(self.said.proposed, self.inclusion)

    @property
    def record_right(self) -> bool:
        """Tell whether the proposed record is byte for byte the recomputed one."""
        return self.said.proposed.record == self.recomputed.commitment


def check_record(judged: Judged) -> None:
    """Do checks 10, 11, 12 and 14; every difference accuses the proposer."""
    if judged.record_right:
        return
    if judged.record is None:
        _accuse(
            judged,
            RECORD,
            "record-differs",
            "the proposed record is not the one that recomputation gives",
            judged.recomputed.commitment,
            judged.said.proposed.record,
        )
        return
    _compare_updates(judged, judged.record)
    mine, theirs = judged.recomputed.record.model_dump(), judged.record.model_dump()
    for name in mine:
        if name == "updates" or mine[name] == theirs[name]:
            continue
        check, code = _CHECK_OF_FIELD.get(name, (RECORD, "record-differs"))
        _accuse(
            judged,
            check,
            code,
            f"{name} is not what recomputation gives",
            _brief(mine[name]),
            _brief(theirs[name]),
        )


def check_settlement(judged: Judged) -> None:
    """Do check 13: what the contract was told is what the record says."""
    proposed = judged.said.proposed
    record = judged.recomputed.record if judged.record_right else judged.record
    if record is None:
        return
    for name, expected, actual in (
        ("state", record.settlement.state, proposed.state),
        ("credits root", record.settlement.credits_root, proposed.credits_root),
        ("credits total", record.settlement.credits_total, proposed.credits_total),
        ("inclusion", judged.inclusion, proposed.inclusion),
    ):
        judged.findings.require_equal(
            SETTLEMENT,
            "settlement-differs",
            judged.subject,
            f"{name} told to the contract is not the record's",
            expected,
            actual,
            round_number=proposed.round,
            accused=proposed.site,
        )


def check_attestations(judged: Judged) -> None:
    """Do check 15: who vouched for a wrong record, and who did so without the bytes."""
    proposed, attestations = judged.said.proposed, judged.said.attestations
    place, number, digest = judged.recomputed.place, proposed.proposal, judged.recomputed.digest
    for site, event in attestations.items():
        subject = f"attestation of site {site} to {judged.subject}"
        if not judged.right:
            judged.findings.add(
                ATTESTATIONS,
                "attestation-false",
                subject,
                "vouched for a proposal that recomputation does not give",
                round_number=proposed.round,
                accused=site,
                expected=judged.recomputed.settlement,
                actual=judged.said_settlement,
            )
            continue
        expected = witness(place, number, proposed.record, site, digest)
        if event.witness == expected:
            continue
        others = {witness(place, number, proposed.record, other, digest) for other in attestations}
        shared = [
            other
            for other, theirs in attestations.items()
            if other != site and theirs.witness == event.witness
        ]
        echoed = event.witness in others or bool(shared)
        judged.findings.add(
            ATTESTATIONS,
            "attestation-echoed" if echoed else "attestation-unfounded",
            subject,
            "repeated another's witness and recomputed nothing"
            if echoed
            else "its witness shows that it did not hold the bytes",
            round_number=proposed.round,
            accused=site,
            expected="the witness bound to this site",
            actual=event.witness,
        )


def check_objections(judged: Judged, alternatives: Iterable[Commitment]) -> None:
    """Do check 16: an objector must name a record that recomputation can give.

    Args:
        judged: The proposal.
        alternatives: Records that differ only in which updates could be had.
    """
    possible = {judged.recomputed.commitment, *alternatives}
    if judged.right:
        possible.discard(judged.said.proposed.record)
    for site, event in judged.said.objections.items():
        if event.expected in possible:
            if judged.right:
                judged.findings.add(
                    OBJECTIONS,
                    "objection-over-availability",
                    f"objection of site {site} to {judged.subject}",
                    "held bytes that the proposer called unavailable",
                    severity=Severity.NOTICE,
                    round_number=event.round,
                    expected=judged.recomputed.commitment,
                    actual=event.expected,
                )
            continue
        judged.findings.add(
            OBJECTIONS,
            "objection-unfounded",
            f"objection of site {site} to {judged.subject}",
            "named a record that recomputation does not give",
            round_number=event.round,
            accused=site,
            expected=judged.recomputed.commitment,
            actual=event.expected,
        )


def report_unavailable(
    judged: Judged, now_available: Iterable[SiteId], keepers: Mapping[SiteId, SiteId]
) -> None:
    """List updates that the proposal calls unavailable; this accuses nobody.

    Args:
        judged: The proposal.
        now_available: Sites whose updates can be judged now.
        keepers: Who has to serve what a site's update is judged by.
    """
    have = set(now_available)
    for site, verdict in judged.recomputed.verdicts.items():
        if verdict.inclusion is Inclusion.UNAVAILABLE:
            can_be_had, keeper = site in have, keepers[site]
            deed = "which submitted it" if keeper == site else "which handed it in"
            judged.findings.add(
                INCLUSION,
                "update-unavailable" if can_be_had else "update-withheld",
                f"update of site {site} in {judged.subject}",
                "was left out as unavailable; it can be had now"
                if can_be_had
                else "was submitted, left out as unavailable, and is served by nobody now",
                severity=Severity.NOTICE,
                round_number=judged.said.proposed.round,
                duty="" if can_be_had else f"site {keeper}, {deed}",
            )


def _compare_updates(judged: Judged, record: RoundRecord) -> None:
    mine = {entry.site: entry for entry in judged.recomputed.record.updates}
    theirs = {entry.site: entry for entry in record.updates}
    for site in sorted(mine.keys() | theirs.keys()):
        one, other = mine.get(site), theirs.get(site)
        if one == other:
            continue
        code, message = _difference(one, other)
        judged.findings.add(
            INCLUSION,
            code,
            f"update of site {site} in {judged.subject}",
            message,
            round_number=judged.said.proposed.round,
            accused=judged.said.proposed.site,
            expected=_entry_text(one),
            actual=_entry_text(other),
        )


def _difference(mine: UpdateEntry | None, theirs: UpdateEntry | None) -> tuple[str, str]:
    if theirs is None or mine is None:
        word = "left out" if theirs is None else "invented"
        return "submission-" + word.replace(" ", "-"), f"the record has the submission {word}"
    if mine.commitment != theirs.commitment:
        return "commitment-changed", "the record names other bytes than were submitted"
    if mine.weight != theirs.weight:
        return "weight-changed", "the record gives another weight than was submitted"
    if mine.staleness != theirs.staleness and mine.verdict == theirs.verdict:
        return "staleness-changed", "the record calls the update later or earlier than it is"
    if mine.verdict == theirs.verdict == "included":
        return "metrics-changed", "the record gives other metrics than the update brings"
    if mine.verdict == "included":
        return "excluded-without-ground", "the update passes the intake but was left out"
    if theirs.verdict == "included":
        return "included-though-invalid", "the update fails the intake but was included"
    return "verdict-differs", "the record gives another ground for leaving the update out"


def _entry_text(entry: UpdateEntry | None) -> str:
    if entry is None:
        return "no entry"
    reason = f" ({entry.reason})" if entry.reason else ""
    metrics = ", ".join(f"{name} {value}" for name, value in sorted(entry.metrics.items()))
    judged = f", {metrics} on {entry.evaluated} examples" if metrics else ""
    late = f", {entry.staleness} rounds late" if entry.staleness else ""
    return f"{entry.verdict}{reason}, weight {entry.weight}{late}{judged}, {entry.commitment}"


def _accuse(
    judged: Judged, check: Check, code: str, message: str, expected: object, actual: object
) -> None:
    proposed = judged.said.proposed
    judged.findings.add(
        check,
        code,
        judged.subject,
        message,
        round_number=proposed.round,
        accused=proposed.site,
        expected=expected,
        actual=actual,
    )


def _brief(value: object) -> str:
    text = str(value)
    return text if len(text) <= 200 else text[:200] + " ..."

"""Check 30: no site submitted what its own airlock had not let out, by the ledger's records.

Both the decision and the submission are the site's own signed acts, so that a finding
accuses the site. A site that records nothing of its airlock is held to nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping

from fednet.audit.checks import AIRLOCK
from fednet.audit.findings import Findings
from fednet.audit.snapshot import Snapshot
from fednet.domain import disclosure_events as de
from fednet.domain import events as ev
from fednet.domain.batches import unfold
from fednet.domain.disclosures import ReleaseStatus
from fednet.domain.identity import SiteId

_CODES = {
    ReleaseStatus.REJECTED: "submitted-although-rejected",
    ReleaseStatus.EXPIRED: "submitted-although-expired",
    ReleaseStatus.RETURNED: "submitted-although-returned",
    ReleaseStatus.REQUESTED: "submitted-undecided",
}
_Attempt = tuple[SiteId, int, int]


def check_airlock(snapshot: Snapshot, findings: Findings) -> None:
    """Accuse whoever submitted an update that its own airlock held back at that moment."""
    releases = _releases(snapshot)
    for submission in unfold(snapshot.run_events):
        if not isinstance(submission, ev.UpdateSubmitted):
            continue
        said = releases.get((submission.site, int(submission.round), submission.attempt), ())
        standing = ReleaseStatus.NONE
        for record in said:
            if record.log < submission.log:
                standing = _standing(record)
        if code := _CODES.get(standing):
            findings.add(
                AIRLOCK,
                code,
                f"update of site {submission.site} in round {submission.round},"
                f" attempt {submission.attempt}",
                "the site submitted what its own airlock had not let out",
                round_number=submission.round,
                accused=submission.site,
                expected="a release on record as approved, or none requested",
                actual=f"on record as {standing.name.lower()}",
            )


def _releases(
    snapshot: Snapshot,
) -> Mapping[_Attempt, list[de.ReleaseRequested | de.ReleaseDecided]]:
    found: dict[_Attempt, list[de.ReleaseRequested | de.ReleaseDecided]] = {}
    for record in snapshot.disclosed():
        match record:
            case de.ReleaseRequested() | de.ReleaseDecided() if record.run == snapshot.run_id:
                key = (record.site, int(record.round), record.attempt)
                found.setdefault(key, []).append(record)
            case _:
                pass
    return found


def _standing(record: de.ReleaseRequested | de.ReleaseDecided) -> ReleaseStatus:
    return record.decision if isinstance(record, de.ReleaseDecided) else ReleaseStatus.REQUESTED

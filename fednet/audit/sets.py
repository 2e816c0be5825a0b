"""Check 33, of sets: whoever proposed or affirmed which masked updates count spoke by the bytes.

A set says of each submission that it counts, or that its bytes are no masked update of the
attempt. Who had the bytes can know, and who had not may not affirm: so a set that the bytes
contradict convicts its author, and everybody else who affirmed it. That an update was
unavailable contradicts nothing. See docs/adr/0021.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fednet.audit.checks import FROZEN_SET
from fednet.audit.findings import Findings
from fednet.codec import Verdict
from fednet.domain.events import UpdateSubmitted
from fednet.domain.identity import SiteId
from fednet.domain.ledger import Inclusion, unpack_inclusion
from fednet.domain.masking_stages import MaskingAttempt
from fednet.errors import AggregationError, VerificationError
from fednet.privacy.masking import Agreement, Dealers, frozen_of, included_in


@dataclass(frozen=True, slots=True)
class SetGround:
    """What the sets of one attempt are held against."""

    agreement: Agreement
    dealers: Dealers
    submissions: Mapping[SiteId, UpdateSubmitted]
    """Of the cohort."""
    positions: Mapping[SiteId, int]
    """In the roster, by site."""
    verdicts: Mapping[SiteId, Verdict]
    """On the bytes; those that cannot be had are unavailable."""

    def problems_of(self, inclusion: bytes) -> Iterator[str]:
        """Tell what is wrong with a set, by the ledger and by the bytes that are there."""
        by_position = {self.positions[site]: site for site in self.submissions}
        said = unpack_inclusion(inclusion, by_position)
        included = included_in(inclusion, self.submissions, self.positions)
        if said is None or included is None:
            yield "its bytes fit no set of the submissions"
            return
        for position, claim in sorted(said.items()):
            site = by_position[position]
            found = self.verdicts[site]
            if Inclusion.UNAVAILABLE in (claim, found.inclusion) or claim is found.inclusion:
                continue
            if claim is Inclusion.INCLUDED:
                yield f"counts the update of site {site}, whose bytes are none ({found.reason})"
            else:
                yield f"calls the update of site {site} invalid, which passes the intake"
        try:
            frozen_of(self.dealers, self.agreement, included)
        except (AggregationError, VerificationError) as exc:
            yield f"its sum could not be unmasked, or not safely: {exc}"


def check_sets(record: MaskingAttempt, ground: SetGround, findings: Findings) -> None:
    """Accuse who proposed a set that the bytes contradict, and who affirmed it.

    Args:
        record: What was done in the attempt.
        ground: What its sets are held against.
        findings: Where to note what is wrong.
    """
    for number, entry in sorted(record.sets.items()):
        said = entry.proposed
        problem = "; ".join(ground.problems_of(said.inclusion))
        if not problem:
            continue
        subject = f"set {number} of round {said.round}, attempt {said.attempt}"
        findings.add(
            FROZEN_SET,
            "set-false",
            subject,
            problem,
            round_number=said.round,
            accused=said.site,
            actual=said.inclusion.hex(),
        )
        for site in sorted(entry.affirmations.keys() - {said.site}):
            findings.add(
                FROZEN_SET,
                "affirmation-false",
                f"affirmation of site {site} to {subject}",
                "vouched for a set that the bytes contradict",
                round_number=said.round,
                accused=site,
            )

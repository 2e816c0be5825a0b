"""Check 23: updates that repeat another's or an earlier one, and unchanged models.

Who can be accused? Bytes are public only after submissions have closed. Two
sites with the same update in one attempt may hold the same data, or share what
they should not, but none can have read the other's: both are named, none is
accused. An update equal to one of another site that an *earlier* round made
public, though it claims to start from another model, can only have been taken:
its submitter is accused. An update whose own bytes name another author or
another place convicts whoever committed to it; the intake refused it, so that
the round holds all the same. A site that repeats itself, or hands in no change,
has to explain it: training that is done can end in no change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fednet.aggregation import PartOfState, Vector
from fednet.audit.checks import OWN_WORK
from fednet.audit.findings import Findings, Severity
from fednet.audit.likeness import (
    NEAR_DISTANCE,
    SAME_DISTANCE,
    Likeness,
    Sample,
    compare,
    is_telling,
    sample_distance,
    sample_size,
    take_sample,
)
from fednet.codec import Reason, TensorFile, Verdict, open_update
from fednet.codec.norm import squared_norm
from fednet.domain.blobs import BlobFile
from fednet.domain.events import UpdateSubmitted
from fednet.domain.identity import Commitment, Digest, RoundNumber, SiteId
from fednet.domain.ledger import Inclusion
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.domain.update import Manifest, UpdateFile
from fednet.errors import MalformedBlobError, SettingsError, ShapeMismatchError

_NEAR_ROUNDS = 2
"""How many rounds back an update is searched for that is only near, beside those by which
one may be late; equal ones always."""
_SLACK = 8.0
"""A sample's distance may exceed the true one by this factor before a pair is let go."""


@dataclass(frozen=True, slots=True)
class Work:
    """One update that was looked at."""

    submission: UpdateSubmitted
    base: Commitment
    """State that it says it was trained from."""
    sample: Sample
    counted: bool
    """Whether the attempt that it was handed in to became final."""

    @property
    def site(self) -> SiteId:
        """Return who handed it in."""
        return self.submission.site

    @property
    def round(self) -> RoundNumber:
        """Return the round that it was handed in for."""
        return self.submission.round

    @property
    def subject(self) -> str:
        """Name the update."""
        said = self.submission
        return f"update of site {said.site} in round {said.round}, attempt {said.attempt}"


@dataclass(slots=True)
class OwnWork:
    """Look at every update of a run once, keeping kilobytes of each.

    Args:
        plan: The run's plan.
        findings: Where to note what is wrong.
        seed: Unknown to anybody when updates were submitted; the running hash will do.
        fetch: Gives an update's verified bytes again; None if they cannot be had.
    """

    plan: Plan
    findings: Findings
    seed: Digest
    fetch: Callable[[UpdateSubmitted], BlobFile | None]
    seen: list[Work] = field(default_factory=list)
    _by_sample: dict[bytes, list[Work]] = field(default_factory=dict)
    _shape: StateShape | None = None

    def look(
        self,
        submission: UpdateSubmitted,
        path: BlobFile,
        base_path: BlobFile,
        verdict: Verdict | None,
        *,
        counted: bool,
    ) -> None:
        """Look at one update; in the order of the chain.

        Args:
            submission: What the ledger says of it.
            path: Its verified bytes.
            base_path: The state that the round starts from.
            verdict: The intake's; None if the round could not be judged.
            counted: Whether its attempt became final.
        """
        if verdict is not None and verdict.inclusion is not Inclusion.INCLUDED:
            self._report_foreign(submission, verdict)
            return
        try:
            with TensorFile(base_path, "base", self.plan.model.size_bytes) as state:
                self._shape = self._shape or StateShape.of_state(self.plan, state.layout)
                with self._open(path, self._shape) as update:
                    said = Manifest.from_metadata(update.metadata, path.name)
                    work = Work(submission, said.base, self._sample(update), counted)
                    self._look(work, update, state)
        except (MalformedBlobError, ShapeMismatchError):
            return

    def _look(self, work: Work, update: UpdateFile, state: TensorFile) -> None:
        if not work.sample.any():
            if squared_norm(update) == 0:
                self._report_unchanged(work)
            return
        part = self._shape.part_of(update.layout) if self._shape else None
        if part is not None:
            model = PartOfState(state, part)
            if sample_distance(work.sample, self._sample(model)) <= NEAR_DISTANCE:
                self._report_model(work, compare(update, model))
        for other in self._candidates(work):
            self._judge(work, update, other)
        self.remember(work)

    def remember(self, work: Work) -> None:
        """Compare later updates with this one too."""
        self.seen.append(work)
        self._by_sample.setdefault(work.sample.tobytes(), []).append(work)

    def _candidates(self, work: Work) -> list[Work]:
        equal = self._by_sample.get(work.sample.tobytes(), [])
        near = [
            other
            for other in self._recent(work)
            if other.site != work.site
            and sample_distance(work.sample, other.sample) <= NEAR_DISTANCE * _SLACK
            and not any(other is each for each in equal)
        ]
        return [*equal, *near]

    def _recent(self, work: Work) -> list[Work]:
        found = []
        for other in reversed(self.seen):
            if other.round + _NEAR_ROUNDS + self.plan.staleness.rounds < work.round:
                break
            found.append(other)
        return found

    def _judge(self, work: Work, update: UpdateFile, other: Work) -> None:
        """Compare with an update that was submitted before."""
        if other.site == work.site and other.base == work.base and not other.counted:
            return  # the same training again, for the next attempt
        likeness = self._compare(update, other)
        if likeness is None or likeness.distance > NEAR_DISTANCE:
            return
        is_same = likeness.distance <= SAME_DISTANCE and is_telling(work.sample)
        if other.site == work.site:
            if is_same and likeness.is_identical:
                has_counted = "which has counted already"
                elsewhere = "though it claims to start from another model"
                self._report(
                    work,
                    "update-repeated",
                    f"equals {other.subject}, "
                    + (has_counted if other.base == work.base else elsewhere),
                    duty=f"site {work.site}, to explain it",
                    actual=likeness,
                )
            return
        can_be_taken = other.round < work.round
        convicts = is_same and likeness.is_identical and can_be_taken
        was_public = "was public by then" if can_be_taken else "was not public by then"
        likened = "equals" if likeness.is_identical else "is nearly"
        self._report(
            work,
            "update-copied",
            f"{likened} {other.subject}, which {was_public}",
            severity=Severity.VIOLATION if is_same else Severity.NOTICE,
            accused=work.site if convicts else None,
            duty="" if convicts else f"sites {other.site} and {work.site}, to explain it",
            actual=likeness,
        )

    def _report_foreign(self, submission: UpdateSubmitted, verdict: Verdict) -> None:
        """Name who handed in bytes that were made for elsewhere; the intake refused them."""
        messages = {
            Reason.COPIED: ("update-copied", f"the bytes are those of site {verdict.author}"),
            Reason.WRONG_AUTHOR: ("update-copied", f"the bytes name site {verdict.author}"),
            Reason.WRONG_PLACE: ("update-replayed", "the bytes were made for another place"),
        }
        found = messages.get(Reason(verdict.reason)) if verdict.reason else None
        if found is None:
            return
        self.findings.add(
            OWN_WORK,
            found[0],
            f"update of site {submission.site} in round {submission.round},"
            f" attempt {submission.attempt}",
            f"{found[1]}; it was refused",
            severity=Severity.NOTICE,
            round_number=submission.round,
            accused=submission.site,
            expected=f"an update made by site {submission.site} for this place",
            actual=submission.commitment,
        )

    def _compare(self, update: UpdateFile, other: Work) -> Likeness | None:
        theirs = self.fetch(other.submission)
        if theirs is None or self._shape is None:
            return None
        try:
            with self._open(theirs, self._shape) as earlier:
                return compare(update, earlier)
        except (MalformedBlobError, SettingsError):
            return None  # the store's cache let go of one meanwhile

    def _report_unchanged(self, work: Work) -> None:
        self._report(
            work,
            "update-unchanged",
            "every value is zero: the model was handed in as it was received",
            duty=f"site {work.site}, to explain it",
            actual="no change",
        )

    def _sample(self, values: Vector) -> Sample:
        return take_sample(values, self.seed, sample_size(self.plan.update))

    def _open(self, path: BlobFile, shape: StateShape) -> UpdateFile:
        return open_update(path, path.name, self.plan, shape)

    def _report_model(self, work: Work, likeness: Likeness) -> None:
        if likeness.distance <= SAME_DISTANCE and is_telling(work.sample):
            self._report(
                work,
                "update-unchanged",
                "is the model that the round started from, not a difference to it",
                duty=f"site {work.site}, to explain it",
                actual=likeness,
            )

    def _report(
        self,
        work: Work,
        code: str,
        message: str,
        *,
        actual: object,
        severity: Severity = Severity.VIOLATION,
        accused: SiteId | None = None,
        duty: str = "",
    ) -> None:
        text = (
            f"relative distance {actual.distance:.3g}" if isinstance(actual, Likeness) else actual
        )
        self.findings.add(
            OWN_WORK,
            code,
            work.subject,
            message,
            severity=severity,
            round_number=work.round,
            accused=accused,
            duty=duty,
            expected="work of its own on this round's model",
            actual=text,
        )

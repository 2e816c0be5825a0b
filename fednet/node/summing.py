"""Add the encrypted updates of one run, at an aggregator: open, judge, add, commit, serve.

An aggregator is no site of the run and has no key. It commits to a sum by
announcing its commitment, and hands the bytes out once a majority of aggregators
committed to the same, for one sum an attempt (see ``fednet.audit.sum_claims``).
A sum follows from the ledger and the updates, so that nothing is lost by a kill.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fednet.audit import RoundInputs, judge
from fednet.audit.encrypted_updates import write_sum
from fednet.audit.sealed import RunSeals
from fednet.codec import update_blob_limit_bytes
from fednet.domain.blobs import Wanted
from fednet.domain.history import AttemptHistory
from fednet.domain.identity import Commitment, Locator, SiteId
from fednet.domain.ledger import Inclusion, Phase
from fednet.errors import PhaseError, QuorumError
from fednet.node.fetching import Fetcher
from fednet.node.places import AttemptKey, find_attempt
from fednet.node.reading import RunReading
from fednet.node.site import SiteTools
from fednet.node.sums import Sums
from fednet.node.terms import RunTerms
from fednet.node.workshop import Workshop


@dataclass(frozen=True, slots=True)
class OwnSum:
    """A sum that was made here."""

    commitment: Commitment
    path: Path
    locator: Locator
    included: tuple[Locator, ...]
    """Where the updates in it are."""


class Summing:
    """Do an aggregator's work in one run, step by step.

    Args:
        tools: What the aggregator's node acts with.
        terms: Of the run.
        reading: Where the run stands.
        fetcher: Brings updates and sums.
        sums: What aggregators agree on.
        seals: Opens what is sealed to aggregators.
        workshop: Knows what each round starts from.
    """

    def __init__(
        self,
        tools: SiteTools,
        terms: RunTerms,
        reading: RunReading,
        fetcher: Fetcher,
        sums: Sums,
        seals: RunSeals,
        workshop: Workshop,
    ) -> None:
        self._tools = tools
        self._terms = terms
        self._reading = reading
        self._fetcher = fetcher
        self._sums = sums
        self._seals = seals
        self._workshop = workshop
        self._limit = update_blob_limit_bytes(terms.plan)
        self._made: dict[tuple[AttemptKey, frozenset[SiteId]], OwnSum] = {}
        self._served: set[AttemptKey] = set()

    def step(self) -> str:
        """Do what is next; say what is waited for.

        Raises:
            FednetError: It could not be done now; nothing is half done.
        """
        state, history = self._reading.state, self._reading.history
        if state.phase not in (Phase.PROPOSING, Phase.ATTESTING):
            return "updates are collected"
        key = AttemptKey(state.round, state.attempt)
        attempt = find_attempt(history, key)
        if attempt is None or len(attempt.submissions) < state.submitted:
            return "the log lags behind the chain"
        if key in self._served:
            return "the sum is served"
        missing = self._fetch(attempt)
        if state.phase is Phase.PROPOSING and missing and self._reading.now < self._patient_until():
            return "updates are under way"
        own = self._own(key, attempt, missing)
        if self._serve(key, own):
            return "the sum is served"
        site, claims = self._tools.site, self._sums.claims
        if not self._sums.agreed(key) and not claims.has_said(site, own.commitment):
            self._tools.writer.announce(site, own.commitment, own.locator)
            return "the sum is committed to"
        return "other aggregators add"

    def tidy(self, current: int) -> None:
        """Remove what was made and opened for rounds before the last."""
        for key, missing in [each for each in self._made if each[0].round < current - 1]:
            self._made.pop((key, missing)).path.unlink(missing_ok=True)
        self._seals.forget(self._reading.state.round)

    def _fetch(self, attempt: AttemptHistory) -> frozenset[SiteId]:
        """Begin to fetch every update; return the sites whose bytes are not here."""
        missing = set()
        for site, submission in attempt.submissions.items():
            commitment = submission.commitment
            if self._fetcher.path(commitment, self._limit) is None:
                missing.add(site)
                self._fetcher.want(Wanted(commitment, submission.locator, self._limit))
        return frozenset(missing)

    def _patient_until(self) -> int:
        timing = self._terms.plan.timing
        reveal_end = self._reading.state.deadline - timing.propose_seconds
        return reveal_end + timing.grace_seconds // 2

    def _own(self, key: AttemptKey, attempt: AttemptHistory, missing: frozenset[SiteId]) -> OwnSum:
        """Return the sum of what is here and valid, made once for each set of it.

        Raises:
            QuorumError: Too few updates count for a sum to hide them.
            SealedError: Updates are not sealed for this site.
        """
        known = self._made.get((key, missing))
        if known is not None and known.path.exists():
            return known
        submissions = tuple(attempt.submissions.values())
        files = {
            each.site: self._fetcher.path(each.commitment, self._limit) for each in submissions
        }
        place = self._terms.place(*key)
        opened = self._seals.of(place, attempt, self._reading.history.events).open_updates(
            submissions, files
        )
        previous = self._workshop.previous(self._reading.history, key.round)
        inputs = RoundInputs(
            self._terms.plan,
            place,
            previous,
            submissions,
            opened.paths,
            self._terms.credits,
            attempt.started.cohort,
            refused=opened.refused,
        )
        shape = self._workshop.shape_of(previous)
        with ThreadPoolExecutor(self._tools.settings.recompute_threads) as pool:
            verdicts = judge(inputs, shape, pool)
        included = [
            each for each in submissions if verdicts[each.site].inclusion is Inclusion.INCLUDED
        ]
        minimum = self._terms.plan.cohort.minimum_updates
        if len(included) < minimum:
            raise QuorumError(
                "too few encrypted updates are valid and available",
                subject=str(place),
                expected=f"at least {minimum}",
                actual=len(included),
            )
        name = f"sum-{key.round}-{key.attempt}-{len(self._made)}"
        path = self._workshop.folder / name
        commitment = write_sum(inputs, verdicts, shape, path)
        own = OwnSum(
            commitment,
            path,
            self._tools.blobs.locate(path),
            tuple(each.locator for each in included),
        )
        self._made[key, missing] = own
        return own

    def _serve(self, key: AttemptKey, own: OwnSum) -> bool:
        """Hand out the sum that a majority agreed on, if it is one of ours; never a second one."""
        mine = {each.commitment: each for (at, _), each in self._made.items() if at == key}
        for candidate in self._sums.agreed(key):
            made = mine.get(candidate.commitment)
            if made is None:
                found = self._sums.find(key)
                if found is not None and found[0] == candidate:
                    return False  # Others served another sum of this attempt.
                continue
            self._bind(key, made.commitment)
            self._tools.blobs.publish(made.path)
            for locator in made.included:
                self._tools.blobs.pin(locator)
            self._served.add(key)
            return True
        return False

    def _bind(self, key: AttemptKey, commitment: Commitment) -> None:
        """Note which sum of an attempt is handed out, before it is, and no other ever.

        Raises:
            PhaseError: Another one was handed out.
        """
        journal, run = self._tools.journal, self._terms.run
        bound = journal.notes(run).bindings.get(key)
        if bound is None:
            journal.bind(run, key, commitment)
        elif bound != commitment:
            raise PhaseError(
                "another sum of this attempt was handed out",
                subject=f"round {key.round}, attempt {key.attempt}",
                expected=bound.hex(),
                actual=commitment,
                hint="two sums of one attempt would tell the updates in which they differ",
            )

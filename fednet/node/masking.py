"""What a node knows of a masked run: its stages, its company, the shares that are here.

Everything follows from the ledger and from published bytes, but for the roots in
the journal; nothing is kept that could not be had again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from fednet.audit import MaskedInputs
from fednet.domain.blobs import Wanted
from fednet.domain.history import AttemptHistory
from fednet.domain.identity import Commitment, RoundNumber, SiteId
from fednet.domain.masking_stages import MaskingAttempt, MaskingHistory, MaskingStage
from fednet.domain.ports import LedgerReader
from fednet.errors import AggregationError, PlanError, VerificationError
from fednet.node.fetching import Fetcher
from fednet.node.mask_reading import MaskReading
from fednet.node.places import AttemptKey, final_key, find_attempt, position_in
from fednet.node.reading import RunReading
from fednet.node.terms import RunTerms
from fednet.node.view import Masks
from fednet.privacy.masking import (
    Agreement,
    Circle,
    Dealers,
    Frozen,
    Recovery,
    agree_on,
    awaited_disclosures,
    circle_of,
    dealers_of,
    frozen_of,
    included_in,
    read_dealings,
    recover,
    share_blobs,
)

_Settled = TypeVar("_Settled")
CLOCK_MARGIN_SECONDS = 2
"""By which a stage's end has to be past on this clock, where no block has told it."""


@dataclass(slots=True)
class _Company:
    """What is settled of one attempt; each part once."""

    agreement: Agreement | None = None
    circle: Circle | None = None
    dealers: Dealers | None = None
    holdings: int = 0
    """On the ledger, when it was settled who masks."""
    frozen: Frozen | None = None
    trouble: str = ""
    recovered: tuple[int, Recovery] | None = None
    """From so many blobs."""
    refused: set[int] = field(default_factory=set)


class Masking:
    """Follow the masks of one run, for one site.

    Args:
        reader: Ledger to read.
        terms: What the run agreed on.
        reading: Where the run stands.
        masks: What the ledger of masked rounds says of it.
        fetcher: Holds the shares.
        site: This site.
        roots: Attempts of which the journal knows this site's secrets; a live view.
    """

    def __init__(
        self,
        reader: LedgerReader,
        terms: RunTerms,
        reading: RunReading,
        masks: MaskReading,
        fetcher: Fetcher,
        site: SiteId,
        roots: Mapping[AttemptKey, bytes],
    ) -> None:
        self._reader = reader
        self._terms = terms
        self._reading = reading
        self._log = masks
        self._fetcher = fetcher
        self._site = site
        self._roots = roots
        self._generation = masks.generation
        self._companies: dict[AttemptKey, _Company] = {}

    def look(self) -> None:
        """Read what is new on the ledger.

        Raises:
            LedgerError: The chain does not answer, or went back under us.
        """
        self._log.look()
        if self._generation != self._log.generation:
            self._generation = self._log.generation
            self._companies = {}

    @property
    def history(self) -> MaskingHistory:
        """Return what each site did in each attempt; read only."""
        return self._log.history

    @property
    def frozen_attempts(self) -> frozenset[AttemptKey]:
        """Name the attempts in which a set is frozen, so that its sum may be known."""
        attempts = self.history.attempts.items()
        return frozenset(AttemptKey(*key) for key, record in attempts if record.frozen)

    def masks(self, ground: int) -> dict[AttemptKey, Masks]:
        """Say how the attempt at hand stands, and those that may have to be recomputed.

        Args:
            ground: Newest final round whose state is here; 0 if there is none.
        """
        state, history = self._reading.state, self._reading.history
        last = history.final_rounds
        first = min(last, ground + 1) if ground else last
        finals = (final_key(history, RoundNumber(at)) for at in range(max(first, 1), last + 1))
        keys = {AttemptKey(state.round, state.attempt)}
        keys |= {final.attempt_key for final in finals if final is not None}
        found = {key: self._masks(key) for key in keys}
        return {key: masks for key, masks in found.items() if masks is not None}

    def circle(self, key: AttemptKey) -> Circle:
        """Return who masks with whom in an attempt whose keys are closed."""
        return _known(self._company(key).circle)

    def dealers(self, key: AttemptKey) -> Dealers:
        """Return who masks in an attempt in which that is settled."""
        return _known(self._company(key).dealers)

    def agreement(self, key: AttemptKey) -> Agreement:
        """Return how an attempt masks."""
        return _known(self._company(key).agreement)

    def frozen(self, key: AttemptKey) -> Frozen:
        """Return the set of an attempt that is frozen."""
        return _known(self._company(key).frozen)

    def refuse(self, key: AttemptKey, number: int) -> None:
        """Remember that a proposed set is not what the bytes give, or that none can be made."""
        self._company(key).refused.add(number)

    def inputs(self, key: AttemptKey) -> MaskedInputs:
        """Return what an attempt's masked updates are judged by and unmasked with.

        Raises:
            AggregationError: Nothing can be masked or unmasked in it.
        """
        company = self._company(key)
        if company.trouble or company.dealers is None:
            raise AggregationError(
                company.trouble or "it is not settled who masks",
                subject=f"round {key.round}, attempt {key.attempt}",
            )
        recovery = company.recovered[1] if company.recovered else None
        fixed_point = self.agreement(key).fixed_point
        return MaskedInputs(company.dealers, fixed_point, company.frozen, recovery)

    def want(self, key: AttemptKey) -> None:
        """Begin to fetch every share of an attempt that the ledger names."""
        for wanted in self.blobs(key):
            self._fetcher.want(wanted)

    def blobs(self, key: AttemptKey) -> list[Wanted]:
        """Name the shares of an attempt, as dealt and as disclosed."""
        dealt, disclosed = self._blobs(key)
        return [*dealt.values(), *disclosed.values()]

    def dealt(self, key: AttemptKey) -> dict[SiteId, bytes]:
        """Return the dealings that are here, by dealer."""
        return self._here(self._blobs(key)[0])

    def named_since(self, first: int) -> set[Commitment]:
        """Collect the shares of the attempts from a round on."""
        return {
            wanted.commitment
            for key in self.history.attempts
            if key[0] >= first
            for wanted in self.blobs(AttemptKey(*key))
        }

    def _masks(self, key: AttemptKey) -> Masks | None:
        attempt = find_attempt(self._reading.history, key)
        if attempt is None:
            return None
        record = self.history.attempt(*key)
        stage, deadline = self._stage(key, record)
        company = self._settled(key, attempt, record, stage)
        neighbours = company.circle.neighbours if company.circle else {}
        return Masks(
            stage=stage,
            deadline=deadline,
            record=record,
            neighbours=neighbours.get(self._site),
            dealers=frozenset(company.dealers.sites) if company.dealers else None,
            least_updates=company.agreement.least_updates if company.agreement else 0,
            trouble=company.trouble,
            dealt=self._sites_here(self._blobs(key)[0]),
            is_fetching=all(self._is_coming(wanted) for wanted in self.blobs(key)),
            is_whole=self._is_whole(key, company),
            has_root=key in self._roots,
            refused=frozenset(company.refused),
        )

    def _stage(self, key: AttemptKey, record: MaskingAttempt) -> tuple[MaskingStage, int]:
        """Tell what an attempt waits for; NONE while the log lags behind the state."""
        state, current = self._log.state, self._reading.state
        if key != AttemptKey(current.round, current.attempt):
            return MaskingStage.UNMASKING if record.frozen else MaskingStage.NONE, 0
        if state is None or (state.round, state.attempt) != key:
            return MaskingStage.NONE, 0
        counts = (state.advertised, state.dealt, state.held, state.number)
        seen = (len(record.keys), len(record.dealings), len(record.holdings), len(record.sets))
        if counts != seen or (state.stage is MaskingStage.UNMASKING and record.frozen is None):
            return MaskingStage.NONE, 0
        now, times = self._reading.now - CLOCK_MARGIN_SECONDS, self._terms.plan.masking.times
        moved = state.at(now, times, current.deadline)
        return moved.stage, moved.deadline

    def _company(self, key: AttemptKey) -> _Company:
        found = self._companies.get(key)
        if found is None:
            raise RuntimeError(f"nothing is known of the masks of {key}")
        return found

    def _settled(
        self,
        key: AttemptKey,
        attempt: AttemptHistory,
        record: MaskingAttempt,
        stage: MaskingStage,
    ) -> _Company:
        """Settle what the ledger settles, each part as soon as it does and never again."""
        company = self._companies.setdefault(key, _Company())
        try:
            if company.agreement is None and not company.trouble:
                company.agreement = agree_on(self._terms.plan, attempt.started.cohort)
            if not company.trouble:
                self._advance(key, attempt, record, stage, company)
        except (AggregationError, PlanError, VerificationError) as exc:
            company.trouble = str(exc)
        return company

    def _advance(
        self,
        key: AttemptKey,
        attempt: AttemptHistory,
        record: MaskingAttempt,
        stage: MaskingStage,
        company: _Company,
    ) -> None:
        if company.circle is None and record.seed_block is not None:
            (head,) = self._reader.blocks([record.seed_block])
            place, agreement = self._terms.place(*key), _known(company.agreement)
            company.circle = circle_of(place, record, head.block_hash, agreement)
        if company.circle is None:
            if stage >= MaskingStage.MASKED:
                raise VerificationError("no keys were closed in time")
            return
        # A clock that runs ahead may have settled it before the last holding came.
        is_late = company.holdings != len(record.holdings)
        if (company.dealers is None or is_late) and (stage >= MaskingStage.MASKED or record.frozen):
            company.holdings = len(record.holdings)
            company.dealers = dealers_of(company.circle, record)
        inclusion = record.frozen_inclusion
        if company.dealers is None or company.frozen is not None or inclusion is None:
            return
        length = attempt.started.roster_length
        positions = {
            site: position
            for site in attempt.submissions
            if (position := position_in(self._reading.history, site, length)) is not None
        }
        included = included_in(inclusion, attempt.submissions, positions)
        if included is None:
            raise VerificationError("the frozen set does not fit the submissions")
        company.frozen = frozen_of(company.dealers, _known(company.agreement), included)

    def _is_whole(self, key: AttemptKey, company: _Company) -> bool:
        """Tell whether the shares that are here give back every secret that is needed."""
        if company.frozen is None:
            return False
        dealt, disclosed = self._blobs(key)
        told = self._sites_here(disclosed)
        if awaited_disclosures(company.frozen, told):
            return False
        count = len(self._sites_here(dealt)) + len(told)
        if company.recovered is None or company.recovered[0] != count:
            dealings, _ = read_dealings(company.frozen.dealers, self._here(dealt))
            recovery = recover(company.frozen, dealings, self._here(disclosed))
            company.recovered = (count, recovery)
        return not company.recovered[1].missing

    def _blobs(self, key: AttemptKey) -> tuple[dict[SiteId, Wanted], dict[SiteId, Wanted]]:
        attempt, record = find_attempt(self._reading.history, key), self.history.attempt(*key)
        if attempt is None:
            return {}, {}
        return share_blobs(record, attempt.started.cohort)

    def _here(self, blobs: Mapping[SiteId, Wanted]) -> dict[SiteId, bytes]:
        found = {}
        for site, wanted in blobs.items():
            path = self._fetcher.path(wanted.commitment, wanted.size_cap_bytes)
            if path is not None and path.exists():
                found[site] = path.read_bytes()
        return found

    def _sites_here(self, blobs: Mapping[SiteId, Wanted]) -> frozenset[SiteId]:
        return frozenset(
            site
            for site, wanted in blobs.items()
            if wanted.commitment in self._fetcher.held(wanted.size_cap_bytes)
        )

    def _is_coming(self, wanted: Wanted) -> bool:
        is_here = wanted.commitment in self._fetcher.held(wanted.size_cap_bytes)
        return is_here or wanted in self._fetcher.fetching


def _known(value: _Settled | None) -> _Settled:
    if value is None:
        raise RuntimeError("the ledger has not settled it yet")
    return value

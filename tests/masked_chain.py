"""A masked run's ledger in memory that keeps the rules of the contracts; its clock stands still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from fednet.audit.recomputation import settlement_of
from fednet.credits import settlement_hash
from fednet.domain import events as ev
from fednet.domain import masking_events as me
from fednet.domain.identity import (
    ZERO_DIGEST,
    Commitment,
    Digest,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Phase, Proposal, RunState, turn_position
from fednet.domain.masking_stages import MaskingHistory, MaskingStage, MaskingState
from fednet.errors import RevertedError
from tests.unit.audit.books import DEPLOYMENT, RUN
from tests.unit.audit.world import World

COLLECT, REVEAL, GRACE, PROPOSE, ATTEST, STAGE = 1_000, 10, 20, 500, 300, 60
DATA = Commitment.of(b"the data")


def sections(sites: int, **masking: Any) -> dict[str, Any]:
    """Plan a masked run of so many sites."""
    times = {
        "key_seconds": STAGE,
        "share_seconds": STAGE,
        "holding_seconds": STAGE,
        "freeze_seconds": STAGE,
    }
    return {
        "module": {"name": "masked"},
        "masking": {"clip": 8, "colluding": "0.3", "vanishing": "0.3"} | times | masking,
        "cohort": {"minimum_sites": sites, "target_sites": sites, "maximum_sites": sites},
        "update": {"maximum_examples": 1_000},
        "timing": {
            "collect_seconds": COLLECT,
            "reveal_seconds": REVEAL,
            "grace_seconds": GRACE,
            "propose_seconds": PROPOSE,
            "attest_seconds": ATTEST,
        },
    }


def refuse(error: str) -> RevertedError:
    return RevertedError("the contract refused", error=error)


@dataclass
class _Attempt:
    """What the contracts hold of the attempt at hand."""

    stage: MaskingStage = MaskingStage.KEYS
    deadline: int = 0
    number: int = 0
    affirmed: set[SiteId] = field(default_factory=set)
    seed_block: int = 0
    frozen: bytes | None = None


class MaskedChain(World):
    """Keep the rules of the masked module and of the ledger of masked rounds."""

    granted = 0
    is_closing_told = True

    def begin(self, number: int, attempt: int = 1) -> None:
        super().begin(number, attempt)
        self.phase, self.since = Phase.COLLECTING, self.now
        self.deadline, self.number = self.now + COLLECT, 0
        self.attempt = _Attempt(deadline=self.now + STAGE)
        self.votes: dict[bool, set[SiteId]] = {True: set(), False: set()}

    # What a reader asks

    def state(self, run: RunId) -> RunState:
        return RunState(
            self.phase, RoundNumber(self.place.round), self.place.attempt, self.number,
            self.since, self.deadline, len(self.sites), len(self.sites), len(self.sites),
            len(self.submissions()), len(self.votes[True]), len(self.votes[False]), self.quorum,
            len(self.settlements), self.granted, len(self.sites),
        )  # fmt: skip

    @property
    def quorum(self) -> int:
        return len(self.sites) // 2 + 1

    @property
    def record(self) -> Any:
        events = [each for each in self.taken_in if isinstance(each, me.MASKING_EVENTS)]
        return MaskingHistory.fold(events).attempt(self.place.round, self.place.attempt)

    def masking_events(self, run: RunId, from_block: int = 0) -> Sequence[me.MaskingEvent]:
        return [
            each
            for each in self.taken_in
            if isinstance(each, me.MASKING_EVENTS) and each.log.block >= from_block
        ]

    def masking_state(self, run: RunId) -> MaskingState:
        record, attempt = self.record, self.attempt
        stage, deadline = self.stage()
        return MaskingState(
            RoundNumber(self.place.round), self.place.attempt, stage, deadline,
            len(record.keys), len(record.dealings), len(record.holdings),
            len(attempt.affirmed), attempt.number, ZERO_DIGEST, attempt.seed_block,
        )  # fmt: skip

    def stage(self) -> tuple[MaskingStage, int]:
        attempt = self.attempt
        if attempt.frozen is not None:
            return MaskingStage.UNMASKING, self.deadline
        if self.phase is not Phase.COLLECTING:
            pending = attempt.number and self.now <= attempt.deadline
            return MaskingStage.FREEZING, attempt.deadline if pending else self.deadline
        held = MaskingState(
            RoundNumber(1), 1, attempt.stage, attempt.deadline, *(0,) * 5, ZERO_DIGEST, 0
        )
        moved = held.at(self.now, self.plan.masking.times, self.deadline)
        in_masked = moved.stage is MaskingStage.MASKED
        return moved.stage, self.deadline if in_masked else moved.deadline

    def access(self, grant: GrantId) -> Any:
        return SimpleNamespace(dataset=grant)

    def dataset(self, dataset: int) -> Any:
        return SimpleNamespace(dataset=dataset, closed=False, data=DATA, examples=1_000)

    def announced(self, commitment: Commitment) -> Sequence[Locator]:
        return ()

    # What a writer does

    def _require(self, phase: Phase, stage: MaskingStage | None, at: tuple[int, int]) -> None:
        if self.phase is not phase or (stage is not None and self.stage()[0] is not stage):
            raise refuse("StageWrong" if self.phase is phase else "PhaseWrong")
        if at != (self.place.round, self.place.attempt):
            raise refuse("PlaceWrong")
        if self.now > self.deadline:
            raise refuse("DeadlinePassed")

    def say(self, kind: type[me.MaskingEvent], **fields: Any) -> None:
        place = {"run": RUN, "round": self.place.round, "attempt": self.place.attempt}
        self.emit(kind, **(place | fields))

    def advertise_keys(
        self, run: RunId, site: SiteId, number: int, attempt: int, mask: bytes, channel: bytes
    ) -> None:
        self._require(Phase.COLLECTING, MaskingStage.KEYS, (number, attempt))
        if site in self.record.keys or self.now > self.attempt.deadline:
            raise refuse("AlreadyRecorded")
        self.say(me.KeysAdvertised, site=site, mask_key=mask, channel_key=channel)

    def close_keys(self, run: RunId) -> None:
        self._require(Phase.COLLECTING, MaskingStage.KEYS, (self.place.round, self.place.attempt))
        count = len(self.record.keys)
        if self.now <= self.attempt.deadline and count < len(self.sites):
            raise refuse("DeadlineAhead")
        self.attempt.stage, self.attempt.deadline = MaskingStage.SHARES, self.now + STAGE
        self.say(me.KeysClosed, advertised=count)
        self.attempt.seed_block = self.block

    def deal_shares(
        self, run: RunId, site: SiteId, number: int, attempt: int, blob: Commitment, at: Locator
    ) -> None:
        self._require(Phase.COLLECTING, MaskingStage.SHARES, (number, attempt))
        if site not in self.record.keys or site in self.record.dealings:
            raise refuse("AlreadyRecorded")
        self.say(me.SharesDealt, site=site, commitment=blob, locator=at)
        if len(self.record.dealings) == len(self.record.keys):
            self.attempt.stage, self.attempt.deadline = MaskingStage.HOLDINGS, self.now + STAGE

    def hold_shares(
        self, run: RunId, site: SiteId, number: int, attempt: int, holding: bytes
    ) -> None:
        self._require(Phase.COLLECTING, MaskingStage.HOLDINGS, (number, attempt))
        if site not in self.record.dealings or site in self.record.holdings:
            raise refuse("AlreadyRecorded")
        deadline = self.stage()[1]
        self.say(me.SharesHeld, site=site, holding=holding)
        self.attempt.stage, self.attempt.deadline = MaskingStage.HOLDINGS, deadline
        if len(self.record.holdings) == len(self.record.dealings):
            self.attempt.stage = MaskingStage.MASKED

    def take(
        self, run: RunId, site: SiteId, number: int, attempt: int, blob: Commitment, weight: int,
        at: Locator,
    ) -> None:  # fmt: skip
        self._require(Phase.COLLECTING, MaskingStage.MASKED, (number, attempt))
        if site not in self.record.holdings:
            raise refuse("HoldingMissing")
        self.emit(
            ev.UpdateSubmitted, round=self.place.round, site=site, attempt=self.place.attempt,
            stage=0, commitment=blob, weight=weight, locator=at,
        )  # fmt: skip
        if len(self.submissions()) == len(self.record.holdings):
            self._close_collecting()

    def _close_collecting(self) -> None:
        self.phase, self.since, self.number = Phase.PROPOSING, self.now, 1
        self.deadline = self.open_until = self._reveal_end() + PROPOSE
        self.is_closing_told = False

    def close(self) -> None:
        """Tell that submissions have closed, with the next act only, as the module does."""
        if not self.is_closing_told:
            self.is_closing_told = True
            self.emit(
                ev.SubmissionsClosed, round=self.place.round, attempt=self.place.attempt,
                submitted=len(self.submissions()), deadline=self.open_until,
            )  # fmt: skip

    def propose_set(
        self, run: RunId, site: SiteId, number: int, attempt: int, inclusion: bytes
    ) -> None:
        self._require(Phase.PROPOSING, MaskingStage.FREEZING, (number, attempt))
        held = self.attempt
        if held.number and self.now <= held.deadline:
            raise refuse("SetPending")
        count, reveal_end = held.number + 1, self.deadline - PROPOSE
        turn = turn_position(self.place.round, self.place.attempt, count, len(self.sites))
        begun = held.deadline if held.number else reveal_end
        if site - 1 != turn and self.now < begun + GRACE:
            raise refuse("TurnOfAnother")
        held.number, held.affirmed, held.deadline = count, set(), self.now + STAGE
        self.say(me.SetProposed, site=site, number=count, inclusion=inclusion)

    def affirm_set(self, run: RunId, site: SiteId, number: int, attempt: int, count: int) -> None:
        self._require(Phase.PROPOSING, MaskingStage.FREEZING, (number, attempt))
        held = self.attempt
        if count != held.number or self.now > held.deadline or site in held.affirmed:
            raise refuse("SetNotAtHand")
        held.affirmed.add(site)
        self.say(me.SetAffirmed, site=site, number=count)
        if len(held.affirmed) == self.quorum:
            self.say(me.SetFrozen, number=count)
            held.frozen = self.record.frozen_inclusion

    def disclose_shares(
        self, run: RunId, site: SiteId, number: int, attempt: int, blob: Commitment, at: Locator
    ) -> None:
        self._require(self.phase, MaskingStage.UNMASKING, (number, attempt))
        if site not in self.record.holdings or site in self.record.disclosures:
            raise refuse("AlreadyRecorded")
        self.say(me.SharesDisclosed, site=site, commitment=blob, locator=at)

    def put(self, said: Proposal) -> None:
        self._require(Phase.PROPOSING, None, (said.round, said.attempt))
        if self.attempt.frozen != said.inclusion:
            raise refuse("InclusionNotFrozen")
        self.close()
        self.phase, self.since, self.deadline = Phase.ATTESTING, self.now, self.now + ATTEST
        self.proposal = self.emit(
            ev.RoundProposed, round=said.round, site=said.site, attempt=said.attempt,
            proposal=said.number, credits_total=said.credits_total, record=said.record,
            record_locator=said.record_locator, state=said.state, credits_root=said.credits_root,
            deadline=self.deadline, inclusion=said.inclusion,
        )  # fmt: skip

    def vote(self, site: SiteId, number: int, agrees: bool, digest: bytes) -> None:
        assert self.proposal is not None
        kind, word = (ev.RoundAttested, "witness") if agrees else (ev.RoundObjected, "expected")
        value: Any = Digest(digest) if agrees else Commitment(digest)
        self.emit(
            kind, round=self.place.round, site=site, attempt=self.place.attempt,
            proposal=number, **{word: value},
        )  # fmt: skip
        self.votes[agrees].add(site)
        if agrees and len(self.votes[True]) == self.quorum:
            said = self.proposal
            self.settlements[said.round] = settlement_hash(settlement_of(said))
            self.granted = said.credits_total
            self.emit(
                ev.RoundFinalized, round=said.round, attempt=said.attempt, proposal=said.proposal
            )
            self.phase, self.since = Phase.FINAL, self.now

    def advance(self, run: RunId) -> None:
        self.close()
        if self.phase is Phase.FINAL:
            if self.place.round == self.plan.rounds:
                self.emit(ev.RunCompleted, rounds=self.place.round)
                self.phase = Phase.COMPLETED
            else:
                self.begin(self.place.round + 1)
        elif self.now <= self.deadline:
            raise refuse("DeadlineAhead")
        elif self.phase is Phase.COLLECTING and len(self.submissions()) >= 2:
            self._close_collecting()
            self.close()
        elif self.place.attempt == self.plan.timing.max_attempts:
            self.emit(ev.RunAborted, round=self.place.round, account=DEPLOYMENT.runs)
            self.phase = Phase.ABORTED
        else:
            self.begin(self.place.round, self.place.attempt + 1)

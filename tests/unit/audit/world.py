"""A small run on a ledger in memory, honest unless a test makes somebody lie.

It keeps the books of the contracts but none of their rules, so that a test can
record what a contract would have refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from eth_hash.auto import keccak

from fednet.audit import AuditReport, PreviousRound, Recomputed, RoundInputs, audit_run, recompute
from fednet.blobs.memory import MemoryStore, MemorySwarm
from fednet.codec import write_state, write_update
from fednet.credits import settlement_hash
from fednet.domain import events as ev
from fednet.domain.history import RunHistory
from fednet.domain.identity import (
    ZERO_DIGEST,
    Address,
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import (
    CreditAccount,
    Deployment,
    Head,
    Parameters,
    Phase,
    Run,
    RunState,
    Settlement,
)
from fednet.domain.plan import CohortSection, ModelSection, Plan, TaskSection
from fednet.domain.record import RoundRecord
from fednet.domain.update import Manifest, Place

RUN = RunId(1)
CHAIN_ID = 1337
REGISTRY, ACCESS, RUNS, CREDITS, MODULE, RESEARCHER = (
    Address("0x" + f"{number:02x}" * 20) for number in range(1, 7)
)
DEPLOYMENT = Deployment(CHAIN_ID, ZERO_DIGEST, 1, REGISTRY, ACCESS, RUNS, CREDITS, MODULE, ())
EXPIRY = 10_000_000
BEGUN = 1_000_000
SHAPES = {"bias": (), "weights": (5, 3)}
FORGED = Digest(bytes([0xEE]) * 32)

Lie = Callable[[RoundRecord], RoundRecord]


class World:
    """Play a run and audit it."""

    def __init__(self, folder: Path, sites: int = 3, rounds: int = 2) -> None:
        self.folder = folder
        self.store = MemoryStore(MemorySwarm(), folder / "cache")
        self.sites = [SiteId(number) for number in range(1, sites + 1)]
        self.logged: list[ev.RunEvent] = []
        self.events_seen: list[ev.LedgerEvent] = []
        self.settlements: dict[RoundNumber, Digest] = {}
        self.accounts: dict[SiteId, CreditAccount] = {}
        self.block = 1
        self.deployment = DEPLOYMENT
        self.updates: dict[tuple[RoundNumber, int, SiteId], Path] = {}
        self.proposed: Recomputed | None = None
        self.proposal: ev.RoundProposed | None = None
        self.cohort = CohortSection(
            minimum_sites=2, target_sites=sites, minimum_updates=min(2, sites)
        )
        self._open(rounds)
        self.begin(1)

    # What the run does

    def emit(self, kind: type[ev.LedgerEvent], **fields: Any) -> Any:
        self.block += 1
        raw = repr(sorted(fields.items())).encode()
        topics = (keccak(kind.__name__.encode()), keccak(raw))
        contract = MODULE if issubclass(kind, ev.RunEvent) else RUNS
        log = ev.Log(self.block, 0, ZERO_DIGEST, contract, topics, raw)
        if issubclass(kind, ev.RunEvent):
            event: Any = kind(log, RUN, **fields)
            self.logged.append(event)
        else:
            event = kind(log, **fields)
            self.events_seen.append(event)
        return event

    def begin(self, number: int, attempt: int = 1) -> None:
        self.place = Place(CHAIN_ID, MODULE, RUN, RoundNumber(number), attempt)
        count = len(self.sites)
        self.emit(
            ev.AttemptStarted,
            round=number,
            attempt=attempt,
            cohort=count,
            roster_length=count,
            quorum=count // 2 + 1,
            deadline=BEGUN + self.plan.timing.collect_seconds,
        )

    def submit(
        self,
        site: int,
        fill: float | None = None,
        weight: int | None = None,
        data: bytes | None = None,
        **manifest: Any,
    ) -> ev.UpdateSubmitted:
        """Submit an update whose values are ``fill`` or, from elsewhere, whole bytes."""
        weight = weight if weight is not None else 10 * site
        path = self.folder / f"update-{self.place.round}-{self.place.attempt}-{site}"
        value = fill if fill is not None else site / 8 + self.place.round
        arrays = {name: np.full(shape, value, np.float32) for name, shape in SHAPES.items()}
        said = Manifest(self.place, SiteId(site), self.base, weight, Digest(bytes([site]) * 32))
        if data is None:
            write_update(path, arrays, replace(said, **manifest))
        else:
            path.write_bytes(data)
        self.updates[(self.place.round, self.place.attempt, SiteId(site))] = path
        submitted: ev.UpdateSubmitted = self.emit(
            ev.UpdateSubmitted,
            round=self.place.round,
            site=SiteId(site),
            attempt=self.place.attempt,
            stage=0,
            commitment=Commitment.of(path.read_bytes()),
            weight=weight,
            locator=self.store.publish(path),
        )
        return submitted

    def close(self) -> None:
        count = len(self.submissions())
        self.emit(
            ev.SubmissionsClosed,
            round=self.place.round,
            attempt=self.place.attempt,
            submitted=count,
            deadline=BEGUN + 9,
        )

    def recomputed(self, by: int, number: int = 1, without: Collection[int] = ()) -> Recomputed:
        """Recompute the attempt, with the updates of some sites out of reach."""
        submissions = self.submissions()
        paths = {
            entry.site: None
            if entry.site in without
            else self.updates[(self.place.round, self.place.attempt, entry.site)]
            for entry in submissions
        }
        previous = PreviousRound(self.previous_record, self.base, self.base_path, self.earned)
        inputs = RoundInputs(self.plan, self.place, previous, submissions, paths, CREDITS)
        return recompute(inputs, number, SiteId(by), self.store.locate, self.folder)

    def propose(
        self,
        by: int = 2,
        number: int = 1,
        without: Collection[int] = (),
        lie: Lie | None = None,
        **told: Any,
    ) -> ev.RoundProposed:
        """Propose what recomputation gives, or a lie; ``told`` overrides what the chain hears."""
        honest = self.recomputed(by, number, without)
        record = lie(honest.record) if lie else honest.record
        path = self.folder / f"record-{self.place.round}-{self.place.attempt}-{number}"
        path.write_bytes(record.to_bytes())
        self.proposed = replace(honest, record=record, record_bytes=record.to_bytes())
        self.store.publish(honest.state_path)
        positions = {site: site - 1 for site in self.sites}
        said: dict[str, Any] = {
            "round": self.place.round,
            "site": SiteId(by),
            "attempt": self.place.attempt,
            "proposal": number,
            "credits_total": record.credits_total,
            "record": Commitment.of(record.to_bytes()),
            "record_locator": self.store.publish(path),
            "state": Commitment(record.state),
            "credits_root": Digest(record.credits_root),
            "deadline": BEGUN + 99,
            "inclusion": honest.inclusion(positions, len(self.sites)),
        }
        proposal: ev.RoundProposed = self.emit(ev.RoundProposed, **(said | told))
        self.proposal = proposal
        return proposal

    def attest(self, *sites: int, witness: Digest | None = None) -> None:
        assert self.proposed is not None
        assert self.proposal is not None
        for site in sites:
            self.emit(
                ev.RoundAttested,
                round=self.proposal.round,
                site=SiteId(site),
                attempt=self.proposal.attempt,
                proposal=self.proposal.proposal,
                witness=witness or self.proposed.witness(SiteId(site)),
            )

    def object_to(self, site: int, expected: Commitment) -> None:
        assert self.proposal is not None
        self.emit(
            ev.RoundObjected,
            round=self.proposal.round,
            site=SiteId(site),
            attempt=self.proposal.attempt,
            proposal=self.proposal.proposal,
            expected=expected,
        )

    def finalize(self) -> None:
        """Make the proposal final and go on to the next round."""
        said, made = self.proposal, self.proposed
        assert said is not None
        assert made is not None
        settled = Settlement(said.record, said.state, said.credits_root, said.credits_total)
        self.settlements[said.round] = settlement_hash(settled)
        self.emit(
            ev.RoundFinalized,
            round=said.round,
            attempt=said.attempt,
            proposal=said.proposal,
            settlement=self.settlements[said.round],
        )
        self.previous_record, self.base, self.earned = said.record, said.state, made.record.earned
        self.base_path = made.state_path
        if said.round == self.plan.rounds:
            self.emit(ev.RunCompleted, rounds=said.round)
        else:
            self.begin(said.round + 1)

    def collect(self) -> None:
        """Let every site submit an honest update."""
        for site in self.sites:
            self.submit(site)
        self.close()

    def play(self, rounds: int = 1) -> None:
        """Play honest rounds to their end."""
        for _ in range(rounds):
            self.collect()
            self.propose()
            self.attest(*self.sites)
            self.finalize()

    def claim(self, site: int, amount: int, claimed: int, round_number: int) -> None:
        self.emit(
            ev.CreditsClaimed,
            run=RUN,
            round_number=RoundNumber(round_number),
            site=SiteId(site),
            amount=amount,
            claimed=claimed,
        )
        self.accounts[SiteId(site)] = CreditAccount(claimed, claimed)

    def audit(self) -> AuditReport:
        reader: Any = self
        return audit_run(reader, self.store, RUN, work_dir=self.folder, fetch_seconds=1)

    # What the ledger says

    def submissions(self) -> list[ev.UpdateSubmitted]:
        return [
            event
            for event in self.logged
            if isinstance(event, ev.UpdateSubmitted)
            and (event.round, event.attempt) == (self.place.round, self.place.attempt)
        ]

    def head(self) -> Head:
        return Head(self.block, ZERO_DIGEST, BEGUN)

    def run(self, run: RunId) -> Run:
        return Run(run, MODULE, RESEARCHER, self.opened.plan, self.opened.initial_model)

    def parameters(self, run: RunId) -> Parameters:
        return self.plan.parameters()

    def state(self, run: RunId) -> RunState:
        history = RunHistory.of(RUN, self.logged)
        phase = Phase.COMPLETED if history.completed else Phase.COLLECTING
        values = dict.fromkeys(RunState.__dataclass_fields__, 0)
        values |= {
            "phase": phase,
            "round": max(history.rounds, default=0),
            "final_rounds": history.final_rounds,
            "credits_granted": sum(self.earned.values()),
            "consenting": len(self.sites),
        }
        return RunState(**values)  # type: ignore[arg-type]

    def running_hash(self, run: RunId) -> Digest:
        head = bytes(32)
        for event in self.logged:
            head = keccak(head + b"".join(event.log.topics) + event.log.data)[:26] + bytes(6)
        return Digest(head)

    def settlement(self, run: RunId, round_number: RoundNumber) -> Digest:
        return self.settlements[round_number]

    def credit_account(self, run: RunId, site: SiteId) -> CreditAccount:
        return self.accounts.get(site, CreditAccount(0, 0))

    def credit_total(self, run: RunId) -> tuple[int, bool]:
        return sum(account.claimed for account in self.accounts.values()), False

    def run_events(self, run: RunId, from_block: int = 0) -> Sequence[ev.RunEvent]:
        return tuple(self.logged)

    def events(
        self, kinds: Sequence[type[ev.LedgerEvent]], from_block: int = 0
    ) -> Sequence[ev.LedgerEvent]:
        return [event for event in self.events_seen if isinstance(event, tuple(kinds))]

    def _open(self, rounds: int) -> None:
        arrays = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
        self.base_path = self.folder / "initial"
        self.base = write_state(self.base_path, arrays)
        self.earned: dict[SiteId, int] = {}
        self.plan = Plan(
            name="small",
            rounds=rounds,
            task=TaskSection(source="digits", digest="0" * 64),
            model=ModelSection(commitment=str(self.base), size_bytes=self.base_path.stat().st_size),
            cohort=self.cohort,
        )
        plan_path = self.folder / "plan"
        plan_path.write_bytes(self.plan.to_bytes())
        self.previous_record = self.plan.commitment
        self.emit(ev.ModuleApproved, module=MODULE, operator=RESEARCHER)
        for site in self.sites:
            self._grant(site)
        self.opened = self.emit(
            ev.RunOpened,
            run=RUN,
            researcher=RESEARCHER,
            module=MODULE,
            plan=self.plan.commitment,
            plan_locator=self.store.publish(plan_path),
            initial_model=self.base,
            initial_model_locator=self.store.publish(self.base_path),
            transferable=False,
            parameters=b"",
        )
        for site in self.sites:
            self.emit(
                ev.ConsentGiven,
                site=site,
                grant=GrantId(site),
                position=site - 1,
                maximum_examples=1000,
                expiry=EXPIRY,
            )

    def _grant(self, site: SiteId) -> None:
        dataset, grant, nothing = DatasetId(site), GrantId(site), Commitment(ZERO_DIGEST)
        self.emit(
            ev.DatasetRegistered,
            dataset=dataset,
            site=site,
            description=nothing,
            data=nothing,
            examples=1000,
        )
        self.emit(
            ev.AccessRequested,
            grant=grant,
            dataset=dataset,
            researcher=RESEARCHER,
            purpose=nothing,
            purpose_locator=Locator(ZERO_DIGEST),
        )
        self.emit(
            ev.AccessGranted,
            grant=grant,
            dataset=dataset,
            site=site,
            terms=nothing,
            terms_locator=Locator(ZERO_DIGEST),
            expiry=EXPIRY,
        )

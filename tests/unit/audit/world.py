"""A small run on a ledger in memory, honest unless a test makes somebody lie.

It keeps the books of the contracts but none of their rules, so that a test can
record what a contract would have refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fednet.audit import (
    AuditReport,
    PreviousRound,
    Recomputed,
    RoundInputs,
    audit_run,
    recompute,
)
from fednet.audit.inputs import SealState
from fednet.audit.memory import AuditMemory
from fednet.blobs.memory import MemoryStore, MemorySwarm
from fednet.codec import Reason, write_state, write_update
from fednet.credits import settlement_hash
from fednet.domain import events as ev
from fednet.domain.checkpoint import SignedCheckpoint
from fednet.domain.identity import (
    Address,
    Commitment,
    Digest,
    GrantId,
    RoundNumber,
    SiteId,
)
from fednet.domain.ledger import CreditAccount, Modules, Settlement
from fednet.domain.plan import Plan
from fednet.domain.record import RoundRecord
from fednet.domain.sections import CohortSection, ModelSection, TaskSection
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Manifest, Place
from fednet.privacy.sealing import KeySource
from tests.unit.audit.books import (
    CHAIN_ID,
    CREDITS,
    DEPLOYMENT,
    EXPIRY,
    MODULE,
    RESEARCHER,
    RUN,
    Books,
)

SHAPES = {"bias": (), "weights": (5, 3)}
FORGED = Digest(bytes([0xEE]) * 32)

Lie = Callable[[RoundRecord], RoundRecord]


def work_of(site: int, round_number: int) -> dict[str, FloatArray]:
    """Give what a site learns in a round, unlike anything else."""
    random = np.random.default_rng([site, round_number])
    return {
        name: np.asarray(random.standard_normal(shape), np.float32)
        for name, shape in SHAPES.items()
    }


def led_by(name: str) -> Modules:
    """Say that the deployment's module of a name is the one that leads the run."""
    modules = DEPLOYMENT.modules
    return replace(modules, **({"plain": getattr(modules, name)} | {name: modules.plain}))


def filled(value: float) -> dict[str, FloatArray]:
    """Give an update that is one value everywhere."""
    return {name: np.full(shape, value, np.float32) for name, shape in SHAPES.items()}


class World(Books):
    """Play a run and audit it."""

    sections: ClassVar[Mapping[str, Any]] = {}
    """Further sections of the plan."""

    def initial(self) -> dict[str, FloatArray]:
        """Give the state that round 1 starts from."""
        return {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}

    def __init__(self, folder: Path, sites: int = 3, rounds: int = 2) -> None:
        self.folder = folder
        self.swarm = MemorySwarm()
        self.store = MemoryStore(self.swarm, folder / "cache")
        self.sites = [SiteId(number) for number in range(1, sites + 1)]
        super().__init__()
        self.open_until = 0
        """Deadline of the current proposal."""
        self.updates: dict[tuple[RoundNumber, int, SiteId], Path] = {}
        self.proposed: Recomputed | None = None
        self.proposal: ev.RoundProposed | None = None
        self.cohort = CohortSection(
            minimum_sites=2, target_sites=sites, minimum_updates=min(2, sites)
        )
        self._open(rounds)
        self.begin(1)

    def begin(self, number: int, attempt: int = 1) -> None:
        self.place = Place(CHAIN_ID, MODULE, RUN, RoundNumber(number), attempt)
        count = len(self.sites)
        voters = self.plan.module.committee_sites or count
        self.emit(
            ev.AttemptStarted,
            round=number,
            attempt=attempt,
            cohort=count,
            roster_length=count,
            quorum=min(voters, voters * self.plan.cohort.quorum_basis_points // 10_000 + 1),
            deadline=self.now + self.plan.timing.collect_seconds,
        )

    def submit(
        self,
        site: int,
        fill: float | None = None,
        weight: int | None = None,
        data: bytes | None = None,
        arrays: dict[str, FloatArray] | None = None,
        **manifest: Any,
    ) -> ev.UpdateSubmitted:
        """Submit an update whose values are ``fill`` or, from elsewhere, whole bytes."""
        weight = weight if weight is not None else 10 * site
        path = self.folder / f"update-{self.place.round}-{self.place.attempt}-{site}"
        honest = work_of(site, self.place.round) if fill is None else filled(fill)
        arrays = honest if arrays is None else arrays
        said = Manifest(self.place, SiteId(site), self.base, weight, Digest(bytes([site]) * 32))
        if data is None:
            write_update(path, arrays, replace(said, **manifest), self.plan.update)
        else:
            path.write_bytes(data)
        self.updates[(self.place.round, self.place.attempt, SiteId(site))] = path
        blob = self.stored(SiteId(site), path)
        submitted: ev.UpdateSubmitted = self.emit(
            ev.UpdateSubmitted,
            round=self.place.round,
            site=SiteId(site),
            attempt=self.place.attempt,
            stage=0,
            commitment=Commitment.of(blob.read_bytes()),
            weight=weight,
            locator=self.store.publish(blob),
        )
        return submitted

    def stored(self, site: SiteId, path: Path) -> Path:
        """Give the file in which an update is handed in."""
        return path

    def _reveal_end(self) -> int:
        return self.now + self.plan.timing.reveal_seconds

    def close(self) -> None:
        self.open_until = self._reveal_end() + self.plan.timing.propose_seconds
        count = len(self.submissions())
        self.emit(
            ev.SubmissionsClosed,
            round=self.place.round,
            attempt=self.place.attempt,
            submitted=count,
            deadline=self._reveal_end() + self.plan.timing.propose_seconds,
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
        if self.last is not None:
            previous = PreviousRound.of_record(
                self.previous_record, self.base, self.base_path, self.last
            )
        inputs = RoundInputs(
            self.plan,
            self.place,
            previous,
            submissions,
            paths,
            CREDITS,
            len(submissions),
            self.late(),
            self.refused(),
            self.seal(),
            **self.hidden(),
        )
        return recompute(inputs, number, SiteId(by), self.store.locate, self.folder)

    def refused(self) -> dict[SiteId, Reason]:
        """Say whose rows of batches count for nothing."""
        return {}

    def seal(self) -> SealState | None:
        """Give what seals the next state."""
        return None

    def hidden(self) -> dict[str, Any]:
        """Give what updates that are masked or encrypted are recomputed with."""
        return {}

    def late(self) -> dict[Commitment, int]:
        """Say how late an update is by the state that it was trained from."""
        older = self.bases[-2 : -2 - self.plan.staleness.rounds : -1]
        return {state: late for late, state in reversed(list(enumerate(older, 1)))}

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
        timing = self.plan.timing
        anybodys = self.open_until - timing.propose_seconds + timing.grace_seconds
        self.now = max(self.now, anybodys)
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
            "deadline": self.now + timing.attest_seconds,
            "inclusion": honest.inclusion(positions),
        }
        self.proposal = self.emit(ev.RoundProposed, **(said | told))
        return self.proposal

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

    def end_proposal(self) -> None:
        """Let the proposal fail, so that another may follow."""
        assert self.proposal is not None
        said = self.proposal
        self.open_until = self.now + self.plan.timing.propose_seconds
        self.emit(
            ev.ProposalEnded,
            round=said.round,
            attempt=said.attempt,
            proposal=said.proposal,
            deadline=self.open_until,
        )

    def finalize(self, *, stay: bool = False) -> None:
        """Make the proposal final and go on to the next round, unless to stay is asked for."""
        said, made = self.proposal, self.proposed
        assert said is not None
        assert made is not None
        settled = Settlement(said.record, said.state, said.credits_root, said.credits_total)
        self.settlements[said.round] = settlement_hash(settled)
        at = {"round": said.round, "attempt": said.attempt, "proposal": said.proposal}
        self.emit(ev.RoundFinalized, **at)
        self.previous_record, self.base, self.earned = said.record, said.state, made.record.earned
        self.base_path, self.last = made.base_path, made.record
        self.bases.append(self.base)
        if said.round == self.plan.rounds:
            self.emit(ev.RunCompleted, rounds=said.round)
        elif not stay:
            self.begin(said.round + 1)

    def conclude(self, *sites: int) -> None:
        """Let sites vote to end the run with the final round."""
        for site in sites:
            self.emit(ev.RunConcluding, round=self.place.round, site=SiteId(site))

    def contributors(self) -> Sequence[SiteId]:
        """List who trains in the attempt that has begun."""
        return self.sites

    def contribute(self, site: SiteId) -> None:
        """Let a site submit an honest update."""
        self.submit(site)

    def collect(self) -> None:
        """Let every site that trains submit an honest update."""
        for site in self.contributors():
            self.contribute(site)
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

    def audit(
        self,
        checkpoints: Sequence[SignedCheckpoint] | None = None,
        *,
        trusted: Collection[Address] = (),
        memory: AuditMemory | None = None,
        keys: KeySource | None = None,
        **more: Any,
    ) -> AuditReport:
        """Audit with these checkpoints; by default with one that site 1 made just now."""
        reader: Any = self
        shown = [self.checkpoint(1)] if checkpoints is None else checkpoints
        return audit_run(
            reader, self.store, RUN, work_dir=self.folder, fetch_seconds=1,
            checkpoints=shown, trusted=trusted, memory=memory, keys=keys,
            **more,
        )  # fmt: skip

    def _open(self, rounds: int) -> None:
        self.base_path = self.folder / "initial"
        self.base = write_state(self.base_path, self.initial())
        self.bases = [self.base]
        self.earned: dict[SiteId, int] = {}
        self.last: RoundRecord | None = None
        self.plan = Plan(
            name="small",
            rounds=rounds,
            task=TaskSection(source="digits", digest="0" * 64),
            model=ModelSection(commitment=str(self.base), size_bytes=self.base_path.stat().st_size),
            **({"cohort": self.cohort} | self.sections),
        )
        self.deployment = replace(self.deployment, modules=led_by(self.plan.module.name))
        plan_path = self.folder / "plan"
        plan_path.write_bytes(self.plan.to_bytes())
        self.previous_record = self.plan.commitment
        self.emit(ev.ModuleApproved, module=MODULE, operator=RESEARCHER)
        for enter in (self.admit, self.grant):
            for site in self.sites:
                enter(site)
        self.opened = self.emit(
            ev.RunOpened, run=RUN, researcher=RESEARCHER, module=MODULE,
            plan=self.plan.commitment, plan_locator=self.store.publish(plan_path),
            initial_model=self.base, initial_model_locator=self.store.publish(self.base_path),
            transferable=self.plan.credits.transferable, parameters=b"",
        )  # fmt: skip
        for site in self.sites:
            self.emit(
                ev.ConsentGiven, site=site, grant=GrantId(site), position=site - 1,
                maximum_examples=1000, expiry=EXPIRY,
            )  # fmt: skip

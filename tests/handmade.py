"""A whole run on real contracts whose updates are made by hand: no training, no nodes, no store.

For tests and benchmarks of what comes after a run. Honest throughout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fednet.audit import PreviousRound, Recomputed, RoundInputs, recompute
from fednet.blobs.bundled import BundledStore
from fednet.blobs.pieces import scan
from fednet.codec import write_state, write_update
from fednet.credits import CreditLedger
from fednet.domain.blobs import FileSpan
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Digest, Locator, RoundNumber, RunId
from fednet.domain.ledger import Inclusion, Phase, Proposal, turn_position
from fednet.domain.plan import Plan
from fednet.domain.update import Manifest, Place
from tests import ledger_acts as acts

WEIGHT = 100
NORMAL_SCALE = 1e-3


class HandmadeRun:
    """Open a run of some sites and play its rounds.

    Args:
        world: Contracts on a chain.
        folder: Where the blobs are kept, as files named by commitment.
        sites: How many take part.
        rounds: How many rounds the plan has.
        elements: Size of the model.
    """

    sections: ClassVar[Mapping[str, Any]] = {}
    """Sections of the plan that differ."""

    def __init__(
        self, world: acts.World, folder: Path, sites: int, rounds: int, elements: int
    ) -> None:
        self.world, self.folder, self.elements = world, folder, elements
        self.blobs: dict[Commitment, FileSpan] = {}
        base = folder / "unnamed"
        state = write_state(base, {"weights": np.zeros(elements, np.float32)})
        size_bytes = base.stat().st_size
        path, located = self._keep(state, base)
        plan = {
            "name": "made by hand", "rounds": rounds,
            "task": {"source": "none.py:Task", "digest": str(Commitment.of(b"task"))},
            "model": {"commitment": str(state), "size_bytes": size_bytes},
            "cohort": {"minimum_sites": 2, "target_sites": sites, "maximum_sites": sites,
                       "minimum_updates": 2},
            "timing": {"consent_seconds": 36_000, "collect_seconds": 36_000,
                       "reveal_seconds": 0, "grace_seconds": 3_600,
                       "propose_seconds": 36_000, "attest_seconds": 36_000,
                       "max_proposals": 2, "max_attempts": 2},
            "update": {}, "credits": {"per_round": 1_000},
        }  # fmt: skip
        self.plan = Plan.validated(plan | dict(self.sections), "plan")
        plan_path = folder / "unnamed"
        plan_path.write_bytes(self.plan.to_bytes())
        _, plan_located = self._keep(self.plan.commitment, plan_path)
        researcher = acts.researcher_of(world)
        self.hospitals = [acts.join(world, f"hospital {number}") for number in range(sites)]
        opened = researcher.open_run(
            world.reader.deployment.modules.plain,
            (self.plan.commitment, plan_located),
            (state, located),
            self.plan.credits.transferable,
            self.plan.parameters(),
        )
        self.run = RunId(opened.created)
        for hospital in self.hospitals:
            acts.consent(world, researcher, self.run, hospital)
        self.previous = PreviousRound(self.plan.commitment, state, path, {})

    def play(self, rounds: int) -> None:
        """Play rounds to their end."""
        for _ in range(rounds):
            self._play_round()

    def claim(self, at: int) -> None:
        """Let one site claim all that it earned so far."""
        hospital = self.hospitals[at]
        deployment = self.world.reader.deployment
        tree = CreditLedger(deployment.chain_id, deployment.credits, self.run)
        earned = dict(self.previous.earned)
        hospital.writer.claim(
            self.run, hospital.site, RoundNumber(self.world.reader.state(self.run).final_rounds),
            self.last.settlement, earned[hospital.site], tree.proof(earned, hospital.site),
        )  # fmt: skip

    def store(self) -> BundledStore:
        """Serve the blobs from their files."""
        return BundledStore(self.blobs, self.folder)

    def files(self) -> Iterator[Path]:
        """List the blobs' files."""
        return (span.archive for span in self.blobs.values())

    def _play_round(self) -> None:
        reader, run = self.world.reader, self.run
        if reader.state(run).phase is Phase.FINAL:
            self.hospitals[0].writer.advance(run)
        state = reader.state(run)
        place = Place(
            reader.deployment.chain_id,
            reader.run(run).module,
            run,
            state.round,
            state.attempt,
        )
        for number, hospital in enumerate(self.hospitals):
            self._submit(number, hospital, place)
        turn = turn_position(state.round, state.attempt, 1, state.roster_length)
        made = self._recompute(place, turn)
        record_path = self.folder / "unnamed"
        record_path.write_bytes(made.record_bytes)
        _, record_located = self._keep(made.commitment, record_path)
        state_path, _ = self._keep(Commitment(made.record.state), made.state_path)
        positions = {hospital.site: at for at, hospital in enumerate(self.hospitals)}
        proposal = Proposal(
            run=run, site=self.hospitals[turn].site, round=state.round, attempt=state.attempt,
            number=1, included=made.count(Inclusion.INCLUDED),
            invalid=made.count(Inclusion.INVALID), unavailable=0,
            credits_total=made.record.credits_total, record=made.commitment,
            record_locator=record_located, state=made.settlement.state,
            credits_root=made.settlement.credits_root, inclusion=made.inclusion(positions),
        )  # fmt: skip
        self.hospitals[turn].writer.propose(proposal)
        for hospital in self.hospitals:
            hospital.writer.attest(
                run, hospital.site, state.round, state.attempt, 1, made.witness(hospital.site)
            )
        self.last = made
        self.previous = PreviousRound(
            made.commitment, made.settlement.state, state_path, made.record.earned
        )

    def _submit(self, number: int, hospital: acts.Hospital, place: Place) -> None:
        random = np.random.default_rng([number, place.round])
        values = random.standard_normal(self.elements, np.float32)
        values *= np.float32(NORMAL_SCALE)
        salt = Digest(bytes([number + 1, place.round]).ljust(32, b"\1"))
        manifest = Manifest(place, hospital.site, self.previous.state, WEIGHT, salt)
        path = self.folder / "unnamed"
        made = write_update(path, {"weights": values}, manifest)
        _, located = self._keep(made, path)
        hospital.writer.submit(
            self.run, hospital.site, place.round, place.attempt, made, WEIGHT, located
        )

    def _recompute(self, place: Place, turn: int) -> Recomputed:
        events = self.world.reader.run_events(self.run, self.world.reader.deployment.block)
        history = RunHistory.of(self.run, events)
        submissions = history.rounds[place.round].attempts[place.attempt].submissions
        inputs = RoundInputs(
            plan=self.plan,
            place=place,
            previous=self.previous,
            submissions=tuple(submissions.values()),
            paths={
                site: self.blobs[entry.commitment].archive for site, entry in submissions.items()
            },
            credits_contract=self.world.reader.deployment.credits,
            cohort=len(self.hospitals),
        )
        return recompute(inputs, 1, self.hospitals[turn].site, _locate, self.folder)

    def _keep(self, commitment: Commitment, path: Path) -> tuple[Path, Locator]:
        kept = path.replace(self.folder / commitment.hex())
        self.blobs[commitment] = FileSpan(kept, 0, kept.stat().st_size)
        return kept, _locate(kept)


def _locate(path: Path) -> Locator:
    return scan(path)[0].locate()

"""Real nodes, chain and store: runs that end early, with clusters, and with packed updates."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fednet.cli.training import SiteTrainer
from fednet.codec import open_update
from fednet.domain.identity import Commitment, RoundNumber, SiteId
from fednet.domain.ledger import Phase
from fednet.domain.plan import Plan
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, TensorSpec, decode_tensors, encode_tensors
from fednet.domain.update import STATE_METADATA, Place
from fednet.learning import Trainer, derive_seed, naming
from fednet.learning.partition import even
from fednet.node import TrainingResult
from tests.attacks.doubles import Trainer as Doubled
from tests.attacks.doubles import make_plan
from tests.attacks.network import Member, Network, Run
from tests.codec_fixtures import read_all

PATIENCE_SECONDS = 300.0
ELEMENTS = 20_000
TRAINING: Mapping[str, object] = {"local_epochs": 3, "batch_size": 16, "learning_rate": "0.1"}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    consortium = Network(tmp_path_factory.mktemp("measured"))
    yield consortium
    consortium.close()


class Class:
    """Members with digits of their own, and the sandboxed task that learns them."""

    def __init__(self, network: Network, stack: ExitStack, folder: Path, sites: int) -> None:
        self.members = network.members(sites)
        self.paths, self.held_out = even("digits", sites).write(folder)
        self._stack = stack
        self.maker = stack.enter_context(Trainer("digits", self.paths[0], held_out=self.held_out))
        for member, path in zip(self.members, self.paths, strict=True):
            trainer: Any = SiteTrainer(partial(Trainer, dataset=path), "")
            stack.callback(trainer.close)
            member.trainer = trainer

    def rename_digits(self, path: Path) -> None:
        """Call the digits of a file by other names."""
        header, *rows = path.read_text().splitlines()
        at = header.split(",").index("digit")
        renamed = []
        for row in rows:
            cells = row.split(",")
            cells[at] = str((int(cells[at]) * 3 + 1) % 10)
            renamed.append(",".join(cells))
        path.write_text("\n".join([header, *renamed]) + "\n")

    def initial(self, sections: Mapping[str, object], seed: int) -> bytes:
        """Make the state that a plan with these sections starts from."""
        plan = make_plan(len(self.members), b"", dict(sections) | {"model_size_bytes": 1})
        count = plan.clusters.count
        models = [
            self.maker.initial_model(derive_seed(seed, "cluster", part)) for part in range(count)
        ]
        shape = StateShape.of_model(plan, Layout.of(models[0]))
        return encode_tensors(naming.initial_state(shape, models), STATE_METADATA)


def play(network: Network, learners: Class, seed: int, **sections: object) -> Run:
    """Run a plan to its end by real nodes."""
    changes: dict[str, object] = {
        "task_source": "digits",
        "task_digest": str(learners.maker.digest),
        "training": dict(TRAINING),
        **sections,
    }
    model = learners.initial(changes, seed)
    with network.open(learners.members, model=model, **changes) as run:
        run.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not run.state.phase.is_over:
            assert time.monotonic() < deadline, (run.state, [m.errors() for m in run.members])
            time.sleep(0.2)
    return run


def records_of(run: Run) -> list[RoundRecord]:
    """Fetch the records of the final rounds."""
    found = []
    for number, entry in sorted(run.history.rounds.items()):
        final = entry.final_proposal
        if final is None:
            continue
        said = final.proposed
        path = run.members[0].store.fetch(
            said.record, [said.record_locator], MAX_RECORD_SIZE_BYTES, 10
        )
        found.append(RoundRecord.from_bytes(path.read_bytes(), f"record {number}"))
    return found


def state_of(run: Run, record: RoundRecord) -> dict[str, FloatArray]:
    """Read a final state."""
    member: Member = run.members[0]
    path = member.folder / "runs" / f"run-{run.run}" / f"{record.state}.safetensors"
    data = path.read_bytes()
    assert Commitment.of(data) == Commitment(record.state)
    return decode_tensors(data, "state")[0]


def test_run_ends_once_its_target_is_reached(network: Network, tmp_path: Path) -> None:
    with ExitStack() as stack:
        learners = Class(network, stack, tmp_path, 3)
        evaluation = {"metric": "accuracy", "target": "0.8", "lowest": 0, "highest": 1}
        run = play(network, learners, 0, rounds=9, evaluation=evaluation)
        assert run.state.phase is Phase.COMPLETED
        records = records_of(run)
        assert 1 < len(records) == run.state.final_rounds < 9
        assert [record.ends for record in records] == [""] * (len(records) - 1) + ["target"]
        last = records[-1].evaluation
        assert last is not None
        assert float(last.pooled) >= 0.8
        assert (last.best_round, last.best_state) == (len(records) - 1, records[-2].state)
        # The pooled metric is what the members' own data says, as anybody who had it would find.
        counts, correct = 0, 0.0
        for path in learners.paths:
            with Trainer("digits", path) as trainer:
                found = trainer.evaluate(state_of(run, records[-2]), on="private")["accuracy"]
                examples = trainer.inspect().examples
            weight = min(examples, 40 + 10 * learners.paths.index(path))
            counts, correct = counts + weight, correct + weight * found
        assert float(last.pooled) == pytest.approx(correct / counts, abs=1e-8)
        voters = run.history.rounds[RoundNumber(len(records))].concluding
        assert len(voters) >= 2
        assert network.audit(run).findings == ()


def test_ifca_forms_groups_on_the_chain(network: Network, tmp_path: Path) -> None:
    with ExitStack() as stack:
        learners = Class(network, stack, tmp_path, 4)
        for path in learners.paths[::2]:
            learners.rename_digits(path)
        run = play(
            network,
            learners,
            3,
            rounds=4,
            clusters={"method": "ifca", "count": 2},
            evaluation={"metric": "accuracy"},
        )
        assert run.state.phase is Phase.COMPLETED
        records = records_of(run)
        sites = [member.site for member in learners.members]
        outcome = records[-1].outcome
        groups = [outcome.get("cluster-0", []), outcome.get("cluster-1", [])]
        assert sorted(map(str, groups)) == sorted([str(sites[::2]), str(sites[1::2])])
        state, plan = state_of(run, records[-1]), run.plan
        assert accuracy(learners, plan, state, groups.index(sites[1::2])) > 0.8
        assert network.audit(run).findings == ()


def accuracy(learners: Class, plan: Plan, state: Mapping[str, FloatArray], part: int) -> float:
    """Judge one cluster's model on images that no site has."""
    shape = StateShape.of_state(plan, Layout.of(state))
    model = naming.model_of(shape, state, part)
    assert all(np.isfinite(array).all() for array in model.values())
    return learners.maker.evaluate(model)["accuracy"]


class Learnt(Doubled):
    """Learn large arrays at once: what follows from site and round alone."""

    def train(
        self,
        plan: Plan,
        base_state_path: Path,
        place: Place,
        site: SiteId,
        *_: object,
    ) -> TrainingResult:
        return TrainingResult({"weight": learnt(site, place.round)}, self.examples)


def learnt(site: SiteId, round_number: int) -> FloatArray:
    drawn = np.random.default_rng([site, round_number]).random(ELEMENTS, np.float32)
    return drawn * np.float32(0.01)


def test_what_a_codec_leaves_out_is_kept_and_sent_later(network: Network) -> None:
    members, rounds = network.members(3), 3
    for member in members:
        member.trainer = Learnt(member.trainer.examples)
    model = encode_tensors({"weight": np.zeros(ELEMENTS, np.float32)}, STATE_METADATA)
    packed = {"update_codec": "topk-int8", "update_keep_ratio": "0.05"}
    with network.open(members, model=model, rounds=rounds, **packed) as run:
        run.start()
        assert run.over() is Phase.COMPLETED
        history = run.history
        assert network.audit(run).findings == ()
    shape = StateShape.plain(Layout((TensorSpec("weight", (ELEMENTS,)),)))
    for member in members:
        sent, wanted = np.zeros(ELEMENTS), np.zeros(ELEMENTS)
        for number, entry in history.rounds.items():
            said = entry.attempts[1].submissions[member.site]
            path = member.store.fetch(said.commitment, [said.locator], 4 * ELEMENTS, 10)
            assert path.stat().st_size < 4 * ELEMENTS // 20
            with open_update(path, "update", run.plan, shape) as file:
                sent += read_all(file)
            wanted += learnt(member.site, number)
        (kept,) = member.folder.rglob(f"kept/{rounds}-1.safetensors")
        left = decode_tensors(kept.read_bytes(), "kept")[0]["residual/weight"]
        assert np.allclose(sent + left, wanted, atol=1e-6)
        assert np.linalg.norm(sent) < np.linalg.norm(wanted) / 2

"""Put a rehearsal together: a chain, a store, sites and trainers, all in one home."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fednet.airlock import Airlock
from fednet.cli import home, plans, wiring
from fednet.cli.app import App
from fednet.cli.plans import PlanFile
from fednet.cli.training import SiteTrainer
from fednet.domain.blobs import BlobStore
from fednet.domain.events import RunOpened
from fednet.domain.identity import Commitment, RunId
from fednet.domain.plan import Plan
from fednet.domain.ports import LedgerReader, LedgerWriter
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, decode_tensors, encode_tensors
from fednet.domain.update import STATE_METADATA
from fednet.errors import SettingsError
from fednet.learning import derive_seed, find_task, naming, partition
from fednet.learning.source import TaskSource
from fednet.learning.tasks import BUILT_IN
from fednet.node.ports import TrainerPort
from fednet.simulation import Crowd, Member, Rehearsal, Scenario, VirtualData, rehearse
from fednet.simulation.engine import Watch

if TYPE_CHECKING:
    from fednet.learning.inprocess import InProcessTrainer
    from fednet.learning.task import Task

Corrupt = Callable[[Member, TrainerPort], tuple[TrainerPort, Airlock]]
"""Gives a site its trainer and airlock: the honest ones, or those of a liar."""

_FUNDS_WEI = 10**24
_THREADS = 8
_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it is made for us alone


@dataclass(frozen=True, slots=True)
class Stage:
    """A consortium of virtual sites, ready for runs."""

    app: App
    scenario: Scenario
    reader: LedgerReader
    operator: LedgerWriter
    store: BlobStore
    crowd: Crowd
    tasks: Tasks
    pool: ThreadPoolExecutor


@dataclass(frozen=True, slots=True)
class OwnRecords:
    """Records of one's own instead of those that ship with a task."""

    sites: tuple[Path, ...]
    """A file or folder for each virtual site, as its task reads it."""
    held_out: Path
    """Records of no site, on which models are judged."""


@contextmanager
def staged(
    scenario: Scenario,
    task: str,
    keep: Path | None,
    say: Callable[[str], None],
    own: OwnRecords | None = None,
) -> Iterator[Stage]:
    """Start a chain and a store, deploy, and let virtual sites join.

    Args:
        scenario: Who takes part.
        task: A task; without records of one's own, one whose records ship with fednet.
        keep: Home that stays when it is over, for the explorer; None leaves nothing.
        say: Told of each step.
        own: Records for a site each.

    Raises:
        SettingsError: The home is not empty, or the task has no records of its own.
    """
    if own is None and task not in BUILT_IN:
        raise SettingsError(
            "this task ships no records to deal to virtual sites",
            subject=task,
            expected=" or ".join(BUILT_IN),
        )
    from fednet.ledger.convoy import Convoy
    from fednet.ledger.deployment import write_deployment
    from fednet.ledger.ephemeral import found_network, new_writer

    with ExitStack() as stack:
        app = App(keep or Path(stack.enter_context(_scratch())))
        _require_empty(app.home)
        pool = stack.enter_context(ThreadPoolExecutor(_THREADS, thread_name_prefix="site"))
        say("starting a chain and a store")
        opening = pool.submit(_open_store, app)
        stack.callback(lambda: opening.result().close())
        folder = app.home / "data"
        if own is None:
            dealing = pool.submit(Tasks.deal, scenario, task, folder)
        else:
            held = stack.enter_context(_imported(task))
            dealing = pool.submit(Tasks.given, scenario, task, *held, own, folder)
        chain = wiring.local_chain(app, "anvil", 0)
        stack.callback(chain.stop)
        app.update({"chain": {"url": chain.start(), "engine": "anvil"}})
        say("deploying the contracts")
        url = app.settings().chain.url
        reader, operator = found_network(url, lambda to: chain.fund(to, _FUNDS_WEI))
        stack.callback(reader.close)
        write_deployment(app.path(app.settings().chain.deployment), reader.deployment)
        crowd = Crowd(reader, operator, lambda: new_writer(reader), Convoy(reader))
        tasks = dealing.result()
        say(f"{scenario.sites} sites join")
        crowd.join(tasks.records)
        yield Stage(app, scenario, reader, operator, opening.result(), crowd, tasks, pool)


def play(stage: Stage, raw: Mapping[str, Any], corrupt: Corrupt, watch: Watch) -> Rehearsal:
    """Open a run under a plan and lead every virtual site through it.

    Args:
        stage: The sites.
        raw: The plan's sections, without task and model.
        corrupt: Makes some sites hostile.
        watch: Told of each final round.

    Raises:
        PlanError: The plan is impossible.
    """
    file = stage.tasks.complete(raw, stage.app.home)
    opened = _open(stage, file)
    stage.crowd.consent(opened.run)
    folder = stage.app.home / "runs" / f"run-{opened.run}"
    folder.mkdir(parents=True)
    return rehearse(
        stage.crowd,
        opened,
        stage.store,
        lambda member: corrupt(member, stage.tasks.trainer(member)),
        lambda path: stage.tasks.judge(file.plan, path),
        folder,
        stage.pool,
        watch,
    )


class Tasks:
    """One task in this process, and its records dealt to the sites."""

    def __init__(
        self,
        source: TaskSource,
        name: str,
        task: Task,
        records: Sequence[VirtualData],
        held_out: Path,
    ) -> None:
        self._source = source
        self._name = name
        self._task = task
        self.records = records
        self._maker = self._open(None, held_out)

    @classmethod
    def deal(cls, scenario: Scenario, name: str, folder: Path) -> Tasks:
        """Deal the records that ship with a task."""
        from fednet.learning import baseline, hostile, training

        training.make_deterministic()
        kind = scenario.partition
        if kind.kind == "iid":
            split = partition.even(name, scenario.sites, scenario.seed)
        else:
            split = partition.dirichlet(name, scenario.sites, kind.alpha, scenario.seed)
        attack, honest = scenario.attack, scenario.sites
        deed = hostile.ATTACKS[attack.name if attack else "none"]
        honest -= attack.count if attack else 0
        if deed.flips_labels:
            split = partition.with_flipped_labels(split, name, range(honest, scenario.sites))
        paths, held_out = split.write(folder)
        records = [
            VirtualData(path, len(lines) * (deed.claimed if number >= honest else 1))
            for number, (path, lines) in enumerate(zip(paths, split.sites, strict=True))
        ]
        return cls(find_task(name), name, baseline.built_in_task(name), records, held_out)

    @classmethod
    def given(
        cls,
        scenario: Scenario,
        name: str,
        source: TaskSource,
        task: Task,
        own: OwnRecords,
        folder: Path,
    ) -> Tasks:
        """Take records of one's own; only links to them are made.

        Raises:
            DataError: The task cannot read them.
            SettingsError: An attack would have to change them.
        """
        from fednet.learning import hostile, training

        training.make_deterministic()
        attack, honest = scenario.attack, scenario.sites
        deed = hostile.ATTACKS[attack.name if attack else "none"]
        honest -= attack.count if attack else 0
        if deed.flips_labels:
            raise SettingsError(
                "this attack changes records, and these are your own",
                subject=attack.name if attack else "",
                hint="give the hostile sites files with changed labels, and no attack",
            )
        folder.mkdir(parents=True, exist_ok=True)
        records = []
        for number, path in enumerate(own.sites):
            link = folder / f"site-{number + 1}{'' if path.is_dir() else path.suffix}"
            link.symlink_to(path.absolute())
            claimed = deed.claimed if number >= honest else 1
            records.append(VirtualData(link, len(task.load(link)) * claimed))
        return cls(source, name, task, records, own.held_out)

    def trainer(self, member: Member) -> TrainerPort:
        """Make a site's trainer."""
        return SiteTrainer(lambda _: self._open(member.records.path, None), "")

    def judge(self, plan: Plan, path: Path) -> Mapping[str, float]:
        """Judge a state on the held-out records; of several clusters, the best one."""
        state = decode_tensors(path.read_bytes(), "state")[0]
        shape = StateShape.of_state(plan, Layout.of(state))
        found = [
            self._maker.evaluate(naming.model_of(shape, state, part.number)) for part in shape.parts
        ]
        return {name: max(each[name] for each in found) for name in found[0]}

    def complete(self, raw: Mapping[str, Any], folder: Path) -> PlanFile:
        """Make the initial state, and the plan that names it."""
        described = {"task": {"source": self._name, "digest": str(self._source.digest)}}
        blank = {"model": {"commitment": "0" * 64, "size_bytes": 1}}
        possible = Plan.validated({**raw, **described, **blank}, "plan")
        models = [self._initial(possible, number) for number in range(possible.clusters.count)]
        shape = StateShape.of_model(possible, Layout.of(models[0]))
        state = encode_tensors(naming.initial_state(shape, models), STATE_METADATA)
        model = {"commitment": str(Commitment.of(state)), "size_bytes": len(state)}
        plan = Plan.validated({**raw, **described, "model": model}, "plan")
        path = folder / f"{plan.name}.toml"
        file = PlanFile(plan, path, path.with_suffix(".safetensors"))
        file.model.write_bytes(state)
        path.write_text(plans.to_toml(plan), "utf-8")
        return file

    def _initial(self, plan: Plan, number: int) -> dict[str, FloatArray]:
        seed = plan.training.seed
        return self._maker.initial_model(derive_seed(seed, "cluster", number) if number else seed)

    def _open(self, dataset: Path | None, held_out: Path | None) -> InProcessTrainer:
        from fednet.learning.inprocess import InProcessTrainer

        return InProcessTrainer(self._source, self._task, dataset, held_out=held_out)


@contextmanager
def _imported(name: str) -> Iterator[tuple[TaskSource, Task]]:
    from fednet.learning.inprocess import imported

    source = find_task(name)
    with imported(source) as task:
        yield source, task


def _open(stage: Stage, file: PlanFile) -> RunOpened:
    from fednet.cli.opening import open_run

    run: RunId = open_run(stage.reader, stage.operator, stage.store, file)
    events = stage.reader.events((RunOpened,), stage.reader.deployment.block)
    return next(each for each in events if isinstance(each, RunOpened) and each.run == run)


def _open_store(app: App) -> BlobStore:
    from fednet.blobs import NO_LISTEN, EmbeddedStore, new_swarm_key

    home.write_swarm_key(app, new_swarm_key())
    stored = app.settings().store
    return EmbeddedStore(
        app.path(stored.repo),
        app.home / "cache",
        swarm_key=home.swarm_key(app),
        listen=NO_LISTEN,
    )


def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Make a folder that is gone in the end; in memory where the machine has such a place."""
    parent = _MEMORY if _MEMORY.is_dir() else None
    return tempfile.TemporaryDirectory(
        prefix="fednet-rehearsal-", dir=parent, ignore_cleanup_errors=True
    )


def _require_empty(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise SettingsError(
            "the folder is not empty", subject=str(folder), hint="name one that is not there yet"
        )

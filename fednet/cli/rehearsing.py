"""Put a rehearsal together: a chain, a store, sites and trainers, all in one home."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

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
from fednet.errors import FednetError, SettingsError
from fednet.learning import Limits, Trainer, derive_seed, find_task, hostile, naming, partition
from fednet.learning.source import TaskSource
from fednet.learning.tasks import BUILT_IN
from fednet.learning.visit import Visit
from fednet.learning.walls.report import WALL_NAMES
from fednet.node.ports import TrainerPort
from fednet.simulation import Crowd, Member, Rehearsal, Scenario, VirtualData, rehearse
from fednet.simulation.engine import Watch

Corrupt = Callable[[Member, TrainerPort], tuple[TrainerPort, Airlock]]
"""Gives a site its trainer and airlock: the honest ones, or those of a liar."""

_FUNDS_WEI = 10**24
_SWITCH_SECONDS = 0.0005
"""Longest turn of a thread: whoever has work for the task may not wait ten times that long."""
_VISITS = max(1, min(4, (os.cpu_count() or 1) - 1))
"""Processes in which the task works; each is waited for while the next training is prepared."""
_LIMITS = Limits(memory_bytes=1 << 40, cpu_seconds=1 << 30)
"""The task is one's own, and so is the machine."""
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
    leap: Callable[[int], None]
    """Lets the chain's time pass."""


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
    with ExitStack() as stack:
        app = App(keep or Path(stack.enter_context(_scratch())))
        _require_empty(app.home)
        folder = app.home / "data"
        if own is None:
            tasks = stack.enter_context(Tasks.deal(scenario, task, folder))
        else:
            tasks = stack.enter_context(Tasks.given(scenario, task, own, folder))
        say("starting a chain and a store")
        stack.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(_SWITCH_SECONDS)
        pool = stack.enter_context(ThreadPoolExecutor(_VISITS + 1, thread_name_prefix="task"))
        opening = pool.submit(_open_store, app, keep is None)
        stack.callback(lambda: opening.result().close())
        chain = wiring.local_chain(app, "anvil", 0, is_brief=True)
        stack.callback(chain.stop)
        app.update({"chain": {"url": chain.start(), "engine": "anvil"}})
        # Imported here, while all of these come up.
        from fednet.ledger.convoy import Convoy
        from fednet.ledger.deployment import write_deployment
        from fednet.ledger.ephemeral import found_network, new_writer

        say("deploying the contracts")
        url = app.settings().chain.url
        reader, operator = found_network(url, lambda to: chain.fund(to, _FUNDS_WEI))
        stack.callback(reader.close)
        write_deployment(app.path(app.settings().chain.deployment), reader.deployment)
        crowd = Crowd(reader, operator, lambda: new_writer(reader), Convoy(reader))
        say(f"{scenario.sites} sites join")
        crowd.join(tasks.records)
        yield Stage(
            app, scenario, reader, operator, opening.result(), crowd, tasks, pool, chain.pass_time
        )


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
        vanishing=stage.scenario.vanishing,
        leap=stage.leap,
    )


class Tasks:
    """One task at work for all sites, and its records dealt to them.

    It works in processes of its own, as it would at a site, only that the sites
    share them; behind walls where this machine has walls.
    """

    def __init__(
        self, source: TaskSource, name: str, paths: Sequence[Path], held_out: Path
    ) -> None:
        self._name = name
        datasets = {str(path): path for path in (*paths, held_out)}
        self._visits = [
            Visit(source, datasets, _LIMITS, WALL_NAMES) for _ in range(min(_VISITS, len(paths)))
        ]
        self._turns = dict(zip(paths, itertools.cycle(self._visits), strict=False))
        self._maker = Trainer.joining(self._visits[0], held_out=str(held_out))
        self.records: tuple[VirtualData, ...] = ()

    @classmethod
    @contextmanager
    def deal(cls, scenario: Scenario, name: str, folder: Path) -> Iterator[Tasks]:
        """Deal the records that ship with a task."""
        kind = scenario.partition
        if kind.kind == "iid":
            split = partition.even(name, scenario.sites, scenario.seed)
        else:
            split = partition.dirichlet(name, scenario.sites, kind.alpha, scenario.seed)
        deed, honest = _deed(scenario)
        if deed.flips_labels:
            split = partition.with_flipped_labels(split, name, range(honest, scenario.sites))
        paths, held_out = split.write(folder)
        with cls(find_task(name), name, paths, held_out)._begun() as tasks:
            tasks.records = _claimed(scenario, paths, [len(lines) for lines in split.sites])
            yield tasks

    @classmethod
    @contextmanager
    def given(cls, scenario: Scenario, name: str, own: OwnRecords, folder: Path) -> Iterator[Tasks]:
        """Take records of one's own; only links to them are made.

        Raises:
            DataError: The task cannot read them.
            SettingsError: An attack would have to change them.
        """
        if _deed(scenario)[0].flips_labels:
            raise SettingsError(
                "this attack changes records, and these are your own",
                subject=scenario.attack.name if scenario.attack else "",
                hint="give the hostile sites files with changed labels, and no attack",
            )
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number, path in enumerate(own.sites, start=1):
            paths.append(folder / f"site-{number}{'' if path.is_dir() else path.suffix}")
            paths[-1].symlink_to(path.absolute())
        with cls(find_task(name), name, paths, own.held_out)._begun() as tasks:
            examples = [tasks._trainer(path).inspect().examples for path in paths]
            tasks.records = _claimed(scenario, paths, examples)
            yield tasks

    def trainer(self, member: Member) -> TrainerPort:
        """Make a site's trainer."""
        return SiteTrainer(lambda _: self._trainer(member.records.path), "")

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
        described = {"task": {"source": self._name, "digest": str(self._maker.digest)}}
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

    @contextmanager
    def _begun(self) -> Iterator[Tasks]:
        """Let every process start while others do something else."""
        with ExitStack() as stack:
            for visit in self._visits:
                stack.callback(visit.close)
                starting = Thread(target=_try_to_start, args=(visit,), daemon=True)
                starting.start()
                stack.callback(starting.join)
            yield self

    def _trainer(self, path: Path) -> Trainer:
        return Trainer.joining(self._turns[path], str(path))


def _deed(scenario: Scenario) -> tuple[hostile.Attack, int]:
    """Return what hostile sites do, and how many sites are honest."""
    attack = scenario.attack
    deed = hostile.ATTACKS[attack.name if attack else "none"]
    return deed, scenario.sites - (attack.count if attack else 0)


def _claimed(
    scenario: Scenario, paths: Sequence[Path], examples: Sequence[int]
) -> tuple[VirtualData, ...]:
    """Say of each site's records how many there are; hostile sites may say more."""
    deed, honest = _deed(scenario)
    return tuple(
        VirtualData(path, count * (deed.claimed if number >= honest else 1))
        for number, (path, count) in enumerate(zip(paths, examples, strict=True))
    )


def _try_to_start(visit: Visit) -> None:
    """Start a visit early; what is in the way is found again, and told, by the first request."""
    with suppress(FednetError):
        visit.start()


def _open(stage: Stage, file: PlanFile) -> RunOpened:
    from fednet.cli.opening import open_run

    run: RunId = open_run(stage.reader, stage.operator, stage.store, file)
    events = stage.reader.events((RunOpened,), stage.reader.deployment.block)
    return next(each for each in events if isinstance(each, RunOpened) and each.run == run)


def _open_store(app: App, is_brief: bool) -> BlobStore:
    from fednet.blobs import NO_LISTEN, EmbeddedStore, new_swarm_key

    home.write_swarm_key(app, new_swarm_key())
    stored = app.settings().store
    return EmbeddedStore(
        app.path(stored.repo),
        app.home / "cache",
        swarm_key=home.swarm_key(app),
        listen=NO_LISTEN,
        is_brief=is_brief,
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

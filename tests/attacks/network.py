"""A whole consortium on one machine, in which some members lie.

A real Anvil with contracts that `fednet.ledger.deploy` put there, four real
embedded Kubo nodes in a private swarm, honest members as real nodes in threads
(with a trainer that computes at once: training is not under attack), and liars
that act by hand or whose adapters lie. Every test has sites and runs of its own
on the shared chain. Deadlines pass by moving the chain's clock, never by sleeping.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import TypeVar

from eth_account import Account
from eth_utils.crypto import keccak

from fednet.airlock import Airlock
from fednet.audit import AuditReport, audit_run
from fednet.blobs import EmbeddedStore, KuboStore, new_swarm_key
from fednet.domain import events as ev
from fednet.domain.checkpoint import SignedCheckpoint
from fednet.domain.history import RunHistory
from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Application, Parameters, Phase, Role, RunState
from fednet.domain.plan import Plan
from fednet.domain.tensors import encode_tensors
from fednet.domain.update import STATE_METADATA, Place
from fednet.ledger.deploy import deploy
from fednet.ledger.reader import Web3Reader
from fednet.ledger.writer import Web3Writer
from fednet.node import Journal, Node, Progress, SaltedData, SiteTools, create_salt
from tests.attacks import doubles
from tests.attacks.doubles import INITIAL, PATIENCE_SECONDS, Post, Store, Trainer, make_plan, until
from tests.contracts.chain import Anvil

T = TypeVar("T")
Submissions = dict[SiteId, ev.UpdateSubmitted]

STORES = 4
EXAMPLES = 40
"""Each site has this many, and ten for each site before it."""
DAY_SECONDS = 86_400
ALLOWANCE_WEI = 10**18
OWNER = Account.from_key("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""Anvil's first account; the words it is derived from are public."""
STANDING = frozenset({"unanchored", "single-operator"})


class Member:
    """An institution: its key, its data, its store, and what its node reports."""

    def __init__(self, network: Network, number: int, examples: int) -> None:
        self.network = network
        self.account = Account.from_key(keccak(text=f"site {number}"))
        self.writer = Web3Writer(network.reader, self.account)
        self.folder = network.folder / f"site {number}"
        self.folder.mkdir()
        self.kubo = network.kubos[number % STORES]
        self.store = network.new_store(self.kubo, self.folder / "cache")
        self.trainer = Trainer(examples)
        self.reports: list[Progress] = []
        self.data = SaltedData(self.folder / "data", self.folder / "salt")
        self.data.path.write_bytes(f"records of site {number}".encode())
        create_salt(self.data.salt_path)
        self.site = self._join(number)
        self.dataset = DatasetId(
            self.writer.register_dataset(
                self.site, Commitment.of(b"description"), self.data.commitment(), examples
            ).created
        )

    def _join(self, number: int) -> SiteId:
        application = Application(
            account=self.writer.address,
            name=f"Hospital {number}",
            metadata=Commitment.of(b"metadata"),
            encryption_key=keccak(text=f"encryption {number}"),
            store_address="",
            deadline=self.network.now + DAY_SECONDS,
        )
        signature = self.writer.sign_application(application)
        operator = self.network.operator
        site = SiteId(operator.apply_for(application, signature).created)
        operator.admit(site, Role.SITE | Role.AGGREGATOR, ALLOWANCE_WEI)
        return site

    def grant(self) -> GrantId:
        """Have the researcher ask for access to this member's data, and grant it."""
        purpose = Commitment.of(b"purpose")
        asked = self.network.researcher.request_access(self.dataset, purpose, Locator(purpose))
        grant = GrantId(asked.created)
        expiry = self.network.now + DAY_SECONDS
        self.writer.grant_access(grant, purpose, Locator(purpose), expiry)
        return grant

    def errors(self) -> list[str]:
        """List what its node complained about."""
        return [entry.detail for entry in list(self.reports) if entry.act == "error"]

    def said(self, text: str) -> bool:
        """Tell whether its node ever said so, as a reason or an error."""
        return any(text in entry.detail for entry in list(self.reports))


class Network:
    """The consortium of a test session.

    Args:
        folder: Existing folder for all that its members keep.
        kubos: Running nodes of another consortium's swarm to share; by default own ones.
    """

    def __init__(self, folder: Path, kubos: Sequence[EmbeddedStore] = ()) -> None:
        self.folder = folder
        self.anvil = Anvil(accounts=1)
        self.kubos = list(kubos)
        self._own_kubos: list[EmbeddedStore] = []
        self._stores: list[Store] = []
        self._numbers = itertools.count()
        owner = OWNER
        deployment = deploy(self.anvil.url, owner)
        self.reader = Web3Reader(deployment, self.anvil.url)
        self.operator = Web3Writer(self.reader, owner)
        self.researcher = self.new_writer("researcher", Role.RESEARCHER)
        if not self.kubos:
            self._start_kubos()

    def _start_kubos(self) -> None:
        key, folder = new_swarm_key(), self.folder
        for number in range(STORES):
            repo, own = folder / f"repo {number}", folder / f"own {number}"
            kubo = EmbeddedStore(repo, own, swarm_key=key, is_brief=True)
            kubo.connect([other.address() for other in self.kubos])
            self.kubos.append(kubo)
            self._own_kubos.append(kubo)

    def close(self) -> None:
        """Stop every process; threads that still wait for a blob end by themselves."""
        for thread in threading.enumerate():
            if thread.name == "fetch":
                thread.join(PATIENCE_SECONDS)
        for store in (*self._stores, *self._own_kubos):
            store.close()
        self.reader.close()
        self.anvil.stop()

    @property
    def now(self) -> int:
        """Time of the last block."""
        return self.reader.head().timestamp

    def travel(self, until: int) -> None:
        """Move the chain's clock to a time, unless it is later already."""
        self.anvil.sleep(max(0, until - self.anvil.now))

    @contextmanager
    def rewinding(self) -> Iterator[None]:
        """Take the chain back at the end, let go of later members, and forget what was read."""
        snapshot, earlier = self.anvil.rpc("evm_snapshot"), len(self._stores)
        yield
        assert self.anvil.rpc("evm_revert", snapshot) is True
        for store in self._stores[earlier:]:
            store.close()  # and once more at the end: a thread may still wait for a blob
        self.reader.close()
        self.reader = Web3Reader(self.reader.deployment, self.anvil.url)
        self.operator = Web3Writer(self.reader, OWNER)
        self.researcher = Web3Writer(self.reader, Account.from_key(keccak(text="researcher")))

    def new_writer(self, name: str, roles: Role = Role.NONE) -> Web3Writer:
        """Give an account of its own gas, and roles under the consortium."""
        writer = Web3Writer(self.reader, Account.from_key(keccak(text=name)))
        self.operator.send_wei(writer.address, ALLOWANCE_WEI)
        if roles:
            self.operator.set_account_roles(SiteId(0), writer.address, roles)
        return writer

    def new_store(self, kubo: EmbeddedStore, cache_dir: Path) -> Store:
        """Give a member access to a Kubo node."""
        self._stores.append(Store(kubo, cache_dir))
        return self._stores[-1]

    def members(self, count: int = 4) -> list[Member]:
        """Admit institutions; each has ten examples more than the one before."""
        return [Member(self, next(self._numbers), EXAMPLES + 10 * order) for order in range(count)]

    @contextmanager
    def open(
        self,
        members: Sequence[Member],
        *,
        served: Callable[[Plan], Plan] | None = None,
        told: Callable[[Parameters], Parameters] | None = None,
        module: Address | None = None,
        model: bytes | None = None,
        **changes: object,
    ) -> Iterator[Run]:
        """Open a run to which the members consent, in this order; stops their nodes at the end.

        Args:
            members: Who consents; the last one proposes first.
            served: Makes of the plan what the researcher serves in its place.
            told: Changes the parameters that the researcher tells the contract.
            module: Rounds module that leads the run, if not the deployment's.
            model: Initial state, if not the doubles'.
            changes: Fields of the plan, as ``section_field``.
        """
        model = model or encode_tensors(INITIAL, STATE_METADATA)
        plan = make_plan(len(members), model, changes)
        store, folder = self.kubos[0], self.folder
        paths = [folder / "plan", folder / "model"]
        paths[0].write_bytes((served(plan) if served else plan).to_bytes())
        paths[1].write_bytes(model)
        located = [store.publish(path) for path in paths]
        opened = self.researcher.open_run(
            module or self.reader.deployment.modules.at(plan.module.name),
            (plan.commitment, located[0]),
            (Commitment.of(model), located[1]),
            plan.credits.transferable,
            told(plan.parameters()) if told else plan.parameters(),
            plan.module.drawn_sites,
        )
        run = Run(self, RunId(opened.created), plan, members)
        try:
            for member in members:
                member.writer.consent(run.run, member.site, member.grant())
            yield run
        finally:
            run.stop()

    def audit(
        self,
        run: Run,
        fetch_seconds: float = 1.0,
        checkpoints: Sequence[SignedCheckpoint] | None = None,
    ) -> AuditReport:
        """Audit a run as an outsider would: with an empty cache and no key.

        Left out is what every audit of this chain says: one Anvil makes its blocks, and
        nobody shows a checkpoint. With checkpoints, even those, nothing is left out.
        """
        cache = self.folder / f"audit {next(self._numbers)}"
        with closing(KuboStore(self.kubos[0].node.endpoint, cache)) as store:
            report = audit_run(
                self.reader,
                store,
                run.run,
                work_dir=self.folder,
                fetch_seconds=fetch_seconds,
                checkpoints=checkpoints or (),
            )
        left_out = STANDING if checkpoints is None else frozenset()
        about_run = (each for each in report.findings if each.code not in left_out)
        return replace(report, findings=tuple(about_run))


class Run:
    """One run, the nodes that follow it, and what the chain says of it."""

    def __init__(self, network: Network, run: RunId, plan: Plan, members: Sequence[Member]) -> None:
        self.network = network
        self.run = run
        self.plan = plan
        self.members = members
        self._nodes: list[tuple[Node, Thread, Journal]] = []
        self.posts = [Post()]
        """Where messages pass: one that no node has, then one for each node."""

    def start(self, *members: Member) -> None:
        """Start real nodes for these members; without any, for all."""
        for member in members or self.members:
            journal = Journal(
                member.folder / "journal", self.network.reader.deployment, member.site
            )
            self.posts.append(Post(self.posts[0]))
            tools = SiteTools(
                site=member.site,
                reader=self.network.reader,
                writer=member.writer,
                blobs=member.store,
                trainer=member.trainer,
                data=member.data,
                airlock=Airlock(),
                journal=journal,
                folder=member.folder / "runs",
                settings=doubles.SETTINGS,
                report=member.reports.append,
                bus=self.posts[-1],
            )
            node = Node(tools)
            thread = Thread(target=node.run, name="node")
            thread.start()
            self._nodes.append((node, thread, journal))

    def cut_messages(self) -> None:
        """Let no node hear another any more: each acts by itself from now on."""
        for post in self.posts:
            post.is_cut = True

    def stop(self) -> None:
        """Stop the nodes and wait for their threads."""
        for member in self.members:
            for reachable in member.store.unreachable.values():
                reachable.set()
        for node, thread, _ in self._nodes:
            node.stop()
            thread.join()
        for thread in threading.enumerate():
            if thread.name == f"run-{self.run}":
                thread.join()
        for _, _, journal in self._nodes:
            journal.close()
        self._nodes.clear()

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        return self.network.reader.state(self.run)

    @property
    def history(self) -> RunHistory:
        """What the log says."""
        return RunHistory.of(self.run, self.network.reader.run_events(self.run))

    def place(self, round_number: int = 1, attempt: int = 1) -> Place:
        """Name an attempt as manifests do."""
        reader, number = self.network.reader, RoundNumber(round_number)
        module = reader.run(self.run).module
        return Place(reader.deployment.chain_id, module, self.run, number, attempt)

    def wait(self, condition: Callable[[RunHistory], T | bool | None]) -> T:
        """Wait until the log shows something, and return it."""
        return until(lambda: condition(self.history), lambda: str(self.state) + self._complaints())

    def reach(self, phase: Phase, round_number: int = 1, attempt: int = 1) -> RunState:
        """Wait until the run is in a phase of an attempt, or further, and its log has caught up."""
        wanted = (round_number, attempt, phase)

        def reached() -> RunState | None:
            state = self.state
            logged = len(self.submissions(state.round, state.attempt))
            is_there = (state.round, state.attempt, state.phase) >= wanted
            return state if is_there and logged >= state.submitted else None

        return until(reached, lambda: str(self.state) + self._complaints())

    def over(self) -> Phase:
        """Wait until the run has ended, and say how."""
        self.wait(lambda history: history.completed or history.aborted)
        return self.state.phase

    def pass_deadline(self) -> None:
        """Let the phase's deadline pass, and the turns of all who may move the run on."""
        self.network.travel(self.state.deadline + 1 + 2 * len(self.members))

    def pass_reveal(self) -> None:
        """Let the time for revealing and the turn's grace pass, but not the deadline."""
        timing = self.plan.timing
        reveal_end = self.state.deadline - timing.propose_seconds
        self.network.travel(reveal_end + timing.grace_seconds + 2 * len(self.members))

    def submissions(self, round_number: int = 1, attempt: int = 1) -> Submissions:
        """Read what was submitted to an attempt so far, in the order of the chain."""
        entry = self.history.rounds.get(RoundNumber(round_number))
        begun = entry.attempts.get(attempt) if entry else None
        return begun.submissions if begun else {}

    def wait_held(
        self, holders: Sequence[Member], authors: Sequence[Member], round_number: int = 1
    ) -> None:
        """Wait until members hold the updates of others, in the round's first attempt."""
        wanted = self.submissions(round_number)

        def all_there() -> bool:
            return all(
                wanted[author.site].commitment in holder.store.fetched
                for holder in holders
                for author in authors
                if author is not holder
            )

        until(all_there, lambda: "an honest update did not arrive" + self._complaints())

    def _complaints(self) -> str:
        return "".join(f"; site {each.site}: {each.errors()[-3:]}" for each in self.members)

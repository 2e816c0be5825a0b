"""The demo's story, act by act; see `__main__` for its options."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fednet.cli import queries, wiring
from fednet.cli.app import App
from fednet.domain.disclosure_events import ReleaseDecided, ReleaseRequested
from fednet.domain.disclosures import ReleaseStatus
from fednet.domain.identity import RunId, SiteId
from fednet.domain.masking_stages import MaskingHistory
from fednet.domain.plan import Plan
from fednet.domain.tensors import FloatArray, decode_tensors
from fednet.learning import derive_seed, partition
from fednet.privacy.masking import FixedPoint, Ring, agree_on
from scripts.consortium import comparison, tampering, watching
from scripts.consortium.members import Member, StoryError, helpers, together

HOSPITALS = ("North", "East", "South", "West")
ROUNDS = 4
SEED = 0
LOCAL_EPOCHS, BATCH_SIZE, LEARNING_RATE = 4, 16, "0.2"
CLIP, MOST_EXAMPLES = Decimal(2), 200
POLICY = """\
[plans]
mechanisms = ["secure-aggregation"]
[data]
minimum_examples = 30
minimum_per_class = 5
[update]
maximum_norm = 10.0
"""
"""What every hospital's airlock goes by; it is the hospital's own, and no plan overrides it."""
RUN = RunId(1)
_TICK_SECONDS = 0.1
_PATIENCE_SECONDS = 120.0


class Story:
    """Four hospitals and a consortium office, on this machine."""

    def __init__(self, folder: Path, console: Console) -> None:
        self._console = console
        self._folder = folder
        self._began = time.monotonic()
        self.office = Member.new("Office", folder)
        self.hospitals = [Member.new(name, folder) for name in HOSPITALS]
        self._nodes: list[subprocess.Popen[bytes]] = []
        split = partition.hospitals(len(HOSPITALS), SEED)
        self._split = split
        # Outside every home: the data is the hospital's own, the test set is the researcher's.
        self._data, self._held_out = split.write(folder / "data")

    def tell(self) -> None:
        """Play the whole story.

        Raises:
            StoryError: Something did not go as it should.
        """
        self.found()
        self.join()
        self.agree()
        rows = self.learn()
        with helpers(2) as pool:
            audited, verdict = pool.submit(self._audit), pool.submit(self._write_report)
            self.compare(rows)
            self.guard()
            self.audit(*audited.result())
            self.report(verdict.result())
        self.tamper()
        self.reward()
        self.part()
        report = os.path.relpath(self._folder / "report.html")
        self._say(f"\nthe signed report on the run: {report}, and beside it .pdf")
        office = os.path.relpath(self.office.home)
        self._say("the explorer, on this network with its altered update:")
        self._say(f"  .venv/bin/fednet --home {office} chain start")
        self._say(f"  .venv/bin/fednet --home {office} explorer --open")
        self._say(f"\nended after {time.monotonic() - self._began:.0f} s")

    def found(self) -> None:
        """Start a chain, deploy, open the hub, write the plan."""
        office = self.office
        deployed = ""

        def found() -> None:
            nonlocal deployed
            office.fednet("chain", "start", "--port", 0)
            deployed = office.fednet("deploy", "--account", "operator").partition(":")[0]
            office.fednet("store", "start", "--listen", "/ip4/127.0.0.1/tcp/0")

        together(
            [
                found,
                lambda: office.fednet(
                    *("plan", "new", "demo", "--task", comparison.TASK, "--rounds", ROUNDS),
                    *("--sites", len(HOSPITALS), "--epochs", LOCAL_EPOCHS),
                    *("--batch-size", BATCH_SIZE, "--learning-rate", LEARNING_RATE),
                    *("--seed", SEED, "--reveal-seconds", 30, "--directory", self._folder),
                    *("--maximum-sites", len(HOSPITALS), "--set", "module.name=masked"),
                    *("--set", f"masking.clip={CLIP}"),
                    *("--set", f"update.maximum_examples={MOST_EXAMPLES}"),
                ),
            ]
        )
        self._say(f"Ganache runs; contracts {deployed}")
        self._say("the office runs a hub; the hospitals only dial out, over a private swarm\n")

    def join(self) -> None:
        """Invite four hospitals, let them join, admit them."""
        folder, office = self._folder, self.office
        invitations = [folder / f"{hospital.home.name}.invitation" for hospital in self.hospitals]
        codes = office.fednet("site", "invite", *invitations).splitlines()
        for hospital, data, invitation, code in zip(
            self.hospitals, self._data, invitations, codes, strict=True
        ):
            code_file = hospital.home / "code"
            code_file.write_text(code, encoding="ascii")
            policy = hospital.home / "airlock.toml"
            policy.write_text(POLICY, encoding="ascii")
            # Once it has joined it waits for a run to consent to, and serves its store meanwhile.
            self._nodes.append(
                hospital.start(
                    *("node", "join", invitation, "--code-file", code_file),
                    *("--name", hospital.name, "--data", data, "--task", comparison.TASK),
                    *("--policy", policy, "--run"),
                    log="node.log",
                )
            )
        self._admit()
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("hospital", "records", "malignant", "site", "node's account"):
            table.add_column(column)
        reader = wiring.reader(App(office.home))
        for entry in sorted(queries.sites(reader), key=lambda each: HOSPITALS.index(each.name)):
            lines = self._split.sites[HOSPITALS.index(entry.name)]
            rate = comparison.malignant_share(self._split.header, lines)
            account = f"{entry.site.account[:10]}..."
            table.add_row(entry.name, str(len(lines)), f"{rate:.0%}", str(entry.site.site), account)
        self._console.print(table)

    def agree(self) -> None:
        """Ask for access, grant it, open the run, consent."""
        office = self.office
        purpose = "tell malignant from benign masses; demo study"
        reader = wiring.reader(App(office.home))
        datasets = [entry.dataset for entry in queries.datasets(reader)]
        office.fednet("access", "request", *datasets, "--purpose", purpose)
        grants = {entry.site: entry.access.grant for entry in queries.accesses(reader)}
        office.fednet("run", "open", self._folder / "demo.toml")

        def take_part(hospital: Member) -> None:
            terms = "for this study; no attempt to identify anybody"
            hospital.fednet(
                *("access", "grant", grants[self._site(hospital)], "--days", 30, "--terms", terms)
            )
            hospital.fednet("run", "consent", RUN, "--yes")

        together([partial(take_part, hospital) for hospital in self.hospitals])
        self._say("\naccess requested and granted on the ledger; run 1 is open, all four consent")
        self._say(
            "every update is masked; a hospital's airlock lets out no other, by its own policy\n"
        )

    def learn(self) -> list[watching.Row]:
        """Follow the rounds."""
        return watching.follow(
            self.office.home, RUN, self._held_out, self._console, self._require_nodes
        )

    def compare(self, rows: Sequence[watching.Row]) -> None:
        """Set the federated model beside pooling and beside each hospital alone."""
        plan = Plan.from_toml((self._folder / "demo.toml").read_text("utf-8"))
        pooled, alone = comparison.without_network(
            self._data, self._held_out, plan.training, ROUNDS, SEED
        )
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("learnt from")
        table.add_column("test accuracy", justify="right")
        table.add_row("four hospitals, federated", f"{rows[-1].accuracy:.3f}", style="bold")
        table.add_row("all data pooled, which privacy forbids", f"{pooled:.3f}")
        for name, score in zip(HOSPITALS, alone, strict=True):
            table.add_row(f"{name} alone", f"{score:.3f}")
        self._say("")
        self._console.print(table)
        same = comparison.commitment_of(self._replayed(plan)[-1]) == rows[-1].state
        if not same:
            raise StoryError("the network's model is not the one that the same steps lead to")
        self._say("\nthe same rounds replayed in one process, unmasked, end in the same bytes")

    def guard(self) -> None:
        """Show what the airlocks and the masks did, as the ledger has it."""
        reader = wiring.reader(App(self.office.home))
        asked = len(queries.events_of(reader, ReleaseRequested))
        decided = queries.events_of(reader, ReleaseDecided)
        approved = sum(each.decision is ReleaseStatus.APPROVED for each in decided)
        masked = MaskingHistory.fold(reader.masking_events(RUN)).attempts.values()
        sums = sum(attempt.frozen is not None for attempt in masked)
        self._say(f"the airlocks were asked {asked} times and let out {approved} updates, masked;")
        self._say(f"{sums} sums were unmasked, and no update")
        if (asked, approved, sums) != (ROUNDS * len(HOSPITALS),) * 2 + (ROUNDS,):
            raise StoryError("an update left without its airlock's leave, or without a mask")

    def audit(self, report: dict[str, list[dict[str, object]]], status: int) -> None:
        """Show what recomputing everything from chain and blobs came to."""
        self._say(f"\n$ fednet audit {RUN}")
        verdicts = [f"round {entry['round']} {entry['verdict']}" for entry in report["rounds"]]
        for start in range(0, len(verdicts), 5):
            self._say("  " + ", ".join(verdicts[start : start + 5]))
        if status or not report["verified"]:
            raise StoryError(f"the audit found: {report['findings']}")
        self._say(f"  {len(report['checks'])} checks, nothing found")

    def report(self, checked: dict[str, str]) -> None:
        """Show what the audit comes to in plain language, signed by the office."""
        self._say(f"\n$ fednet report {RUN} --html report.html --pdf report.pdf --sign")
        self._say(f"  {checked['verdict']}; signed by the office, {checked['signed by'][:10]}...")

    def tamper(self) -> None:
        """Alter a stored update; the audit must name it."""
        number = ROUNDS // 2
        history = queries.history_of(wiring.reader(App(self.office.home)), RUN)
        attempt, _ = watching.final_attempt(history, number)
        site = self._site(self.hospitals[1])
        submission = attempt.submissions[site]
        tampering.alter(self.office.home, submission.commitment)
        self._say(
            f"\none bit of {HOSPITALS[1]}'s update of round {number} is altered in the hub's store"
        )
        report, status = self._audit()
        named = [
            entry
            for entry in report["findings"]
            if entry["severity"] != "notice" and entry["expected"] == str(submission.commitment)
        ]
        if not status or not named:
            raise StoryError("the audit did not notice the altered update")
        found = named[0]
        self._say(f"$ fednet audit {RUN}   # ends with {status}")
        self._say(f"  check {found['check']}: {found['subject']}: {found['message']}")
        self._say(f"  committed  {found['expected']}")
        self._say(f"  served     {str(found['actual']).split()[-1]}")

    def reward(self) -> None:
        """Claim the credits; show the balances."""
        together([partial(hospital.fednet, "rewards", "claim", RUN) for hospital in self.hospitals])
        entries = json.loads(self.office.fednet("ledger", "credits", RUN, "--json"))
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in ("hospital", "credits claimed", "balance"):
            table.add_column(column, justify="left" if column == "hospital" else "right")
        accounts = {entry["site"]: entry for entry in entries["sites"]}
        for hospital in self.hospitals:
            account = accounts[self._site(hospital)]
            table.add_row(hospital.name, str(account["claimed"]), str(account["balance"]))
        self._say("")
        self._console.print(table)
        self._say(f"granted {entries['granted']}, claimed {entries['claimed']}")
        if entries["granted"] != entries["claimed"]:
            raise StoryError("credits do not add up")

    def part(self) -> None:
        """End nodes, hub and chain as their owners would."""
        for node in self._nodes:
            node.terminate()
        for node in self._nodes:
            node.wait(_PATIENCE_SECONDS)
        together(
            [
                partial(self.office.fednet, "store", "stop"),
                partial(self.office.fednet, "chain", "stop"),
            ]
        )

    def _admit(self) -> None:
        """Admit all when all have applied, and wait until their datasets are registered."""
        reader = wiring.reader(App(self.office.home))
        self._wait_for(reader.site_count)
        self.office.fednet("site", "admit", *range(1, len(self.hospitals) + 1))
        self._wait_for(lambda: len(queries.datasets(reader)))

    def _wait_for(self, count: Callable[[], int]) -> None:
        """Wait until something has come from each hospital."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while count() < len(self.hospitals):
            self._require_nodes()
            if time.monotonic() > deadline:
                raise StoryError("joining takes too long")
            time.sleep(_TICK_SECONDS)

    def _site(self, hospital: Member) -> SiteId:
        return SiteId(App(hospital.home).settings().site.id)

    def _require_nodes(self) -> None:
        for node, hospital in zip(self._nodes, self.hospitals, strict=True):
            if node.poll() is not None:
                said = (hospital.home / "node.log").read_text("utf-8", "replace")
                raise StoryError(f"{hospital.name}: its node ended\n{said[-2000:]}")

    def _replayed(self, plan: Plan) -> list[dict[str, FloatArray]]:
        reader = wiring.reader(App(self.office.home))
        chain_id, module = reader.deployment.chain_id, reader.run(RUN).module
        initial = decode_tensors((self._folder / "demo.safetensors").read_bytes(), "model")[0]
        sites = {
            self._site(hospital): path
            for hospital, path in zip(self.hospitals, self._data, strict=True)
        }
        history = queries.history_of(reader, RUN)

        def seed_of(number: int, site: SiteId) -> int:
            attempt = watching.final_attempt(history, number)[0].started.attempt
            seed = plan.training.seed
            return derive_seed(seed, chain_id, module, RUN, number, attempt, site)

        return comparison.replay(
            initial, sites, plan.training, ROUNDS, seed_of, agree_on(plan, len(sites)).fixed_point
        )

    def _audit(self) -> tuple[dict[str, list[dict[str, object]]], int]:
        text, status = self.office.try_fednet("audit", RUN, "--afresh", "--json")
        try:
            return json.loads(text), status
        except ValueError as exc:
            raise StoryError(f"the audit could not look:\n{text}") from exc

    def _write_report(self) -> dict[str, str]:
        files = [f"--{kind}={self._folder / 'report'}.{kind}" for kind in ("html", "pdf")]
        self.office.fednet("report", RUN, *files, "--sign")
        checked: dict[str, str] = json.loads(
            self.office.fednet("report", "verify", self._folder / "report.html", "--json")
        )
        return checked

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def fixed_point_of_the_demo() -> FixedPoint:
    """Say how updates stand in their sum, for the comparison over seeds."""
    return FixedPoint.fit(Ring.BITS_32, CLIP, MOST_EXAMPLES, len(HOSPITALS), clips=True)


def settings_of_the_demo() -> dict[str, Decimal | int]:
    """Say how every hospital trains, for the comparison over seeds."""
    return {
        "local_epochs": LOCAL_EPOCHS,
        "batch_size": BATCH_SIZE,
        "learning_rate": Decimal(LEARNING_RATE),
    }


@contextlib.contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """Lend an empty folder for the demo's homes, to one demo at a time.

    Raises:
        StoryError: Another demo is using it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise StoryError(f"another demo is at work in {folder}") from exc
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        yield folder

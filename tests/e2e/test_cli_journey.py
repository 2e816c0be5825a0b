"""The whole journey by the command line alone: from an empty directory to claimed credits."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

import pytest

from fednet.blobs import KuboStore
from fednet.blobs.embedded.supervisor import EmbeddedNode
from fednet.learning.partition import hospitals
from tests.e2e.cli_world import Person, consortium, join
from tests.e2e.secrets_of import search
from tests.secrecy import processes
from tests.wiretap import Wiretap

PLAN = (
    "--task", "breast-cancer", "--rounds", "2", "--sites", "2", "--collect-seconds", "60",
    "--reveal-seconds", "20", "--grace-seconds", "5", "--propose-seconds", "60",
    "--attest-seconds", "60", "--set", "evaluation.metric=accuracy",
)  # fmt: skip
NOISY = (
    "--task", "breast-cancer", "--rounds", "1", "--sites", "2", *PLAN[6:-2],
    *(word for setting in (
        "mechanism=dp-sgd", "clip_norm=1", "noise_multiplier=1", "epsilon=6", "delta=0.00001",
    ) for word in ("--set", f"privacy.{setting}")),
    "--set", "update.minimum_examples=32",
)  # fmt: skip

_Found = TypeVar("_Found", str, list[dict[str, int]])


@pytest.fixture(scope="module")
def taps() -> Iterator[dict[str, Wiretap]]:
    """Whatever stands between people and what they call, by what is called."""
    with ExitStack() as stack:
        found: dict[str, Wiretap] = {}
        yield found
        for tap in found.values():
            stack.enter_context(tap)


@pytest.fixture(scope="module")
def operator(
    tmp_path_factory: pytest.TempPathFactory, taps: dict[str, Wiretap]
) -> Iterator[Person]:
    def between(url: str) -> str:
        taps["chain"] = Wiretap.of_chain(url)
        return taps["chain"].url

    folder = tmp_path_factory.mktemp("with a space")
    with consortium(folder, inside=True, between=between) as found:
        yield found


@pytest.fixture
def north(operator: Person, taps: dict[str, Wiretap], tmp_path: Path) -> Iterator[Person]:
    """Keep blobs in a daemon beside the node, whose callers are overheard."""
    home = tmp_path / "north"
    key = bytes.fromhex((operator.home / "swarm.key").read_text().split("\n")[2])
    daemon = EmbeddedNode(home / "store", swarm_key=key)
    try:
        taps["store"] = Wiretap.of_store(daemon.endpoint())
        hub = operator.reads("store", "status")["address"]
        with closing(KuboStore(daemon.endpoint, home / "dialling")) as store:
            store.connect([hub])
        yield Person(home, {"FEDNET_STORE_RPC": taps["store"].url}, inside=True)
    finally:
        daemon.close()


def test_two_sites_go_the_whole_way(
    operator: Person, north: Person, taps: dict[str, Wiretap], tmp_path: Path
) -> None:
    data, _ = hospitals(2).write(tmp_path / "data")
    sites = [north, Person(tmp_path / "south", inside=True)]
    for person, path in zip(sites, data, strict=True):
        join(operator, person, person.home.name, path)
    assert [site["standing"] for site in operator.reads("site", "list")] == ["active"] * 2

    operator.types("plan", "new", "pilot", *PLAN)
    operator.types("plan", "check", "pilot.toml")
    for number, person in enumerate(sites, start=1):
        operator.types("access", "request", str(number), "--purpose", "benign or malignant")
        assert person.reads("access", "show", str(number))["purpose_text"] == "benign or malignant"
        person.types("access", "grant", str(number), "--days", "9", "--terms", "for this study")
    operator.types("run", "open", "pilot.toml")
    for person in sites:
        person.types("run", "consent", "1", "--yes")
    with ExitStack() as nodes:
        for person in sites:
            nodes.enter_context(person.keeps("node", "run"))
        told = operator.types("run", "watch", "1").stdout
        assert "round 2: final" in told
        # While the members serve their bytes, anybody can check.
        audit = operator.reads("audit", "1")
        assert audit["verified"]
        assert [entry["verdict"] for entry in audit["rounds"]] == ["verified"] * 2
        assert not audit["anchored"]
        running = processes()
        see_what_was_measured(operator, told)
        compare_checkpoints(operator, sites[0])
        verify_in_the_explorer(operator)
        spend_privacy(operator, sites, data)

    rounds = sites[0].reads("ledger", "rounds", "1")
    assert [entry["status"] for entry in rounds] == ["final"] * 2
    assert all(entry["submitted"] == [1, 2] for entry in rounds)
    assert len(operator.reads("ledger", "updates", "1")) == 4
    for number, person in enumerate(sites, start=1):
        person.types("rewards", "claim", "1")
        shown = {entry["site"]: entry for entry in person.reads("rewards", "show", "1")}
        assert shown[number]["claimed"] == shown[number]["earned"] > 0
        refused = person.types("rewards", "claim", "1", expect=1)
        assert "nothing to claim" in refused.stderr
    granted = operator.reads("ledger", "credits", "1")
    assert granted["granted"] == granted["claimed"] == 2000
    operator.types("run", "model", "1", "--output", "model.safetensors")
    assert json.loads(operator.types("run", "status", "1", "--json").stdout)["state"]["phase"] == (
        "completed"
    )
    assert sites[0].reads("node", "status")["standing"] == "active"
    assert sites[0].reads("doctor")["healthy"]
    heard = {f"traffic of the {name}": tap.heard() for name, tap in taps.items()}
    require_traffic(operator, *heard.values())
    said = {"processes": running, **heard}
    assert search([operator, *sites], data, said, taps["chain"].url) == []


def spend_privacy(operator: Person, sites: list[Person], data: Sequence[Path]) -> None:
    """Train with noise: nothing is spent before it may be, and then what the account foretold."""
    operator.types("plan", "new", "noisy", *NOISY)
    operator.types("run", "open", "noisy.toml")
    foretold = {}
    for number, (person, path) in enumerate(zip(sites, data, strict=True), start=1):
        examples = len(path.read_text().splitlines()) - 1
        told = operator.reads("privacy", "plan", "noisy.toml", "--examples", str(examples))
        foretold[number] = told["datasets"][0]["epsilon"]
        operator.types("access", "request", str(number), "--purpose", "with noise")
        grant = str(len(sites) + number)
        person.types("access", "grant", grant, "--days", "9", "--terms", "for this study")
        refused = person.types("run", "consent", "2", "--yes", expect=4).stderr
        assert "fednet privacy ceiling" in refused
        person.types(
            *("privacy", "ceiling", str(number), "--epsilon", "6", "--delta", "0.00001"),
            *("--reason", "study 17"),
        )
        person.types("run", "consent", "2", "--yes")
    assert "round 1: final" in operator.types("run", "watch", "2").stdout
    assert operator.reads("audit", "2")["verified"]
    spent = {each["dataset"]: each["spent"] for each in operator.reads("privacy", "show")}
    assert {number: each["epsilon"] for number, each in spent.items()} == foretold
    assert {each["delta"] for each in spent.values()} == {"0.00001"}


def require_traffic(operator: Person, chain: bytes, store: bytes) -> None:
    """See that the taps heard what is no secret: each update's commitment, and its very bytes."""
    for update in operator.reads("ledger", "updates", "1"):
        assert update["commitment"].encode() in chain
        blob = operator.home / "cache" / update["commitment"]
        assert blob.read_bytes()[-64:] in store


def verify_in_the_explorer(operator: Person) -> None:
    """Have the explorer recall what `fednet audit` verified, and compare what the home keeps."""
    with operator.keeps("explorer", "--port", "0"):
        log = operator.home / "explorer---port.log"
        url = until(lambda: next(iter(re.findall(r"http://\S+/", log.read_text())), ""))
        asked = urllib.request.Request(
            f"{url}runs/1/verify", b"", {"Origin": url.rstrip("/")}, method="POST"
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert answer.url.endswith("/runs/1/audit#verdict")
        told = until(lambda: _panel(url) if "Verify again" in _panel(url) else "")
    assert 'class="verdict good"' in told
    assert "Recalled: rounds 1 to 2, verified on this machine" in told
    assert "Verify everything afresh" in told
    assert "Compared with what 1 account once signed" in told
    assert "Unanchored" not in told


def _panel(url: str) -> str:
    with urllib.request.urlopen(f"{url}runs/1/panel", timeout=30) as answer:
        return str(answer.read().decode())


def until(probe: Callable[[], _Found], seconds: float = 60.0) -> _Found:
    """Ask again and again until there is an answer."""
    end = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
    return found


def see_what_was_measured(operator: Person, watched: str) -> None:
    """Read the sites' accuracy off the records, wherever a person looks for it."""
    initial, first = (row["measured"] for row in operator.reads("ledger", "rounds", "1"))
    assert (initial["round"], first["round"]) == (0, 1)
    assert set(first["sites"]) == {"1", "2"}
    said = first["evaluation"]
    assert float(said["pooled"]) > 0.8 > float(initial["evaluation"]["pooled"])
    assert said["best_round"] == 1
    words = f"{said['pooled']} after round 1; best {said['pooled']} after round 1"
    assert f"accuracy: {words}" in watched
    assert words in operator.types("run", "status", "1").stdout
    assert f"{said['pooled']} (best)" in operator.types("ledger", "rounds", "1").stdout
    operator.types("model", "get", "1", "--best", "-o", "best model")
    folder = operator.home / "best model"
    lineage = json.loads((folder / "lineage.json").read_text())
    assert lineage["model"] == said["best_state"]
    assert said["pooled"] in (folder / "README.md").read_text()


def compare_checkpoints(operator: Person, member: Person) -> None:
    """Hand a member's checkpoints to the operator, who audits with them and from memory."""

    def kept_now() -> list[dict[str, int]]:
        found: list[dict[str, int]] = member.reads("checkpoint", "list")
        return found if found and found[-1]["round"] == 2 else []

    kept = until(kept_now)
    # Rounds in quick succession share one checkpoint: the newest covers those before it.
    assert {entry["site"] for entry in kept} == {1}
    theirs = member.home.parent / "theirs.jsonl"
    theirs.write_text(member.types("checkpoint", "show", str(len(kept))).stdout)
    operator.types("checkpoint", "import", str(theirs))
    verdicts = operator.reads("checkpoint", "verify", str(theirs))
    assert [entry["verdict"] for entry in verdicts] == ["holds"]
    audit = operator.reads("audit", "--all")["reports"][0]
    assert audit["anchored"]
    assert [entry["site"] for entry in audit["anchors"]] == [1]
    assert [entry["round"] for entry in audit["recalled"]] == [1, 2]
    assert operator.reads("audit", "1", "--afresh")["recalled"] == []
    published = member.reads("checkpoint", "publish", "1", "--announce")
    assert published["commitment"].startswith("53e4")

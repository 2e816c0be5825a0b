"""Exports of real runs: one by honest members, one in which an aggregator lied."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prov.model import ProvDocument
from safetensors.numpy import load_file

from fednet.domain.identity import Commitment, SiteId
from fednet.domain.ledger import Phase
from fednet.ledger.deployment import write_deployment
from tests.attacks import lies
from tests.attacks.network import Network, Run
from tests.attacks.overruled import begin
from tests.e2e.cli_world import Person
from tests.unit.exports.crate_judge import issues


@dataclass(frozen=True)
class Scene:
    """A network with an honest and a dishonest run, and somebody who looks at it."""

    person: Person
    honest: Run
    lied: Run
    liar: SiteId


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("exports")
    network = Network(folder)
    try:
        with network.open(network.members(3), rounds=2) as honest:
            honest.start()
            assert honest.over() is Phase.COMPLETED
        with network.open(network.members()) as lied:
            liar = begin(lied)
            right = lies.recomputed(liar, lied)
            data = bytearray(right.state_path.read_bytes())
            data[-4] ^= 1
            lie, path = lies.with_state(liar, right.record, bytes(data))
            lies.propose(liar, lied, lie, path)
            assert lied.over() is Phase.COMPLETED
        deployment = folder / "deployment.json"
        write_deployment(deployment, network.reader.deployment)
        settings = {
            "FEDNET_CHAIN_URL": network.anvil.url,
            "FEDNET_CHAIN_DEPLOYMENT": str(deployment),
            "FEDNET_STORE_REPO": str(folder / "repo 0"),
        }
        person = Person(folder / "board", more=settings, inside=True)
        person.types("keys", "new", "board")
        yield Scene(person, honest, lied, liar.site)
    finally:
        network.close()


def test_model_is_taken_with_card_and_lineage(scene: Scene) -> None:
    person, run = scene.person, str(scene.honest.run)
    person.types("model", "get", run, "-o", "model")
    folder = person.home / "model"
    state = scene.honest.history.rounds[2].final_proposal.proposed.state
    assert Commitment.of((folder / "model.safetensors").read_bytes()) == state
    assert set(load_file(folder / "model.safetensors")) == {"bias", "weight"}
    card = (folder / "README.md").read_text()
    assert f"sha256sum`.\n\n- model.safetensors: `{state}`" in card
    code = card.split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert "weight (3, 2) float32" in done.stdout
    lineage = json.loads((folder / "lineage.json").read_text())
    assert lineage["audit"]["verified"] is True
    assert len(lineage["rounds"]) == 2
    assert all(update["dataset"] for entry in lineage["rounds"] for update in entry["updates"])
    refused = person.types("model", "get", run, "-o", "model", expect=2)
    assert "something already" in refused.stderr
    told = person.reads("model", "get", run, "-o", "model", "--round", "1", "--force", "--no-audit")
    assert told["round"] == 1
    assert "NOT AUDITED" in (folder / "README.md").read_text()


def test_model_that_is_not_final_is_refused(scene: Scene) -> None:
    words = ("model", "get", str(scene.honest.run), "--round", "9", "-o", "none")
    assert "not final" in scene.person.types(*words, expect=7).stderr
    assert not (scene.person.home / "none").exists()


def test_model_of_a_run_that_does_not_hold_is_refused(scene: Scene) -> None:
    words = ("model", "get", str(scene.lied.run), "-o", "doubtful")
    refused = scene.person.types(*words, expect=3)
    assert f"accused: site {scene.liar}" in refused.stderr
    scene.person.types(*words, "--no-audit")


def test_signed_report_is_verified_and_every_change_is_found(scene: Scene) -> None:
    person = scene.person
    files = ("--html", "report.html", "--pdf", "report.pdf")
    told = person.reads("report", str(scene.honest.run), *files, "--sign")
    assert told["verdict"] == "holds"
    for name in ("report.html", "report.pdf", "report.sig.json"):
        checked = person.reads("report", "verify", name)
        assert (checked["digest"], checked["signed by"]) == (told["digest"], told["signed by"])
    account = person.reads("keys", "list")[0]["address"]
    assert told["signed by"] == account
    page = person.home / "report.html"
    whole = page.read_text()
    assert account in whole
    for site in scene.honest.history.consents:
        assert f"<bdi>{site}</bdi>" in whole
    page.write_text(whole.replace("Everything that can be checked holds", "All is splendid"))
    assert "not the file" in person.types("report", "verify", "report.html", expect=3).stderr
    detached = person.home / "report.sig.json"
    signed = detached.read_text()
    detached.write_text(signed.replace(account, "0x" + "11" * 20))
    assert "signature" in person.types("report", "verify", "report.pdf", expect=3).stderr
    detached.write_text(signed.replace("Everything that can", "Nothing that can"))
    assert "changed" in person.types("report", "verify", "report.pdf", expect=3).stderr


def test_report_on_a_lie_is_loud_and_only_the_audit_ends_with_1(scene: Scene) -> None:
    person, run = scene.person, str(scene.lied.run)
    done = person.types("report", run, "--html", "lied.html", "--pdf", "lied.pdf")
    assert "DOES NOT HOLD" in done.stderr
    text = (person.home / "lied.html").read_text()
    assert f"DOES NOT HOLD. Accused by the evidence: site {scene.liar}, Hospital" in text
    assert "aggregate-differs" in text
    assert not (person.home / "lied.sig.json").exists()
    person.types("audit", run, expect=1)


def test_provenance_is_read_by_the_library(scene: Scene) -> None:
    scene.person.types("ledger", "prov", str(scene.honest.run), "run.prov.json")
    data = (scene.person.home / "run.prov.json").read_bytes()
    document = ProvDocument.deserialize(io.BytesIO(data), format="json")
    assert ProvDocument.deserialize(
        io.BytesIO(document.serialize(format="json").encode()), format="json"
    ) == document  # fmt: skip
    derived = [
        each["prov:usedEntity"]
        for each in json.loads(data)["wasDerivedFrom"].values()
        if each["prov:generatedEntity"] == "run:state-2"
    ]
    sites = sorted(scene.honest.history.consents)
    assert sorted(derived) == ["run:state-1", *(f"run:update-2-{site}" for site in sites)]


@pytest.mark.parametrize("name", ["crate", "crate.zip"])
def test_crate_passes_the_validator(scene: Scene, name: str, tmp_path: Path) -> None:
    scene.person.types("ledger", "crate", str(scene.honest.run), name)
    assert issues(scene.person.home / name, "provenance-run-crate", tmp_path / "cache") == []


def test_commands_work_outside_of_this_process(scene: Scene) -> None:
    outside = Person(scene.person.home, more=scene.person.more)
    outside.types("ledger", "prov", str(scene.lied.run), "lied.prov.json", "--no-audit")
    assert b"run:audit-report" not in (outside.home / "lied.prov.json").read_bytes()

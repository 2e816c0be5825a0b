"""SCAFFOLD, a server's momentum, local layers and Ditto over a real chain; a node dies."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from fednet.learning.partition import hospitals
from tests.e2e.cli_world import Person, consortium, join

PATIENCE_SECONDS = 120
PLAN = (
    "--task", "breast-cancer", "--rounds", "3", "--sites", "2", "--algorithm", "scaffold",
    "--set", "server.optimizer=fedavgm", "--set", "server.learning_rate=0.5",
    "--set", 'update.personal=["bias"]', "--set", "personal.method=ditto",
    "--set", "personal.pull=0.1", "--collect-seconds", "90", "--reveal-seconds", "20",
    "--grace-seconds", "5", "--propose-seconds", "60", "--attest-seconds", "60",
)  # fmt: skip


def test_what_a_site_keeps_outlives_its_node_and_the_audit_verifies_the_run(tmp_path: Path) -> None:
    data, held_out = hospitals(2).write(tmp_path / "data")
    with consortium(tmp_path, inside=True) as operator:
        sites = [Person(tmp_path / name, inside=True) for name in ("north", "south")]
        for person, path in zip(sites, data, strict=True):
            join(operator, person, person.home.name, path)
        operator.types("plan", "new", "unequal", *PLAN)
        assert "beside" in operator.types("plan", "check", "unequal.toml").stdout
        for number, person in enumerate(sites, start=1):
            operator.types("access", "request", str(number), "--purpose", "benign or malignant")
            person.types("access", "grant", str(number), "--days", "9", "--terms", "this study")
        operator.types("run", "open", "unequal.toml")
        for person in sites:
            person.types("run", "consent", "1", "--yes")
        with ExitStack() as nodes:
            nodes.enter_context(sites[1].keeps("node", "run"))
            with sites[0].keeps("node", "run") as first:
                # Between what training left and the chain's hearing of its update.
                wait_for(sites[0].home / "runs" / "run-1" / "kept" / "2-1.safetensors")
                first.kill()
                first.wait()
            nodes.enter_context(sites[0].keeps("node", "run"))
            operator.types("run", "watch", "1")
            audit = operator.reads("audit", "1")
            assert audit["verified"], audit
            assert [entry["verdict"] for entry in audit["rounds"]] == ["verified"] * 3
            look_at_models(operator, sites[0], data[0], held_out)
        assert "personal_accuracy" in (sites[1].home / "node-run.log").read_text()


def look_at_models(operator: Person, site: Person, data: Path, held_out: Path) -> None:
    """Take the global model, the site's own, and one adapted to the site."""
    operator.types("model", "get", "1", "-o", "got")
    shared = load_file(operator.home / "got" / "model.safetensors")
    assert shared.keys() == {"weight"}
    told = site.types("model", "own", "1", "-o", "own.safetensors").stdout
    assert "kept after round 3" in told
    assert "personal_accuracy" in told
    own = load_file(site.home / "own.safetensors")
    assert own.keys() == {"weight", "bias"}
    assert not np.array_equal(own["weight"], shared["weight"])
    made = site.reads(
        "model", "adapt", "1", "--data", str(data), "--held-out", str(held_out), "-o", "adapted"
    )
    assert made["judged_on"] == "held_out"
    assert made["after"]["accuracy"] > 0.85
    assert made["parent"] in (site.home / "adapted" / "README.md").read_text()
    refused = operator.types("model", "own", "1", "-o", "none.safetensors", expect=2)
    assert "keeps no model" in refused.stderr


def wait_for(path: Path) -> None:
    """Wait until there is a file."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path.name}"
        time.sleep(0.01)

"""What a script does with fednet, on a real chain and a real store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

import fednet
from fednet.cli import main
from fednet.errors import PhaseError, PlanError, SettingsError, TrainingError
from fednet.learning.partition import hospitals
from tests.e2e.cli_world import consortium

TASK = '''
import torch
from fednet import SupervisedTask

class Masses(SupervisedTask):
    """Tell masses apart by two measures."""

    features = ("mean_radius", "worst_concavity")
    label = "malignant"
    classes = 2
    measures = ("accuracy", "auroc")

    def prepare(self, data):
        return fednet_dataset(data)

    def model(self):
        return torch.nn.Linear(2, 2)

from scaling import fednet_dataset
'''
SCALING = """
import torch
from fednet import Dataset

def fednet_dataset(data):
    return Dataset((data.features - torch.tensor([14.0, 0.3])) / torch.tensor([4.0, 0.2]),
                   data.labels)
"""


class Played(NamedTuple):
    folder: Path
    kept: Path
    plan: fednet.Plan
    found: fednet.Simulation
    watched: list[tuple[str, int]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("study")
    (folder / "masses.py").write_text(TASK)
    (folder / "scaling.py").write_text(SCALING)
    paths, held_out = hospitals(3).write(folder / "data")
    # One site keeps its records as Parquet: nobody but its own task needs to know.
    frame = pd.read_csv(paths[0])
    frame.to_parquet(paths[0].with_suffix(".parquet"))
    # Another as the folder that a library saved.
    datasets.disable_progress_bars()
    saved = folder / "data" / "saved"
    datasets.Dataset.from_pandas(pd.read_csv(paths[2])).save_to_disk(saved, num_shards=3)
    data = [paths[0].with_suffix(".parquet"), paths[1], saved]
    plan = fednet.Plan.new(
        "masses", f"{folder / 'masses.py'}:Masses", rounds=2, sites=3, folder=folder,
        training={"learning_rate": "0.5", "local_epochs": 3, "seed": 4},
    )  # fmt: skip
    watched: list[tuple[str, int]] = []
    kept = folder / "kept"
    found = fednet.simulate(
        plan=plan, data=data, held_out=held_out, compare=["fedavg", "median"], keep=kept,
        watch=lambda name, number, metrics: watched.append((name, number)),
        timing={"collect_seconds": 60},
    )  # fmt: skip
    return Played(folder, kept, plan, found, watched)


@pytest.fixture(scope="module")
def home(played: Played) -> Iterator[fednet.Home]:
    with fednet.Home(played.kept) as opened:
        opened.start_chain()
        yield opened


def test_a_plan_is_made_checked_and_read_back(played: Played, tmp_path: Path) -> None:
    plan = played.plan
    assert plan.check()[0] == f"plan {plan.commitment}: possible"
    again = fednet.Plan.read(plan.path)
    assert again.commitment == plan.commitment
    assert (plan.terms.cohort.minimum_sites, plan.terms.rounds) == (3, 2)
    assert "learning_rate = 0.5" in plan.to_toml().replace('"', "")
    with pytest.raises(SettingsError, match="there already"):
        fednet.Plan.new("masses", plan.terms.task.source, folder=played.folder)
    (played.folder / "masses.safetensors").rename(tmp_path / "moved.safetensors")
    try:
        with pytest.raises(fednet.FednetError, match="cannot read the initial model"):
            plan.check()
        fednet.Plan.read(plan.path, tmp_path / "moved.safetensors").check()
    finally:
        (tmp_path / "moved.safetensors").rename(played.folder / "masses.safetensors")


def test_a_rehearsal_on_own_records_tells_each_variant(played: Played) -> None:
    found = played.found
    assert list(found) == ["fedavg", "median"]
    assert played.watched == [("fedavg", 1), ("fedavg", 2), ("median", 1), ("median", 2)]
    assert found.series["fedavg"] == found["fedavg"].series
    assert found["fedavg"].metric == "accuracy"
    assert set(found["fedavg"].rehearsal.metrics[-1]) == {"accuracy", "auroc"}
    assert found["fedavg"].last is not None
    assert found["fedavg"].last > 0.85
    picture = found.draw(played.folder / "curves.png")
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    # Records of one's own lie where they lay, with nothing beside them.
    assert not list((played.folder / "data").glob("*.salt"))


def test_a_home_tells_what_the_command_line_tells(played: Played, home: fednet.Home) -> None:
    run = home.runs()[0]
    assert [each.number for each in home.runs()] == [1, 2]
    assert len(home.sites()) == 3
    assert run.phase == "completed"
    assert run.plan.training == played.plan.terms.training

    def told(*words: str) -> object:
        done = CliRunner().invoke(main, ["--home", str(played.kept), *words, "--json"])
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    updates = pd.DataFrame(run.updates())
    listed = told("ledger", "updates", "1")
    assert isinstance(listed, list)
    assert [entry["site"] for entry in listed] == list(updates["site"])
    assert updates["weight"].sum() == sum(entry["weight"] for entry in listed)
    assert [row.status for row in run.rounds()] == ["final", "final"]
    assert sum(account.earned for account in run.credits()) > 0
    report = home.audit(1)
    assert report.verified
    told_report = told("audit", "1")
    assert isinstance(told_report, dict)
    assert told_report["verified"]
    assert told_report["findings"] == [entry.to_json() for entry in report.findings]


def test_the_model_is_arrays_bytes_and_a_module(
    played: Played, home: fednet.Home, tmp_path: Path
) -> None:
    model = home.final_model(1)
    assert set(model) == {"weight", "bias"}
    assert model.round == 2
    module = model.load_into(torch.nn.Linear(2, 2))
    np.testing.assert_array_equal(module.weight.detach().numpy(), model["weight"])
    path = model.save(tmp_path / "model.safetensors")
    assert path.read_bytes() == model.data
    with pytest.raises(SettingsError):
        model.save(path)
    with pytest.raises(TrainingError, match="does not fit"):
        model.load_into(torch.nn.Linear(3, 2))
    with pytest.raises(ValueError, match="read-only"):
        model["bias"][0] = 1
    first = home.run(1).model(1)
    assert first.round == 1
    assert first.commitment != model.commitment
    with pytest.raises(PhaseError, match="not final"):
        home.run(1).model(3)
    # Plain PyTorch on the held-out records gives the accuracy that the rehearsal told.
    frame = pd.read_csv(played.folder / "data" / "held-out.csv")
    rows = torch.tensor(frame[["mean_radius", "worst_concavity"]].to_numpy(np.float32))
    rows = (rows - torch.tensor([14.0, 0.3])) / torch.tensor([4.0, 0.2])
    chosen = module(rows).argmax(dim=1).numpy()
    right = float(np.mean(chosen == frame["malignant"].to_numpy()))
    assert right == pytest.approx(played.found["fedavg"].last)


def test_a_report_is_written_once(home: fednet.Home, tmp_path: Path) -> None:
    run = home.run(2)
    files = run.report(tmp_path / "report.html")
    assert files == [tmp_path / "report.html"]
    assert "holds" in files[0].read_text("utf-8")
    assert run.report(tmp_path / "report.pdf")[0].read_bytes()[:5] == b"%PDF-"
    with pytest.raises(fednet.FednetError):
        run.report(tmp_path / "report.html")


def test_what_cannot_be_is_refused(played: Played, home: fednet.Home, tmp_path: Path) -> None:
    with pytest.raises(fednet.FednetError, match="no such run"):
        home.run(3)
    with fednet.Home(tmp_path / "none") as empty, pytest.raises(SettingsError):
        empty.runs()
    with pytest.raises(SettingsError, match="no chain of its own"):
        fednet.Home(tmp_path / "none").start_chain()
    with pytest.raises(SettingsError, match="judge on"):
        fednet.simulate(data=[tmp_path / "a.csv"])
    with pytest.raises(SettingsError, match="ships no records"):
        fednet.simulate(task=played.plan.terms.task.source)
    with pytest.raises(SettingsError, match="changes records"):
        fednet.simulate(
            plan=played.plan, data=[played.folder / "data" / "site-2.csv"] * 3,
            held_out=played.folder / "data" / "held-out.csv", attack="label-flip:1",
        )  # fmt: skip


def test_a_researcher_opens_a_run_and_signs_a_report(tmp_path: Path) -> None:
    plan = fednet.Plan.new("pilot", "breast-cancer", rounds=1, folder=tmp_path)
    with consortium(tmp_path, inside=True) as operator:
        password = operator.home / "password"
        with fednet.Home(operator.home) as home:
            assert home.runs() == []
            run = home.open_run(plan, password_file=password)
            assert (run.number, run.phase) == (1, "gathering")
            assert run.plan.commitment == plan.commitment
            with pytest.raises(fednet.FednetError, match="no round is final"):
                home.final_model(1)
            files = run.report(tmp_path / "r.html", sign=True, password_file=password)
            assert [path.name for path in files] == ["r.html", "r.sig.json"]
        verified = operator.reads("report", "verify", str(tmp_path / "r.html"))
        listed = operator.reads("keys", "list")
        assert verified["signed by"] == listed[0]["address"]
        # A plan whose code is another is refused before anything is sent.
        text = plan.path.read_text("utf-8").replace(plan.terms.task.digest, "0" * 64)
        plan.path.write_text(text, "utf-8")
        with fednet.Home(operator.home) as home:
            with pytest.raises(PlanError, match="not the plan's"):
                home.open_run(fednet.Plan.read(plan.path), password_file=password)
            assert len(home.runs()) == 1

"""Write `docs/tour.ipynb`: `.venv/bin/python -m scripts.maintenance.notebook`.

The cells stand here; this runs them in a kernel and keeps what they said. A test
runs them too and compares the notebook's cells with these, so that it cannot drift.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from scripts.maintenance.set_up import ROOT

TOUR = ROOT / "docs" / "tour.ipynb"
_CELL_SECONDS = 240
_METADATA: dict[str, object] = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

TASK = '''
import torch
from fednet import Dataset, SupervisedTask

class Masses(SupervisedTask):
    """Tell malignant from benign masses by four measures of their cell nuclei."""

    features = ("mean_radius", "mean_texture", "worst_area", "worst_concavity")
    label = "malignant"
    classes = 2
    measures = ("accuracy", "auroc", "recall")

    def prepare(self, data: Dataset) -> Dataset:
        centre = torch.tensor([14.0, 19.0, 880.0, 0.27])
        spread = torch.tensor([3.5, 4.3, 570.0, 0.21])
        return Dataset((data.features - centre) / spread, data.labels)

    def model(self) -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
'''

CELLS = (
    ("markdown", """\
# From records to an audited model

Four hospitals hold records of breast masses that may not leave them. This notebook describes
their task, makes a plan, rehearses it on a real chain and a real store on this machine, recomputes
everything that was claimed, and takes the model into plain PyTorch. What each call means stands in
[python.md](python.md)."""),
    ("code", """\
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from IPython.display import Image

import fednet

folder = Path(tempfile.mkdtemp(prefix="fednet-tour-"))"""),
    ("markdown", """\
## The records

In a real consortium each institution has its own file, and nobody sees another's. Here we deal
569 public records (*Breast Cancer Wisconsin, Diagnostic*) to four unlike hospitals, and keep some
apart to judge by. Records are CSV, Parquet, Arrow or NumPy, or a folder that `datasets` saved."""),
    ("code", """\
from fednet.learning.partition import hospitals

paths, held_out = hospitals(4).write(folder / "records")
frames = [pd.read_csv(path) for path in paths]
data = [path.with_suffix(".parquet") for path in paths]
for frame, path in zip(frames, data, strict=True):
    frame.to_parquet(path)

pd.DataFrame(
    {"records": [len(frame) for frame in frames],
     "malignant": [frame.malignant.mean().round(2) for frame in frames]},
    index=pd.Index(["North", "East", "South", "West"], name="hospital"),
)"""),
    ("markdown", """\
## The task

Which columns, which model, which loss, which metrics. A site runs this file behind walls: it can
read its dataset and nothing else, and only the difference of the weights comes out. The plan will
carry the digest of its code; a site that has another refuses to train."""),
    ("code", f"""\
(folder / "masses.py").write_text('''{TASK.lstrip()}''')

task = f"{{folder / 'masses.py'}}:Masses"
table = fednet.load_table(data[0], features=["mean_radius", "worst_area"], label="malignant")
table.features[:3]"""),
    ("markdown", """\
## The plan

Everything the hospitals are asked to agree to. Its commitment goes on the chain; opening a run
freezes it."""),
    ("code", """\
plan = fednet.Plan.new(
    "masses", task, rounds=6, sites=4, folder=folder,
    training={"learning_rate": "0.2", "local_epochs": 4, "batch_size": 16, "seed": 1},
)
[line.rpartition(": ")[2] for line in plan.check()]"""),
    ("markdown", """\
## The rehearsal

Four virtual sites with accounts of their own act through the code of real nodes: they train,
submit commitments, publish, combine in turn, recompute and attest. We compare the plain mean with
a rule that a single liar cannot move, and keep the network for a closer look."""),
    ("code", """\
found = fednet.simulate(
    plan=plan, data=data, held_out=held_out, compare=["fedavg", "median"], keep=folder / "kept",
)
pd.DataFrame(found.series, index=pd.RangeIndex(1, 7, name="round")).round(3)"""),
    ("code", """\
Image(filename=found.draw(folder / "curves.png"), width=600)"""),
    ("code", """\
every = found["fedavg"].rehearsal.metrics
pd.DataFrame(every, index=pd.RangeIndex(1, 7, name="round")).round(3)"""),
    ("markdown", """\
## The audit

Nobody has to believe the rehearsal. From the chain and the blobs alone, `audit` recomputes every
aggregate and every credit of a run; it would say who lied. It needs no key."""),
    ("code", """\
home = fednet.Home(folder / "kept")
home.start_chain()
report = home.audit(1)
print("verified:", report.verified, "  accused:", report.accused or "nobody")
for finding in report.findings:
    print(f"{finding.severity.value}: {finding.message} [check {finding.check}]")"""),
    ("code", """\
run = home.run(1)
updates = pd.DataFrame(run.updates())
updates.pivot_table(index="round", columns="site", values="weight", aggfunc="sum")"""),
    ("code", """\
pd.DataFrame(
    [(row.round, row.status, row.proposer, len(row.attested), row.quorum) for row in run.rounds()],
    columns=["round", "status", "combined by site", "attested", "quorum"],
)"""),
    ("code", """\
pd.DataFrame(run.credits())[["name", "earned", "claimed"]]"""),
    ("markdown", """\
The same in plain language, for an ethics board, as one HTML file:"""),
    ("code", """\
[path.name for path in run.report(folder / "report.html")]"""),
    ("markdown", """\
## The model, in plain PyTorch

`final_model` gives arrays by name, of bytes that match the commitment on the chain. No line below
knows of fednet, but for the one that takes them."""),
    ("code", """\
model = home.final_model(1)

network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
network.load_state_dict({name: torch.tensor(array) for name, array in model.items()})

frame = pd.read_csv(held_out)
measures = ["mean_radius", "mean_texture", "worst_area", "worst_concavity"]
rows = torch.tensor(frame[measures].to_numpy(np.float32))
rows = (rows - torch.tensor([14.0, 19.0, 880.0, 0.27])) / torch.tensor([3.5, 4.3, 570.0, 0.21])
with torch.no_grad():
    chosen = network(rows).argmax(dim=1).numpy()
accuracy = float((chosen == frame.malignant).mean())
assert abs(accuracy - found["fedavg"].last) < 1e-9
model, round(accuracy, 3)"""),
    ("markdown", """\
That is the accuracy the rehearsal told. In a consortium, `home.open_run(plan)` opens the run, each
site consents, and the rest of this notebook stays as it is."""),
    ("code", """\
home.close()"""),
)  # fmt: skip


def main() -> int:
    """Run the cells and write the notebook."""
    with tempfile.TemporaryDirectory(prefix="fednet-tour-") as folder:
        made = executed(Path(folder))
    TOUR.write_text(nbformat.writes(made) + "\n", encoding="utf-8")  # type: ignore[no-untyped-call]
    print(f"wrote {TOUR.relative_to(ROOT)}")
    return 0


def executed(folder: Path) -> nbformat.NotebookNode:
    """Run the cells in a kernel of their own; an error in one is raised.

    Args:
        folder: Where the kernel works and keeps its files.
    """
    made = notebook()
    with _surroundings(folder):
        NotebookClient(
            made,
            timeout=_CELL_SECONDS,
            kernel_name="python3",
            record_timing=False,
            resources={"metadata": {"path": str(folder)}},
        ).execute()
    for cell in made.cells:
        cell.metadata.clear()
    made.metadata = _node(_METADATA)
    return made


def notebook() -> nbformat.NotebookNode:
    """Make the notebook without outputs."""
    cells: list[dict[str, object]] = []
    for number, (kind, text) in enumerate(CELLS, start=1):
        cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text}
        cells.append(cell | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
    return _node({"nbformat": 4, "nbformat_minor": 5, "metadata": _METADATA, "cells": cells})


def _node(plain: dict[str, object]) -> nbformat.NotebookNode:
    made: nbformat.NotebookNode = nbformat.from_dict(plain)  # type: ignore[no-untyped-call]
    return made


@contextmanager
def _surroundings(folder: Path) -> Iterator[None]:
    """Give the kernel this interpreter's kernels and this checkout, and keep its files apart."""
    given = {
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "jupyter"),
        "JUPYTER_DATA_DIR": str(folder / "jupyter-data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "jupyter-runtime"),
        "JUPYTER_PATH": str(Path(sys.prefix) / "share" / "jupyter"),
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(folder),
    }
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


if __name__ == "__main__":
    raise SystemExit(main())

"""Write a run as a Workflow Run RO-Crate with the files it speaks of.

The metadata follow RO-Crate 1.1 and the profiles Process, Workflow and
Provenance Run Crate 0.5 (https://www.researchobject.org/workflow-run-crate/),
with the terms of the Federated Learning RO-Crate profile 0.1: one action for
the whole process, whose objects are the datasets and the configuration and
whose result is the model. Only what the run's members may share is inside:
plan, round records, the final model, provenance and the audit's findings.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fednet.errors import PhaseError, SettingsError
from fednet.exports.crate_entities import Graph
from fednet.exports.dossier import RunDossier
from fednet.exports.provjson import write_prov

METADATA_FILE = "ro-crate-metadata.json"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_CHUNK_SIZE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Crate:
    """What is in a crate: small files by name, and where the model's bytes are."""

    files: Mapping[str, bytes]
    model_name: str
    model: Path


def make_crate(dossier: RunDossier, model: Path) -> Crate:
    """Describe a run with at least one final round.

    Args:
        dossier: What to describe.
        model: The verified bytes of the latest final model.

    Raises:
        PhaseError: No round is final, so that there is no model to describe.
    """
    if not dossier.final_rounds:
        raise PhaseError("no round is final yet", subject=f"run {dossier.run.run}")
    files = {"provenance.prov.json": write_prov(dossier)}
    if dossier.plan is not None:
        files["plan.json"] = dossier.plan.to_bytes()
    else:
        raise SettingsError(
            "the plan's bytes cannot be had",
            subject=f"run {dossier.run.run}",
            hint="ask the members to run their nodes",
        )
    for number, record in sorted(dossier.records.items()):
        files[f"records/round-{number}.json"] = record.to_bytes()
    if dossier.report is not None:
        files["audit.json"] = _json(dossier.report.to_json())
    graph = Graph(dossier, {name: len(data) for name, data in files.items()}, model.stat().st_size)
    files[METADATA_FILE] = _json(
        {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph.entities()}
    )
    return Crate(files, graph.model_name, model)


def write_crate(crate: Crate, target: Path) -> None:
    """Write a crate as a new directory or, if the name ends so, as a new zip file.

    Raises:
        SettingsError: There is something already, or the disk does not take it.
    """
    try:
        if target.suffix == ".zip":
            _write_zip(crate, target)
        else:
            _write_directory(crate, target)
    except FileExistsError as exc:
        raise SettingsError(
            "there is something already", subject=str(target), hint="choose another name"
        ) from exc
    except OSError as exc:
        raise SettingsError("cannot write", subject=str(target), actual=exc.strerror) from exc


def _write_directory(crate: Crate, target: Path) -> None:
    target.mkdir(parents=True)
    for name, data in crate.files.items():
        path = target / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    with crate.model.open("rb") as source, (target / crate.model_name).open("xb") as sink:
        while chunk := source.read(_CHUNK_SIZE_BYTES):
            sink.write(chunk)


def _write_zip(crate: Crate, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "x") as archive:
        for name in sorted(crate.files):
            archive.writestr(_member(name), crate.files[name])
        with (
            crate.model.open("rb") as source,
            archive.open(_member(crate.model_name), "w", force_zip64=True) as sink,
        ):
            while chunk := source.read(_CHUNK_SIZE_BYTES):
                sink.write(chunk)


def _member(name: str) -> zipfile.ZipInfo:
    """Name a file in the archive, with no clock and no machine in it."""
    member = zipfile.ZipInfo(name, _ZIP_TIME)
    member.external_attr = 0o644 << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


def _json(value: object) -> bytes:
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
    return text.encode("utf-8") + b"\n"

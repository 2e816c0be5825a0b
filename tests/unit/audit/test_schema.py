"""Reports keep the form that docs/audit.schema.json promises."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from fednet.audit.report import RoundVerdict
from fednet.audit.schema import ReportForm, schema_text
from tests.unit.audit.world import FORGED, World

ROOT = Path(__file__).resolve().parents[3]


def test_published_schema_is_the_codes() -> None:
    assert (ROOT / "docs" / "audit.schema.json").read_text("utf-8") == schema_text()


def test_reports_with_and_without_findings_keep_the_form(world: World) -> None:
    world.play(1)
    honest = world.audit([world.checkpoint(2), world.checkpoint(1, block_hash=FORGED)])
    world.collect()
    world.propose(credits_total=999)
    world.attest(1, 2, witness=FORGED)
    world.finalize()
    for report in (honest, world.audit([])):
        ReportForm.model_validate_json(json.dumps(report.to_json()))
    assert honest.findings


def test_form_refuses_what_it_does_not_know(world: World) -> None:
    raw = world.audit().to_json()
    with pytest.raises(ValidationError):
        ReportForm.model_validate(raw | {"news": 1})


def test_each_site_and_each_round_has_a_verdict(world: World) -> None:
    world.collect()
    world.propose()
    world.attest(1, 2)
    world.attest(3, witness=FORGED)
    world.finalize()
    raw = world.audit().to_json()
    assert raw["sites"] == [
        {"site": 1, "verdict": "verified"},
        {"site": 2, "verdict": "verified"},
        {"site": 3, "verdict": "accused"},
    ]
    assert "sealed" in set(RoundVerdict)

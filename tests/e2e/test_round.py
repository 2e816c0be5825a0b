"""Three node processes, a real chain, three Kubo nodes: rounds end final and audited."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from fednet.node import CheckpointBook
from tests.e2e.fleet import assert_audit_passes, assert_one_record_each, running_fleet
from tests.e2e.node_process import CHECKPOINTS


@pytest.mark.parametrize("engine", ["anvil", "ganache"])
def test_rounds_end_final_and_pass_the_audit(engine: str, tmp_path: Path) -> None:
    with running_fleet(tmp_path, sites=3, rounds=2, engine=engine) as (fleet, _, run):
        for site in fleet.consortium.sites:
            fleet.start(site)
        fleet.finish(run)
        assert_one_record_each(fleet, run, rounds=2)
        assert_audit_passes(fleet, run)
        assert not fleet.deaths
        state = fleet.consortium.reader.state(run)
        assert state.credits_granted == 2 * 1_000
        began = time.monotonic()
        assert set(fleet.stop().values()) == {0}
        assert time.monotonic() - began < 30
        for site in fleet.consortium.sites:
            status = json.loads((fleet.consortium.home(site) / "status.json").read_text())
            assert status["runs"][str(run)]["phase"] == "completed"
            output = (fleet.consortium.home(site) / "output.log").read_text()
            assert "Traceback" not in output, output
            book = CheckpointBook(fleet.consortium.home(site) / CHECKPOINTS)
            assert book.read()[-1].statement.round == 2

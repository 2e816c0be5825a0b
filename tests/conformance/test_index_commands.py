"""`fednet ledger` over the index, on a real chain."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fednet.cli import main
from fednet.domain.identity import RunId
from fednet.ledger.chains import LocalChain
from fednet.ledger.deployment import write_deployment
from tests import ledger_acts as acts
from tests.chain_fixtures import ChainWorld, deploy_world


@dataclass
class Desk:
    world: ChainWorld
    run: RunId
    hospitals: list[acts.Hospital]
    home: Path

    def types(self, *words: str) -> Result:
        runner = CliRunner(env={"FEDNET_CHAIN_URL": self.world.chain.url})
        return runner.invoke(main, ["--home", str(self.home), "ledger", *words])

    def reads(self, *words: str) -> Any:
        result = self.types(*words, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture(scope="module")
def desk(anvil_chain: LocalChain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    world = deploy_world(anvil_chain)
    home = tmp_path_factory.mktemp("home")
    run, hospitals, _ = acts.started_run(world)
    acts.play_round(world, run, hospitals)
    write_deployment(home / "deployment.json", world.deployment)
    yield Desk(world, run, hospitals, home)
    world.reader.close()


def test_lineage_is_told_and_drawn(desk: Desk) -> None:
    state = str(acts.commitment("state", desk.run, 1))
    drawing = desk.home / "lineage.svg"
    found = desk.reads("lineage", state[:12], "--svg", str(drawing))
    assert found["initial_model"] == str(acts.commitment("model"))
    assert [len(step["updates"]) for step in found["steps"]] == [3]
    assert ET.parse(drawing).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert "included" in desk.types("lineage", state).stdout
    again = desk.types("lineage", state, "--svg", str(drawing))
    assert again.exit_code == 2
    assert "hint: " in again.stderr


def test_lookup_site_dataset_and_members_are_told(desk: Desk) -> None:
    hospital = desk.hospitals[0]
    assert desk.reads("lookup", f"run {desk.run}")[0]["kind"] == "run"
    assert "no such thing" in desk.types("lookup", "nothing at all").stdout
    told = desk.reads("site", str(hospital.site))
    assert told["contributions"][0]["included"] == 1
    assert desk.reads("dataset", str(hospital.dataset))["history"][0]["kind"] == "DatasetRegistered"
    assert len(desk.reads("members")) == 3
    assert desk.reads("members", "--at", "2001-01-01") == []
    assert desk.reads("members", "--at", "0") == []
    for words in (("site", "1"), ("dataset", "1"), ("members",), ("events",), ("index",)):
        assert desk.types(*words).exit_code == 0


def test_lists_are_narrowed(desk: Desk) -> None:
    site = str(desk.hospitals[1].site)
    assert {each["site"] for each in desk.reads("updates", str(desk.run), "--site", site)} == {
        int(site)
    }
    assert desk.reads("updates", str(desk.run), "--until", "2001-01-01") == []
    assert desk.reads("runs", "--since", "2001-01-01", "--site", site)
    assert desk.reads("runs", "--until", "2001-01-01") == []
    assert desk.reads("sites", "--until", "2001-01-01") == []
    assert desk.reads("access", "--run", "99") == []
    assert len(desk.reads("access", "--run", str(desk.run))) == 3
    assert desk.reads("rounds", str(desk.run), "--until", "2001-01-01") == []
    assert [each["kind"] for each in desk.reads("events", "--kind", "RunOpened")] == ["RunOpened"]
    assert all(each["site"] == int(site) for each in desk.reads("events", "--site", site))


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("lineage", "f" * 64), 5, "lookup"),
        (("lineage", "not hexadecimal"), 5, "rounds"),
        (("site", "99"), 5, "site list"),
        (("dataset", "99"), 5, "dataset list"),
        (("members", "--at", "yesterday"), 2, "2026-01-31T12:00"),
        (("runs", "--since", "yesterday"), 2, "seconds"),
    ],
)
def test_mistake_is_one_line_with_a_remedy(
    desk: Desk, words: tuple[str, ...], code: int, told: str
) -> None:
    result = desk.types(*words)
    assert result.exit_code == code, result.output
    assert told in result.stderr
    assert "Traceback" not in result.output


def test_index_is_rebuilt_when_asked(desk: Desk) -> None:
    before = desk.reads("index")
    told = desk.reads("index", "--rebuild")
    assert (told["rebuilt"], told["added"]) == ("as asked", before["events"])
    assert desk.reads("index")["added"] == 0

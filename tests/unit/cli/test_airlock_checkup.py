"""What `fednet doctor` says of the airlock: its policy, and the runs that a line refuses."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fednet.airlock import policy_of
from fednet.cli.airlock_checkup import examine, of_runs
from fednet.cli.app import App
from fednet.domain.identity import DatasetId, GrantId, RunId, SiteId
from fednet.domain.ledger import Phase
from fednet.errors import SettingsError
from fednet.node.requests import Book
from tests.unit.audit.books import RUN
from tests.unit.audit.world import World


class Ledger(World):
    """A run that site 2 consents to, one that it left, and one that is over."""

    def run_count(self) -> int:
        return 1

    def state(self, run: RunId) -> Any:
        return SimpleNamespace(phase=Phase.COLLECTING)

    def member(self, run: RunId, site: SiteId) -> Any:
        return SimpleNamespace(consenting=site == 2, grant=GrantId(2))

    def access(self, grant: int) -> Any:
        return SimpleNamespace(dataset=DatasetId(2))

    def dataset(self, dataset: int) -> Any:
        return SimpleNamespace(dataset=DatasetId(2), examples=1_000)


def look(ledger: Any, policy: dict[str, Any], site: int = 2) -> list[tuple[str, bool]]:
    found = of_runs(
        policy_of(policy, "policy"), ledger, ledger.store, SiteId(site), Book(), {0: 990, 1: 10}
    )
    assert all(entry.name == f"airlock, run {RUN}" for entry in found)
    assert all(entry.remedy for entry in found if not entry.good)
    return [(entry.found.partition(":")[0], entry.good) for entry in found]


def test_each_line_is_put_to_the_runs_that_the_site_is_in(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    policy = {
        "plans": {"tasks": ["breast-cancer"], "mechanisms": ["epsilon <= 3"]},
        "data": {"minimum_examples": 1_000, "minimum_per_class": 11},
    }
    assert look(ledger, policy) == [
        ("plans.tasks", False),
        ("plans.mechanisms", False),
        ("data.minimum_examples", True),
        ("data.minimum_per_class", False),
    ]
    assert look(ledger, policy, site=3) == []
    assert look(ledger, {"gate": {"human": True}}) == []


@pytest.fixture
def app(tmp_path: Path) -> App:
    (tmp_path / "fednet.toml").write_text('[airlock]\npolicy = "airlock.toml"\n')
    return App(tmp_path)


def test_the_policy_is_told_in_one_line(app: App) -> None:
    (app.home / "airlock.toml").write_text(
        "[gate]\nhuman = true\n[content]\nmaximum_influence = 0.3\n"
    )
    (entry,) = examine(app)
    assert entry.good
    assert entry.found == "policy airlock.toml; a person decides on each update; maximum_influence"


def test_held_out_records_that_are_not_there_are_missed(app: App) -> None:
    (app.home / "airlock.toml").write_text('[content]\nheld_out = "held-out.csv"\n')
    assert [entry.good for entry in examine(app)] == [True, False]
    (app.home / "held-out.csv").write_text("x\n")
    assert [entry.good for entry in examine(app)] == [True]


@pytest.mark.parametrize("text", [None, "[gates]\nhuman = true\n"])
def test_a_policy_that_is_not_there_or_not_understood_is_never_none(
    app: App, text: str | None
) -> None:
    if text is not None:
        (app.home / "airlock.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        examine(app)
    assert "airlock.toml" in caught.value.subject

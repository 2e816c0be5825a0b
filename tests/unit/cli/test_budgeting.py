"""`fednet privacy show, ceiling` and what consent asks: of a ledger in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fednet.cli import budgeting, main
from fednet.cli.app import App
from fednet.domain import disclosure_events as de
from fednet.domain.disclosures import PrivacyLoss
from fednet.domain.identity import (
    Commitment,
    DatasetId,
    Digest,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.errors import BlobMissingError, BudgetExceededError
from fednet.privacy.accounting import forecast
from fednet.provenance import LedgerIndex
from tests.memory_disclosures import MemoryDisclosures
from tests.unit.audit.books import DEPLOYMENT as PLACE
from tests.unit.explorer.generated import DEPLOYMENT, Ledger, digest
from tests.unit.privacy.test_forecast import plan

SITE, DATASET, RUN = SiteId(2), DatasetId(2), RunId(1)
CEILING = PrivacyLoss.of(Decimal(3), Decimal("0.00001"))
REASON = "study 17, board of May"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two runs of site 2's dataset, of which the first spent; nobody serves the second's plan."""
    ledger = Ledger()
    for number in (1, 2):
        ledger.site(number, f"Hospital {number}")
    add = ledger.events.append
    for number in (1, 2):
        ledger.run(number, 2, 1)
    add(de.CeilingSet(ledger.log(), DATASET, SITE, 3_000_000, 10_000_000, digest("why")))
    for number, epsilon in ((1, 500_000), (2, 750_000)):
        add(de.BudgetSpent(ledger.log(), RUN, RoundNumber(number), SITE, DATASET, epsilon, 1_000))

    def read_terms(reader: Any, store: Any, opened: RunId) -> Any:
        if opened != RUN:
            raise BlobMissingError("nobody serves it")
        return SimpleNamespace(plan=plan())

    monkeypatch.setattr(budgeting.wiring, "reader", lambda app: None)
    monkeypatch.setattr(budgeting.wiring, "store", lambda app: nullcontext())
    monkeypatch.setattr(
        budgeting.queries, "opening_of", lambda reader, run: SimpleNamespace(opened=run)
    )
    monkeypatch.setattr(budgeting, "read_terms", read_terms)
    with closing(LedgerIndex.open(tmp_path / "index.sqlite", DEPLOYMENT)) as opened:
        opened.ingest(ledger.blocks())

        @contextmanager
        def fresh_index(app: App, rebuild: bool = False) -> Iterator[Any]:
            yield opened, None

        monkeypatch.setattr(budgeting.indexing, "fresh_index", fresh_index)
        yield


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> MemoryDisclosures:
    made = MemoryDisclosures(SITE)
    made.deployment = PLACE
    monkeypatch.setattr(budgeting.wiring, "reader", lambda app: made)
    monkeypatch.setattr(budgeting.wiring, "writer", lambda app, signer: made)
    return made


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), "privacy", *words])


@pytest.mark.usefixtures("index")
def test_what_is_promised_spent_allowed_and_left_is_shown(tmp_path: Path) -> None:
    shown = run(tmp_path, "show", "--dataset", "2", "--json")
    assert shown.exit_code == 0, shown.output
    (account,) = json.loads(shown.output)
    assert account["ceiling"] == {"epsilon": "3", "delta": "0.00001"}
    assert Decimal(account["left"]["epsilon"]) == Decimal("2.25")
    assert [(each["run"], each["round"], each["spent"]["epsilon"]) for each in account["runs"]] == [
        (1, 2, "0.75"), (2, 0, "0"),
    ]  # fmt: skip
    first, second = account["runs"]
    assert (first["promised"]["epsilon"], second["promised"]) == ("3", None)
    table = run(tmp_path, "show").output
    for text in (
        "epsilon 2.25, delta 0.000009999",
        "epsilon 0.75, delta 0.000000001",
        "none known",
    ):
        assert text in table
    narrowed = json.loads(run(tmp_path, "show", "--run", "1", "--json").output)
    assert {each["run"] for account in narrowed for each in account["runs"]} == {1}


def test_a_ceiling_is_raised_on_grounds_that_stay_in_the_home(
    tmp_path: Path, chain: MemoryDisclosures
) -> None:
    words = ("ceiling", "2", "--epsilon", "3", "--delta", "0.00001")
    bare = run(tmp_path, *words)
    assert (bare.exit_code, "--reason TEXT" in bare.output) == (2, True)
    assert run(tmp_path, *words, "--reason", REASON).exit_code == 0
    (said,) = chain.log
    assert isinstance(said, de.CeilingSet)
    assert said.ceiling == CEILING
    (path,) = (tmp_path / "privacy").iterdir()
    assert said.grounds == Commitment.of(path.read_bytes())
    assert (json.loads(path.read_bytes())["reason"], path.stat().st_mode & 0o77) == (REASON, 0)
    lower = run(tmp_path, "ceiling", "2", "--epsilon", "1.0000001", "--delta", "0.00001")
    assert lower.exit_code == 0
    assert chain.budget(DATASET).ceiling.epsilon == Decimal("1.000001")
    for wrong in ("-1", "NaN", "many", "1e99"):
        assert run(tmp_path, "ceiling", "2", "--epsilon", wrong, "--delta", "0").exit_code != 0
    assert len(chain.log) == 2


def test_consent_is_refused_to_a_plan_that_would_pass_the_ceiling(
    tmp_path: Path, chain: MemoryDisclosures
) -> None:
    def ask(asked: Any) -> None:
        reader: Any = chain
        budgeting.require_whole_run(App(tmp_path), reader, SITE, RUN, asked, DATASET, 1_400)

    asked = plan()
    with pytest.raises(BudgetExceededError, match="nobody has set") as caught:
        ask(asked)
    assert caught.value.exit_code == 4
    whole = PrivacyLoss.of(forecast(asked, 1_400).epsilon, asked.privacy.delta)
    chain.set_ceiling(DATASET, whole, Digest(b"\1" * 32))
    ask(asked)
    other = PrivacyLoss(1, 0)
    chain.spend_budget(RunId(9), RoundNumber(1), DATASET, other)
    with pytest.raises(BudgetExceededError, match="whole run of 10 rounds") as caught:
        ask(asked)
    assert "fednet privacy ceiling 2" in caught.value.hint
    without = asked.model_copy(
        update={"privacy": asked.privacy.model_copy(update={"mechanism": "none"})}
    )
    ask(without)

"""What sites measured, in the card, the lineage and the report; and the model that did best."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from fednet.cli import dossiers
from fednet.domain.evaluation import Evaluation
from fednet.domain.identity import RoundNumber
from fednet.errors import PhaseError
from fednet.exports import RunDossier, make_statement, write_card, write_lineage
from tests.unit.exports.made_up import make_dossier


def measured(pooled: Sequence[str], best_round: int, ends: str = "") -> RunDossier:
    """Make a run of as many rounds in which site 1 says half of what site 2 says."""
    dossier = make_dossier(rounds=len(pooled))
    records = {}
    for number, (before, record) in enumerate(zip(pooled, dossier.records.values(), strict=True)):
        said = Evaluation.model_validate(
            {
                "metric": "accuracy",
                "pooled": before,
                "best": max(pooled[: number + 1]),
                "best_round": best_round,
                "best_state": "0" * 64,
                "ends": ends if number + 1 == len(pooled) else "",
            }
        )
        first, *others = record.updates
        entries = (first.model_copy(update={"metrics": {"accuracy": before}}), *others)
        records[RoundNumber(number + 1)] = record.model_copy(
            update={"evaluation": said, "updates": entries}
        )
    return replace(dossier, records=records)


def test_card_says_what_was_measured_of_this_model() -> None:
    dossier = measured(["0.1", "0.8", "0.7"], 1)
    first, _, last = dossier.final_rounds
    of_first = write_card(dossier, first).decode()
    assert "accuracy of this model" in of_first
    assert "0.8 as the mean" in of_first
    of_last = write_card(dossier, last).decode()
    assert "accuracy of the model of round 2" in of_last
    assert "0.7 as the mean" in of_last
    assert "institution's own word" in of_last


def test_lineage_holds_what_each_round_measured_of_the_model_before() -> None:
    dossier = measured(["0.1", "0.8"], 1)
    told = json.loads(write_lineage(dossier, dossier.final_rounds[-1]))
    said = [step["measured_before"] for step in told["rounds"]]
    assert said[1] == {"metric": "accuracy", "pooled": "0.8", "sites": {"1": "0.8"}}


@pytest.mark.parametrize(
    ("ends", "words"), [("target", "target was reached"), ("patience", "patience was over")]
)
def test_report_tells_the_best_model_and_why_the_run_ended(ends: str, words: str) -> None:
    statement = make_statement(measured(["0.1", "0.8", "0.7"], 1, ends), 0)
    section = next(each for each in statement.sections if each.title == "How good the models were")
    assert "that of round 1, with 0.8" in section.paragraphs[1]
    assert words in section.paragraphs[1]
    assert [row[:2] for row in section.tables[0].rows] == [
        ("initial", "0.1"), ("of round 1, the best", "0.8"), ("of round 2", "0.7"),
    ]  # fmt: skip


def test_report_is_silent_where_nothing_was_measured() -> None:
    titles = [each.title for each in make_statement(make_dossier(), 0).sections]
    assert "How good the models were" not in titles


def test_best_round_is_the_latest_records_word() -> None:
    assert dossiers.best_round(measured(["0.1", "0.8", "0.7"], 1)) == 1
    with pytest.raises(PhaseError, match="nothing was measured"):
        dossiers.best_round(make_dossier())
    with pytest.raises(PhaseError, match="initial"):
        dossiers.best_round(measured(["0.9", "0.8"], 0))

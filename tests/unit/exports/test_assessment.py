"""The template of an impact assessment: whole as far as the plan goes, blank where it does not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fednet.cli import main, plans
from fednet.domain.plan import Plan
from fednet.errors import PlanError
from fednet.exports.assessment import BLANK, write_assessment
from fednet.exports.texts import code
from fednet.privacy.masking import agree_on
from tests.unit.privacy.test_agreement import masked_plan

RAW: dict[str, Any] = {
    "name": "pilot",
    "rounds": 3,
    "task": {"source": "digits", "digest": "ab" * 32},
    "model": {"commitment": "cd" * 32, "size_bytes": 100},
}
PRIVATE = {
    "mechanism": "dp-sgd", "clip_norm": 1, "noise_multiplier": "1.5", "epsilon": 3,
    "delta": "0.00001",
}  # fmt: skip
HOSTILE = "x:Y` | </td><script>alert(1)</script> [a](javascript:1) \u202e"


def plan(**sections: object) -> Plan:
    return Plan.validated({**RAW, **sections}, "plan")


def text(of: Plan) -> str:
    return write_assessment(of).decode()


def section(document: str, number: int) -> str:
    """Cut out what stands under a numbered heading."""
    return document.split(f"\n## {number}. ")[1].split("\n## ")[0]


def test_the_four_parts_of_the_article_stand_in_order() -> None:
    headings = re.findall(r"^## (.*)$", text(plan()), re.MULTILINE)
    letters = [re.search(r"35\(7\)\((.)\)", each) for each in headings]
    assert [found[1] for found in letters if found] == ["a", "b", "c", "d"]


def test_every_field_of_the_plan_stands_in_the_annex() -> None:
    made = plan(privacy=PRIVATE, update={"minimum_examples": 1000})
    annex = text(made).split("## Annex: the plan in full")[1]
    for name, value in made.model_dump().items():
        for inner, said in value.items() if isinstance(value, dict) else [("", value)]:
            field = f"{name}.{inner}" if inner else name
            (row,) = (line for line in annex.splitlines() if line.startswith(f"| {field} |"))
            if isinstance(said, str | int) and said != "":
                assert f"`{said}`" in row


def test_blanks_are_where_only_people_know() -> None:
    document = text(plan())
    for number, words in (
        (1, ("purposes", "whose data")),
        (2, ("legal basis", "are informed")),
        (3, ("likelihood, severity", "article 35(9)")),
        (4, ("airlock policy", "retention")),
        (5, ("article 36", "decision, name and date")),
    ):
        marked = [line for line in section(document, number).splitlines() if BLANK in line]
        for word in words:
            assert any(word in line for line in marked), word
    assert BLANK not in document.split("## Annex")[1]


def test_a_plan_without_privacy_says_so_and_leaves_the_risk_open() -> None:
    document = text(plan())
    assert "The plan bounds no epsilon" in section(document, 2)
    betrayed = section(document, 3).split("### 3.2")[0]
    assert "by the plan (open)" in betrayed
    assert "every member can read each single update" in betrayed


def test_a_plan_with_privacy_says_what_it_costs() -> None:
    made = plan(privacy=PRIVATE, update={"minimum_examples": 1000})
    document = text(made)
    told = section(document, 2)
    assert "epsilon 3 at delta 0.00001" in told
    costs = [float(each) for each in re.findall(r"([0-9.]+) with [0-9]+ examples", told)]
    assert len(costs) == 2
    assert costs[0] > costs[1] > 0
    assert "by the plan (met or bounded)" in section(document, 3).split("### 3.2")[0]
    assert "noise multiplier 1.5" in section(document, 4)


def test_risks_follow_the_plan() -> None:
    few = section(text(plan()), 3)
    many = section(
        text(plan(cohort={"minimum_sites": 5, "target_sites": 5, "minimum_updates": 5})), 3
    )
    for document, said in ((few, "open"), (many, "met or bounded")):
        part = document.split("### 3.3")[1].split("### 3.4")[0]
        assert f"by the plan ({said})" in part
    measured = text(plan(evaluation={"metric": "accuracy"}))
    assert "publishes `accuracy` of each model" in measured


def test_an_authors_words_stay_words() -> None:
    document = text(plan(task={"source": HOSTILE, "digest": "ab" * 32}))
    (row,) = (line for line in document.splitlines() if line.startswith("| task.source |"))
    assert row.count("|") == 3
    assert row.count("`") == 2
    assert "\u202e" not in document
    assert code("`") == "`'`"
    assert code("") == "` `"


def test_equal_plans_give_equal_bytes() -> None:
    assert write_assessment(plan()) == write_assessment(plan())
    assert write_assessment(plan()) != write_assessment(plan(rounds=4))


def test_command_writes_it_once(tmp_path: Path) -> None:
    source, target = tmp_path / "pilot.toml", tmp_path / "dpia.md"
    source.write_text(plans.to_toml(plan()), "utf-8")
    words = ["--home", str(tmp_path / "home"), "plan", "dpia", str(source)]
    printed = CliRunner().invoke(main, words)
    assert printed.exit_code == 0, printed.output
    assert printed.stdout == text(plan())
    written = CliRunner().invoke(main, [*words, "-o", str(target)])
    assert written.exit_code == 0, written.output
    assert target.read_text("utf-8") == text(plan())
    places = int(re.search(r"(\d+) places", written.stderr)[1])  # type: ignore[index]
    assert places == sum(line.count(BLANK) for line in text(plan()).splitlines()) - 1
    again = CliRunner().invoke(main, [*words, "-o", str(target)])
    assert again.exit_code == 2


@pytest.mark.parametrize("source", ["missing.toml", "0"])
def test_command_names_what_is_missing(tmp_path: Path, source: str) -> None:
    result = CliRunner().invoke(main, ["--home", str(tmp_path), "plan", "dpia", source])
    assert result.exit_code != 0
    assert "hint:" in result.stderr


def test_who_can_read_stored_updates_is_said_either_way() -> None:
    open_to_all = section(text(plan()), 4)
    assert "whoever gets hold of a stored update or model can read it" in open_to_all
    sealed = section(text(plan(privacy={"sealed": True})), 4)
    assert "encrypted for the members of each round" in sealed
    assert "whoever gets hold" not in sealed


def risk(document: str, number: int) -> str:
    """Cut out one risk."""
    return section(document, 3).split(f"### 3.{number} ")[1].split("\n### ")[0]


def test_nobody_reads_a_masked_update_and_the_sum_is_not_bounded() -> None:
    betrayed = risk(text(masked_plan()), 1)
    assert "by the plan (met or bounded)" in betrayed
    assert "nobody can read a single one" in betrayed
    assert "Nothing bounds what the sum tells" in betrayed
    assert "every member can read" not in text(masked_plan())
    noise = plan(privacy=PRIVATE, update={"minimum_examples": 1000}).privacy
    private = masked_plan().model_copy(update={"privacy": noise})
    assert "Nothing bounds what the sum tells" not in text(private)


def test_a_sealed_update_is_read_by_members_and_whoever_has_a_key() -> None:
    document = text(plan(privacy={"sealed": True}))
    assert "by the plan (open)" in risk(document, 1)
    assert "the members of a round can read each single one" in risk(document, 1)


def test_masks_need_more_updates_than_a_plan_may_ask_for() -> None:
    made = masked_plan()
    least = agree_on(made, made.cohort.minimum_sites).least_updates
    assert least > made.cohort.minimum_updates
    document = text(made)
    assert f"final with {least} updates" in risk(document, 3)
    assert f"{least} updates in a round" in section(document, 4)


def test_a_dishonest_update_cannot_be_left_out_of_a_masked_sum() -> None:
    document = text(masked_plan())
    assert "can be neither found nor left out" in risk(document, 5)
    assert "counts up to the norm" not in risk(document, 5)
    assert "Each site's own airlock sees to it" in section(document, 4)


@pytest.mark.parametrize(
    ("made", "status", "said"),
    [
        (plan(), "open", "The plan does not seal them: whoever gets a copy can read it."),
        (
            plan(privacy={"sealed": True}),
            "met or bounded",
            "a copy tells nothing to who has no key",
        ),
        (masked_plan(), "open", "A copy of a masked update tells nothing"),
    ],
    ids=["plain", "sealed", "masked"],
)
def test_what_a_copy_tells_follows_the_plan(made: Plan, status: str, said: str) -> None:
    copied = risk(text(made), 6)
    assert f"by the plan ({status})" in copied
    assert said in copied


def test_measures_name_masks_and_what_they_leave_readable() -> None:
    under_masks = section(text(masked_plan()), 4)
    assert "no more than 30 percent of a cohort work together" in under_masks
    assert "whoever gets hold of a stored model can read it" in under_masks
    assert "masked; the differences are combined" in section(text(masked_plan()), 1)
    assert "Secure aggregation: not asked for" in section(text(plan()), 4)


def test_no_assessment_is_made_of_masks_that_cannot_work() -> None:
    with pytest.raises(PlanError):
        write_assessment(masked_plan(vanishing="0.9"))

"""The tighter account, and what a plan costs before it is opened."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from fednet.cli import main
from fednet.domain.plan import Plan
from fednet.domain.privacy import NoisySteps
from fednet.errors import PlanError, PrivacyError
from fednet.privacy.accounting import (
    forecast,
    presence_epsilon,
    require_kept,
    spent_by,
    tight_epsilon,
)

PLAN = """
name = "pilot"
rounds = 10
[task]
source = "digits"
digest = "{zeros}"
[model]
commitment = "{zeros}"
size_bytes = 10
[training]
local_epochs = 2
batch_size = 32
[timing]
max_attempts = 2
[update]
minimum_examples = {least}
[privacy]
mechanism = "dp-sgd"
clip_norm = 1
noise_multiplier = 1.1
epsilon = 3
delta = 0.00001
"""


def text(least: int = 1_400) -> str:
    return PLAN.format(zeros="0" * 64, least=least)


def plan(least: int = 1_400) -> Plan:
    return Plan.from_toml(text(least))


@pytest.mark.parametrize(
    ("examples", "batch", "noise", "steps"),
    [(1_000, 32, "1", 100), (64, 64, "3", 50), (150, 100, "20", 1_000), (1_258, 32, "1.1", 401)],
)
def test_tight_epsilon_is_that_of_opacus(examples: int, batch: int, noise: str, steps: int) -> None:
    made = NoisySteps(examples, batch, Decimal(noise), steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from opacus.accountants import PRVAccountant

        accountant = PRVAccountant()
        accountant.history = [(float(noise), made.sample_rate, steps)]
        theirs = accountant.get_epsilon(1e-5)
    assert tight_epsilon(made, 1e-5) == pytest.approx(theirs, abs=1e-3)
    assert tight_epsilon(made, 1e-5) < float(spent_by([made], Decimal("0.00001")))


def test_tight_epsilon_says_where_floats_end() -> None:
    with pytest.raises(PrivacyError, match="too small"):
        tight_epsilon(NoisySteps(1_000, 32, Decimal(1), 100), 1e-17)
    with pytest.raises(PrivacyError, match="too fine"):
        tight_epsilon(NoisySteps(100, 90, Decimal("0.1"), 100_000), 1e-5)


def test_forecast_adds_up_to_what_will_be_charged() -> None:
    found = forecast(plan(), 1_400)
    assert (found.steps, str(found.sample_rate)) == (88, "0.022858")
    steps = [NoisySteps(1_400, 32, Decimal("1.1"), 88)]
    delta = Decimal("0.00001")
    assert found.first == spent_by(steps, delta)
    assert found.epsilon == spent_by(steps * 10, delta)
    assert found.repeated == spent_by(steps * 20, delta)
    assert spent_by(steps * found.trainings, delta) <= 3
    assert spent_by(steps * (found.trainings + 1), delta) > 3
    assert found.tight is not None
    assert found.first < found.tight < found.epsilon < found.repeated


def test_forecast_finds_the_noise_that_keeps_the_promise() -> None:
    found = forecast(plan(), 1_400)
    assert found.epsilon > 3
    assert found.least_noise is not None

    def whole_run(noise: Decimal) -> Decimal:
        return spent_by([NoisySteps(1_400, 32, noise, 880)], Decimal("0.00001"))

    assert whole_run(found.least_noise) <= 3 < whole_run(found.least_noise - Decimal("0.01"))


def test_a_promise_that_more_than_all_attempts_would_keep_pays_for_all() -> None:
    assert forecast(plan(), 1_000_000).trainings == 20


def test_a_plan_must_keep_its_promise_where_it_costs_most() -> None:
    with pytest.raises(PlanError) as caught:
        require_kept(plan())
    assert caught.value.actual == forecast(plan(), 1_400).epsilon
    assert "noise_multiplier = " in caught.value.hint
    assert require_kept(plan(20_000)) < 3
    without = Plan.from_toml(text().split("[privacy]")[0])
    with pytest.raises(PlanError, match="no differential privacy"):
        require_kept(without)


SITES = """
[module]
name = "masked"
[masking]
clip = 1
[cohort]
minimum_sites = 10
target_sites = 10
maximum_sites = 10
[privacy]
mechanism = "distributed-gaussian"
clip_norm = 1
noise_multiplier = {noise}
epsilon = 3
delta = 0.00001
"""


def hiding(noise: str = "10") -> str:
    head = text().replace("minimum_examples", "maximum_examples").split("[privacy]")[0]
    return head + SITES.format(noise=noise)


def test_forecast_of_whole_sites_is_the_gaussians_whose_noise_is_half_as_loud() -> None:
    from tests.unit.privacy.test_accounting import opacus_epsilon

    plan = Plan.from_toml(hiding())
    found = forecast(plan, 1_400)
    assert found == replace(forecast(plan, 9), examples=1_400)
    # Ten rounds of a sum that another update can move by two norms: 10 deviates by 5 of these.
    whole = opacus_epsilon(NoisySteps(1, 1, Decimal(5), 10))
    assert 0 <= float(found.epsilon) - whole < 1.000001e-6
    assert found.repeated == spent_by([NoisySteps(1, 1, Decimal(5), 20)], Decimal("0.00001"))
    assert found.tight is not None
    assert found.tight < found.epsilon
    assert presence_epsilon(plan) == spent_by([NoisySteps(1, 1, Decimal(10), 10)], Decimal("1e-5"))
    assert require_kept(plan) == found.epsilon


def test_plan_that_hides_sites_must_keep_its_promise() -> None:
    with pytest.raises(PlanError) as caught:
        require_kept(Plan.from_toml(hiding("4")))
    assert caught.value.subject == "privacy.epsilon"
    least = forecast(Plan.from_toml(hiding("4")), 1).least_noise
    assert f"noise_multiplier = {least}" in caught.value.hint
    assert "minimum_examples" not in caught.value.hint
    assert require_kept(Plan.from_toml(hiding(str(least)))) <= 3


def test_command_tells_what_whole_sites_spend_and_how_much_noise_is_left(tmp_path: Path) -> None:
    file = tmp_path / "pilot.toml"
    file.write_text(hiding("4"))
    runner = CliRunner()
    shown = runner.invoke(main, ["privacy", "plan", str(file)])
    assert shown.exit_code == 0, shown.output
    found = forecast(Plan.from_toml(hiding("4")), 1)
    assert str(found.epsilon) in shown.stdout
    assert f"promise ends in round {found.trainings + 1}" in shown.stdout
    answer = json.loads(runner.invoke(main, ["privacy", "plan", str(file), "--json"]).stdout)
    assert answer["site"]["epsilon"] == str(found.epsilon)
    # Three of ten may vanish and one collude: six honest sites share what is promised.
    assert [(each["sites"], each["variance"]) for each in answer["sums"]] == [
        (7, "7/6"), (10, "5/3"),
    ]  # fmt: skip
    # 4 norms in a sum of 7 with 7/6 of the variance: 4 * sqrt(7 / 6) / 7
    assert answer["sums"][0]["noise_in_mean"] == pytest.approx(0.6172134, rel=1e-6)


def test_command_refuses_noise_that_has_no_room_in_the_ring(tmp_path: Path) -> None:
    file = tmp_path / "pilot.toml"
    file.write_text(hiding("900"))
    shown = CliRunner().invoke(main, ["privacy", "plan", str(file)])
    assert shown.exit_code == 2
    assert "noise multiplier" in shown.output


def test_command_tells_what_a_plan_spends(tmp_path: Path) -> None:
    file = tmp_path / "pilot.toml"
    file.write_text(text())
    runner = CliRunner()
    shown = runner.invoke(main, ["privacy", "plan", str(file), "--examples", "1400"])
    assert shown.exit_code == 0, shown.output
    found = forecast(plan(), 1_400)
    assert str(found.epsilon) in shown.stdout
    assert f"promise ends in round {found.trainings + 1}" in shown.stdout
    asked = ["privacy", "plan", str(file), "--examples", "1400", "--examples", "9000", "--json"]
    answer = json.loads(runner.invoke(main, asked).stdout)
    assert answer["promise"] == {"epsilon": "3", "delta": "0.00001"}
    assert [each["examples"] for each in answer["datasets"]] == [1_400, 9_000]
    assert answer["datasets"][0]["epsilon"] == str(found.epsilon)


def test_command_refuses_a_plan_without_a_promise(tmp_path: Path) -> None:
    file = tmp_path / "pilot.toml"
    file.write_text(text().split("[privacy]")[0])
    shown = CliRunner().invoke(main, ["privacy", "plan", str(file)])
    assert shown.exit_code == 2
    assert "differential-privacy.md" in shown.output

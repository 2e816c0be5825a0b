"""`fednet airlock`: what a reviewer sees and does, beside a node that holds the gate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fednet.airlock import policy_of
from fednet.cli import main
from fednet.domain.airlock import AirlockStep
from fednet.domain.identity import Digest, SiteId
from fednet.ledger.abi import CONTRACTS
from fednet.ledger.deployment import write_deployment
from fednet.node.gate import Gate
from fednet.node.passages import report_path
from tests.unit.audit.books import DEPLOYMENT
from tests.unit.node.gates import ASKED, HUMAN, KEY, REFUSED, RUN, SITE, asking
from tests.unit.node.views import attempt_key

DEPLOYED = replace(
    DEPLOYMENT,
    code_hashes=tuple((name, Digest(b"\x02" * 32)) for name in sorted(CONTRACTS)),
)
REASON = "patient 17 is an outlier"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "fednet.toml").write_text(f"[site]\nid = {SITE}\n")
    write_deployment(tmp_path / "deployment.json", DEPLOYED)
    return tmp_path


@pytest.fixture
def gate(home: Path) -> Iterator[Gate]:
    policy: dict[str, Any] = HUMAN
    opened = Gate(home / "airlock", DEPLOYED, SiteId(SITE), policy_of(policy, "policy"))
    yield opened
    opened.close()


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home), "airlock", *arguments])


def ask(gate: Gate, **what: Any) -> None:
    gate.ask(asking(**what), ASKED, ASKED + 100)


def test_a_home_whose_airlock_was_never_asked_lists_nothing(home: Path) -> None:
    assert run(home, "list").output == "no requests\n"
    assert json.loads(run(home, "list", "--json").output) == []
    missing = run(home, "show", "1")
    assert missing.exit_code == 2
    assert "no such request" in missing.output


def test_a_home_without_a_site_or_a_deployment_says_what_it_lacks(home: Path) -> None:
    (home / "fednet.toml").unlink()
    assert "belongs to no site" in run(home, "list").output
    (home / "deployment.json").unlink()
    found = run(home, "list")
    assert (found.exit_code, "no deployment file" in found.output) == (2, True)


def test_requests_are_listed_and_shown_in_plain_words(home: Path, gate: Gate) -> None:
    ask(gate)
    listed = run(home, "list", "--waiting", "--json")
    (entry,) = json.loads(listed.output)
    assert (entry["number"], entry["run"], entry["round"], entry["dataset"]) == (1, 1, 1, 4)
    assert entry["state"] == "waiting"
    shown = run(home, "show", "1")
    assert shown.exit_code == 0
    for text in (
        "norm of the update",
        "passed",
        "fednet airlock approve 1",
        "1970-01-01 00:17:30Z",
    ):
        assert text in shown.output
    (check,) = json.loads(run(home, "show", "1", "--json").output)["checks"]
    assert (check["figure"], check["bound"]) == (3.0, 5.0)


def test_an_approval_lets_the_node_decide_so(home: Path, gate: Gate) -> None:
    ask(gate)
    assert run(home, "approve", "1").output == "request 1 is approved\n"
    assert json.loads(run(home, "list", "--waiting", "--json").output) == []
    assert json.loads(run(home, "list", "--json").output)[0]["state"] == "answered"
    assert gate.settle(RUN, KEY, ASKED, in_time=True).step is AirlockStep.APPROVED
    assert "approved: a reviewer approved it" in run(home, "show", "1").output


def test_a_rejection_needs_a_reason_that_stays_in_the_home(home: Path, gate: Gate) -> None:
    ask(gate)
    for arguments in ((), ("--reason", " ")):
        assert run(home, "reject", "1", *arguments).exit_code == 2
    assert gate.held(RUN)[KEY].waits
    assert run(home, "reject", "1", "--reason", REASON).exit_code == 0
    assert gate.settle(RUN, KEY, ASKED, in_time=True).step is AirlockStep.REJECTED
    assert REASON in run(home, "show", "1").output
    holding = [path for path in home.rglob("*") if path.is_file() and REASON in path.read_text()]
    assert [path.parent.name for path in holding] == ["answers"]


def test_an_update_is_sent_back_with_a_reason(home: Path, gate: Gate) -> None:
    ask(gate)
    assert run(home, "return", "1").exit_code == 2
    assert run(home, "return", "1", "--reason", REASON).output == "request 1 is returned\n"
    assert gate.settle(RUN, KEY, ASKED, in_time=True).step is AirlockStep.RETURNED
    assert "returned: a reviewer returned it" in run(home, "show", "1").output
    assert run(home, "approve", "1").exit_code == 7


def test_a_reason_is_read_from_a_file(home: Path, gate: Gate, tmp_path: Path) -> None:
    ask(gate)
    (tmp_path / "why.txt").write_text(REASON)
    assert run(home, "reject", "1", "--reason-file", str(tmp_path / "why.txt")).exit_code == 0
    assert json.loads(run(home, "show", "1", "--json").output)["answer"]["reason"] == REASON


def test_what_was_answered_or_decided_is_not_answered_again(home: Path, gate: Gate) -> None:
    ask(gate)
    run(home, "approve", "1")
    again = run(home, "reject", "1", "--reason", REASON)
    assert (again.exit_code, "waits for no answer" in again.output) == (7, True)
    ask(gate, run=2)
    gate.settle(asking(run=2).subject.run, KEY, ASKED + 61, in_time=True)
    late = run(home, "approve", "2")
    assert (late.exit_code, "expired" in late.output) == (7, True)


def test_an_answer_that_comes_after_its_round_is_given_to_the_same_values_again(
    home: Path, gate: Gate
) -> None:
    later = attempt_key(2)
    ask(gate, values=b"late work")
    gate.settle(RUN, KEY, ASKED, in_time=False)
    assert run(home, "approve", "1").exit_code == 7
    ask(gate, key=later, data=b"wrapped again", values=b"late work")
    assert run(home, "approve", "1").output == "request 2 is approved\n"
    assert gate.settle(RUN, later, ASKED, in_time=True).step is AirlockStep.APPROVED


def test_nobody_is_asked_about_what_a_check_refused(home: Path, gate: Gate) -> None:
    ask(gate, passage=REFUSED)
    assert run(home, "approve", "1").exit_code == 7
    shown = run(home, "show", "1").output
    assert "refused" in shown
    assert "content.maximum_likeness" in shown


def test_what_cannot_be_read_is_not_approved_but_may_be_rejected(home: Path, gate: Gate) -> None:
    ask(gate)
    path = report_path(gate.folder, 1)
    path.write_bytes(path.read_bytes() + b" ")
    assert run(home, "approve", "1").exit_code == 3
    assert gate.held(RUN)[KEY].waits
    assert run(home, "reject", "1", "--reason", REASON).exit_code == 0

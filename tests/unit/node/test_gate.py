"""The airlock's queue: durable, decided once, by checks, persons, deadlines and budgets."""

from __future__ import annotations

import itertools
import os
import signal
import stat
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from fednet.airlock import Spending
from fednet.domain.airlock import AirlockRecord, AirlockStep
from fednet.domain.identity import ZERO_DIGEST, DatasetId, RunId
from fednet.errors import DigestMismatchError, PhaseError, SettingsError
from fednet.node.answers import Ruling, answer_path, give_answer, read_answer
from fednet.node.gate import Gate
from fednet.node.passages import read_report, report_path
from fednet.node.places import AttemptKey
from fednet.node.requests import BOOK, read_book
from fednet.node.view import Held
from tests.unit.node.gates import (
    ASKED,
    HUMAN,
    KEY,
    PASSED,
    REFUSED,
    RUN,
    UNTIL,
    ask,
    gate_in,
)
from tests.unit.node.views import attempt_key

APPROVE, REJECT, RETURN = Ruling


def settle(
    gate: Gate,
    now: int = ASKED,
    *,
    run: RunId = RUN,
    key: AttemptKey = KEY,
    in_time: bool = True,
) -> AirlockStep:
    return gate.settle(run, key, now, in_time=in_time).step


def answer(gate: Gate, ruling: Ruling, reason: str = "an outlier") -> None:
    give_answer(gate.folder, gate.request(RUN, KEY), ruling, reason, 9)


def test_without_a_person_the_checks_decide(tmp_path: Path) -> None:
    with gate_in(tmp_path) as gate:
        ask(gate)
        assert gate.held(RUN) == {KEY: Held(1, UNTIL, waits=False, asked=ASKED)}
        assert settle(gate) is AirlockStep.APPROVED
        ask(gate, key=attempt_key(2), passage=REFUSED, data=b"other")
        assert settle(gate, key=attempt_key(2)) is AirlockStep.REJECTED
        assert "content.maximum_likeness" in gate.held(RUN)[attempt_key(2)].why


def test_no_person_lets_out_what_a_check_refused(tmp_path: Path) -> None:
    with gate_in(tmp_path, HUMAN) as gate:
        ask(gate, passage=REFUSED)
        answer(gate, APPROVE)
        assert not gate.held(RUN)[KEY].waits
        assert settle(gate) is AirlockStep.REJECTED


@pytest.mark.parametrize(
    ("ruling", "step"),
    [
        (Ruling.APPROVED, AirlockStep.APPROVED),
        (Ruling.REJECTED, AirlockStep.REJECTED),
        (Ruling.RETURNED, AirlockStep.RETURNED),
    ],
)
def test_a_person_decides_and_only_a_commitment_to_the_reason_is_for_others(
    tmp_path: Path, ruling: Ruling, step: AirlockStep
) -> None:
    with gate_in(tmp_path, HUMAN) as gate:
        ask(gate)
        assert gate.held(RUN)[KEY] == Held(1, ASKED + 50, waits=True, asked=ASKED)
        with pytest.raises(RuntimeError, match="waits for an answer"):
            settle(gate)
        answer(gate, ruling, "patient 17 is an outlier")
        assert not gate.held(RUN)[KEY].waits
        assert settle(gate) is step
        record = gate.untold(RUN)[-1]
        assert record.step is step
        given = read_answer(gate.folder, gate.request(RUN, KEY))
        assert given is not None
        assert record.reason == given.commitment
        assert b"patient" not in (gate.folder / BOOK).read_bytes()


def test_the_first_answer_stands_and_what_stays_needs_a_reason(tmp_path: Path) -> None:
    with gate_in(tmp_path, HUMAN) as gate:
        ask(gate)
        for ruling, reason in itertools.product((REJECT, RETURN), ("", "  ", "x" * 10_001)):
            with pytest.raises(SettingsError):
                answer(gate, ruling, reason)
        answer(gate, REJECT)
        with pytest.raises(PhaseError):
            answer(gate, APPROVE)
        assert settle(gate) is AirlockStep.REJECTED


@pytest.mark.parametrize("change", [b"", b"{}", b'{"ruling":"approved"}', b"\xff" * 300_000])
def test_a_file_that_is_no_answer_counts_for_none(tmp_path: Path, change: bytes) -> None:
    with gate_in(tmp_path, HUMAN) as gate:
        ask(gate)
        path = answer_path(gate.folder, 1)
        path.parent.mkdir()
        path.write_bytes(change)
        assert gate.held(RUN)[KEY].waits


def test_an_answer_to_another_report_counts_for_none(tmp_path: Path) -> None:
    with gate_in(tmp_path / "one", HUMAN) as gate, gate_in(tmp_path / "other", HUMAN) as other:
        ask(gate)
        ask(other, data=b"another update")
        answer(other, APPROVE)
        path = answer_path(gate.folder, 1)
        path.parent.mkdir()
        path.write_bytes(answer_path(other.folder, 1).read_bytes())
        assert gate.held(RUN)[KEY].waits


@pytest.mark.parametrize(
    ("unanswered", "in_time", "step"),
    [
        ("hold", True, AirlockStep.EXPIRED),
        ("release", True, AirlockStep.APPROVED),
        ("hold", False, AirlockStep.EXPIRED),
        ("release", False, AirlockStep.EXPIRED),
    ],
)
def test_what_nobody_answers_is_held_or_released_and_never_after_its_round(
    tmp_path: Path, unanswered: str, in_time: bool, step: AirlockStep
) -> None:
    policy = {"gate": {**HUMAN["gate"], "unanswered": unanswered}}
    with gate_in(tmp_path, policy) as gate:
        ask(gate)
        assert settle(gate, ASKED + 51, in_time=in_time) is step


def test_an_answer_after_the_deadline_counts_while_the_round_waits(tmp_path: Path) -> None:
    with gate_in(tmp_path, HUMAN) as gate:
        ask(gate)
        answer(gate, APPROVE)
        assert settle(gate, ASKED + 99) is AirlockStep.APPROVED


def test_nobody_is_waited_for_longer_than_the_round_does(tmp_path: Path) -> None:
    with gate_in(tmp_path, {"gate": {"human": True, "answer_seconds": 9_999}}) as gate:
        ask(gate)
        assert gate.held(RUN)[KEY].deadline == UNTIL


def test_what_was_decided_is_not_decided_again(tmp_path: Path) -> None:
    with gate_in(tmp_path, HUMAN) as gate:
        ask(gate)
        assert settle(gate, ASKED + 51) is AirlockStep.EXPIRED
        answer(gate, APPROVE)
        assert settle(gate, ASKED + 52) is AirlockStep.EXPIRED


def test_asking_again_for_the_same_bytes_is_one_request(tmp_path: Path) -> None:
    with gate_in(tmp_path, HUMAN) as gate:
        assert [ask(gate), ask(gate)] == [1, 1]
        assert ask(gate, data=b"trained anew") == 2
        assert gate.held(RUN)[KEY].number == 2


def test_the_same_values_are_answered_once_whatever_round_they_are_put_in(tmp_path: Path) -> None:
    later, other = attempt_key(2), attempt_key(3)
    with gate_in(tmp_path, HUMAN) as gate:
        ask(gate, values=b"late work")
        answer(gate, APPROVE)
        assert settle(gate, in_time=False) is AirlockStep.EXPIRED
        ask(gate, key=later, data=b"wrapped again", values=b"late work")
        ask(gate, key=other, data=b"something else", values=b"other work")
        held = gate.held(RUN)
        assert (held[later].waits, held[other].waits) == (False, True)
        assert settle(gate, key=later) is AirlockStep.APPROVED
    with gate_in(tmp_path, HUMAN) as again:
        assert again.request(RUN, later).values == again.request(RUN, KEY).values
        assert again.held(RUN)[other].waits


def test_what_was_sent_back_is_asked_about_again_even_if_nothing_changed(tmp_path: Path) -> None:
    with gate_in(tmp_path, HUMAN) as gate:
        ask(gate, values=b"work")
        answer(gate, RETURN)
        assert settle(gate) is AirlockStep.RETURNED
        assert ask(gate, data=b"wrapped again", values=b"work") == 2
        assert gate.held(RUN)[KEY].waits
        ask(gate, key=attempt_key(2), data=b"and again", values=b"work")
        assert gate.held(RUN)[attempt_key(2)].waits
        answer(gate, APPROVE)
        assert settle(gate) is AirlockStep.APPROVED
        assert [(each.step, each.report) for each in gate.untold(RUN)[:4]] == [
            (AirlockStep.REQUESTED, read_book(gate.folder).requests[1].report),
            (AirlockStep.RETURNED, read_book(gate.folder).requests[1].report),
            (AirlockStep.REQUESTED, gate.request(RUN, KEY).report),
            (AirlockStep.REQUESTED, gate.request(RUN, attempt_key(2)).report),
        ]
        assert gate.spent(DatasetId(4)) == Spending(1)


def test_values_that_nobody_hashed_are_like_no_others(tmp_path: Path) -> None:
    with gate_in(tmp_path, HUMAN) as gate:
        ask(gate)
        answer(gate, APPROVE)
        ask(gate, key=attempt_key(2), data=b"another")
        assert gate.held(RUN)[attempt_key(2)].waits


def test_a_budget_of_updates_counts_over_all_runs_and_by_dataset(tmp_path: Path) -> None:
    with gate_in(tmp_path, {"budgets": {"every": {"updates": 2}}}) as gate:
        steps = []
        for run, dataset in ((1, 4), (2, 4), (2, 5), (3, 4)):
            ask(gate, run=run, key=attempt_key(dataset), dataset=dataset)
            steps.append(settle(gate, run=RunId(run), key=attempt_key(dataset)))
        assert steps == [*[AirlockStep.APPROVED] * 3, AirlockStep.REJECTED]
        assert gate.spent(DatasetId(4)) == Spending(2)
        assert "budgets.every.updates" in gate.held(RunId(3))[attempt_key(4)].why


def test_a_runs_epsilon_counts_once_however_many_rounds_it_has(tmp_path: Path) -> None:
    with gate_in(tmp_path, {"budgets": {"4": {"epsilon": 8}}}) as gate:
        for number in (1, 2, 3):
            ask(gate, key=attempt_key(number), epsilon="5")
            assert settle(gate, key=attempt_key(number)) is AirlockStep.APPROVED
        assert gate.spent(DatasetId(4)) == Spending(3, Decimal(5))
        assert (gate.has_begun(RUN), gate.has_begun(RunId(2))) == (True, False)
        ask(gate, run=2, epsilon="3.01")
        assert settle(gate, run=RunId(2)) is AirlockStep.REJECTED


def test_a_budget_stands_over_a_persons_approval(tmp_path: Path) -> None:
    with gate_in(tmp_path, HUMAN | {"budgets": {"every": {"updates": 0}}}) as gate:
        ask(gate)
        answer(gate, APPROVE)
        assert settle(gate) is AirlockStep.REJECTED


def test_the_ledger_is_told_each_step_once_and_in_order(tmp_path: Path) -> None:
    with gate_in(tmp_path, HUMAN) as gate:
        ask(gate)
        report = gate.request(RUN, KEY).report
        requested = AirlockRecord(
            AirlockStep.REQUESTED, RUN, KEY.round, KEY.attempt, DatasetId(4), report
        )
        assert gate.untold(RUN) == (requested,)
        assert gate.untold(RunId(2)) == ()
        settle(gate, ASKED + 51)
        expired = gate.untold(RUN)[1]
        assert (expired.step, expired.reason) == (AirlockStep.EXPIRED, ZERO_DIGEST)
        gate.tell(requested)
        assert gate.untold(RUN) == (expired,)
    with gate_in(tmp_path, HUMAN) as again:
        assert again.untold(RUN) == (expired,)
        again.tell(expired)
        assert again.untold(RUN) == ()


def test_a_report_is_salted_and_an_altered_one_is_refused(tmp_path: Path) -> None:
    with gate_in(tmp_path) as gate:
        ask(gate)
        ask(gate, run=2)
        one, other = gate.request(RUN, KEY), gate.request(RunId(2), KEY)
        assert one.report != other.report
        assert read_report(gate.folder, one) == PASSED
        path = report_path(gate.folder, 1)
        path.write_bytes(path.read_bytes().replace(b"passed", b"refuse"))
        with pytest.raises(DigestMismatchError):
            read_report(gate.folder, one)
        path.unlink()
        with pytest.raises(SettingsError):
            read_report(gate.folder, one)


def test_files_are_for_the_owner_only(tmp_path: Path) -> None:
    with gate_in(tmp_path, HUMAN) as gate:
        ask(gate)
        answer(gate, APPROVE)
        for path in [gate.folder, *gate.folder.rglob("*")]:
            wanted = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path
        assert not list(gate.folder.rglob("*.part"))


def test_two_nodes_do_not_share_a_gate_and_a_reader_needs_no_permission(tmp_path: Path) -> None:
    with gate_in(tmp_path) as gate:
        ask(gate)
        with pytest.raises(SettingsError, match="another node"), gate_in(tmp_path):
            pass
        assert list(read_book(gate.folder).requests) == [1]


def test_a_damaged_book_is_not_opened_and_a_torn_line_is_forgotten(tmp_path: Path) -> None:
    with gate_in(tmp_path) as gate:
        ask(gate)
        settle(gate)
        book = gate.folder / BOOK
    whole = book.read_bytes()
    book.write_bytes(whole + b'{"kind":"decided"')
    assert len(read_book(gate.folder).decisions) == 1
    with gate_in(tmp_path) as again:
        assert again.held(RUN)[KEY].step is AirlockStep.APPROVED
    assert book.read_bytes() == whole
    for damaged in (whole.replace(b"approved", b"rejected"), b"".join([whole, whole])):
        book.write_bytes(damaged)
        with pytest.raises(SettingsError, match="damaged"), gate_in(tmp_path):
            pass


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from fednet.node import gate as module
from tests.unit.node.gates import ASKED, KEY, RUN, ask, gate_in

step, folder = sys.argv[1], Path(sys.argv[2])
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
with gate_in(folder) as gate:
    if step == "before the report":
        module.write_report = die
    elif step == "after the report":
        gate._log.append = die
    ask(gate)
    if step == "before the decision":
        gate._log.append = die
    if step != "asked":
        gate.settle(RUN, KEY, ASKED, in_time=True)
    die()
"""


@pytest.mark.parametrize(
    ("step", "known", "decided"),
    [
        ("before the report", False, None),
        ("after the report", False, None),
        ("asked", True, None),
        ("before the decision", True, None),
        ("decided", True, AirlockStep.APPROVED),
    ],
)
def test_a_node_that_is_killed_anywhere_goes_on_from_the_book(
    tmp_path: Path, step: str, known: bool, decided: AirlockStep | None
) -> None:
    root = Path(__file__).parents[3]
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, step, str(tmp_path), str(root)],
        env=os.environ | {"PYTHONPATH": str(root)}, check=False, capture_output=True,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    with gate_in(tmp_path) as gate:
        held = gate.held(RUN).get(KEY)
        assert (held is not None) is known
        if held is not None:
            assert held.step is decided
        assert ask(gate) == 1
        assert settle(gate) is AirlockStep.APPROVED
        assert read_report(gate.folder, gate.request(RUN, KEY)) == PASSED

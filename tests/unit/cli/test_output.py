from __future__ import annotations

import pytest

from fednet.cli import output
from fednet.cli.amounts import to_ether, to_wei
from fednet.domain.identity import Commitment
from fednet.domain.ledger import CreditAccount, Phase, Role


def test_text_cannot_steer_the_terminal() -> None:
    assert output.text("\x1b[2JClinic\r\n") == "?[2JClinic??"


def test_plain_turns_domain_values_into_json_values() -> None:
    value = {
        "phase": Phase.COLLECTING,
        "roles": Role.SITE | Role.AGGREGATOR,
        "digest": Commitment(bytes(32)),
        "account": CreditAccount(1, 2),
        "sites": (1, 2),
    }
    assert output.plain(value) == {
        "phase": "collecting",
        "roles": ["site", "aggregator"],
        "digest": "00" * 32,
        "account": {"claimed": 1, "balance": 2},
        "sites": [1, 2],
    }


def test_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit_table("runs", ("run",), [])
    assert capsys.readouterr().out == "no runs\n"


def test_table_shows_square_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit_table("sites", ("name",), [("[bold]Clinic[/bold]",)])
    assert "[bold]Clinic[/bold]" in capsys.readouterr().out


def test_ether_is_converted_exactly() -> None:
    assert to_wei("0.05") == 50_000_000_000_000_000
    assert to_wei("1e-18") == 1
    assert to_ether(1_500_000_000_000_000_000) == "1.500000"

"""What a revert's data says, in the forms that chains give it."""

from __future__ import annotations

import pytest

from fednet.domain.ledger import Phase, Standing
from fednet.ledger import abi
from fednet.ledger.refusals import refusal, revert_data


def encoded(name: str, *arguments: object) -> bytes:
    error = next(each for each in abi.errors_by_selector().values() if each.name == name)
    return error.encode(arguments)


@pytest.mark.parametrize(
    "raw",
    [
        "0x1234",
        {"data": "0x1234"},
        {"hash": None, "programCounter": 7, "result": "0x1234", "reason": None},
        "Reverted 0x1234",
    ],
)
def test_data_is_found_where_chains_put_it(raw: object) -> None:
    assert revert_data(raw) == b"\x12\x34"


@pytest.mark.parametrize("raw", [None, "", 7, {}, "revert", "0xzz", {"result": None}])
def test_no_data_is_none(raw: object) -> None:
    assert revert_data(raw) is None


def test_enum_arguments_become_ours() -> None:
    error = refusal(encoded("PhaseWrong", 3, int(Phase.ATTESTING)), "submit")
    assert error.arguments == {"run": 3, "actual": Phase.ATTESTING}
    assert error.subject == "submit"
    assert "attesting" in str(error)
    standing = refusal(encoded("SiteStandingWrong", 1, int(Standing.REVOKED)), "submit")
    assert standing.arguments["actual"] is Standing.REVOKED


def test_language_s_own_errors_are_named() -> None:
    text = bytes.fromhex("08c379a0") + abi.encode(["string"], ["no"])
    assert refusal(text, "x").arguments == {"reason": "no"}
    panic = bytes.fromhex("4e487b71") + abi.encode(["uint256"], [0x11])
    assert (refusal(panic, "x").error, refusal(panic, "x").arguments) == ("Panic", {"code": 0x11})


@pytest.mark.parametrize("data", [None, b"", b"\1\2\3", b"\xff" * 40])
def test_unknown_data_is_unknown(data: bytes | None) -> None:
    assert refusal(data, "x").error == "Unknown"


def test_truncated_arguments_are_unknown() -> None:
    assert refusal(encoded("PhaseWrong", 3, 1)[:20], "x").error == "Unknown"

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fednet.cli.invitation import Invitation, Secrets, TaskOffer, Terms, new_code
from fednet.errors import SettingsError, VerificationError

TERMS = Terms(
    chain_url="http://127.0.0.1:8545",
    deployment={"chain_id": 1337},
    peers=["/ip4/127.0.0.1/tcp/4001/p2p/Qm"],
    task=TaskOffer(source="breast-cancer", digest="ab" * 32),
)
CONTENTS = Secrets(swarm_key="11" * 32, voucher_key="22" * 32)
CODE = "ABCDE-FGHJK-MNPQR-STVWX-YZ234"


def test_invitation_opens_with_its_code_however_it_is_typed(tmp_path: Path) -> None:
    Invitation.sealing(TERMS, CONTENTS, CODE).write(tmp_path / "clinic.json")
    read = Invitation.read(tmp_path / "clinic.json")
    assert read.terms == TERMS
    assert read.open(CODE) == CONTENTS
    assert read.open(f" {CODE.lower().replace('-', ' ')}") == CONTENTS


def test_invitation_holds_no_secret_in_the_clear(tmp_path: Path) -> None:
    Invitation.sealing(TERMS, CONTENTS, CODE).write(tmp_path / "clinic.json")
    text = (tmp_path / "clinic.json").read_text()
    assert CONTENTS.swarm_key not in text
    assert CONTENTS.voucher_key not in text
    assert CODE not in text


def test_invitation_refuses_another_code() -> None:
    with pytest.raises(VerificationError, match="code does not open"):
        Invitation.sealing(TERMS, CONTENTS, CODE).open(new_code())


def test_invitation_refuses_when_its_readable_part_was_exchanged() -> None:
    made = Invitation.sealing(TERMS, CONTENTS, CODE)
    other = TERMS.model_copy(update={"chain_url": "http://evil.example:8545"})
    with pytest.raises(VerificationError):
        made.model_copy(update={"terms": other}).open(CODE)


def test_invitation_is_never_written_over_another(tmp_path: Path) -> None:
    path = tmp_path / "clinic.json"
    path.write_text("precious")
    with pytest.raises(SettingsError):
        Invitation.sealing(TERMS, CONTENTS, CODE).write(path)
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    "text", ["", "not json", "[]", "{}", '{"terms": {}, "sealed": {}}', "[" * 100_000]
)
def test_file_that_is_no_invitation_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "clinic.json").write_text(text)
    with pytest.raises(SettingsError, match="not an invitation"):
        Invitation.read(tmp_path / "clinic.json")


def test_invitation_of_another_format_is_refused(tmp_path: Path) -> None:
    raw = Invitation.sealing(TERMS, CONTENTS, CODE).model_dump()
    raw["terms"]["format"] = "fednet-invitation/2"
    (tmp_path / "clinic.json").write_text(json.dumps(raw))
    with pytest.raises(SettingsError, match=r"terms\.format"):
        Invitation.read(tmp_path / "clinic.json")


def test_codes_are_long_and_differ() -> None:
    codes = {new_code() for _ in range(50)}
    assert len(codes) == 50
    assert all(len(code.replace("-", "")) == 25 for code in codes)

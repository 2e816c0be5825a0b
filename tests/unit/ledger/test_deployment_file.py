"""The deployment file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fednet.domain.identity import Address, Digest
from fednet.domain.ledger import Deployment, Modules
from fednet.errors import SettingsError
from fednet.ledger.abi import CONTRACTS
from fednet.ledger.codec import to_address
from fednet.ledger.deploy import created_address
from fednet.ledger.deployment import (
    decode_deployment,
    encode_deployment,
    read_deployment,
    write_deployment,
)


def address(number: int) -> Address:
    return to_address("0x" + f"{number:02x}" * 20)


DEPLOYMENT = Deployment(
    chain_id=1337,
    genesis_hash=Digest(b"\1" * 32),
    block=3,
    site_registry=address(0xA1),
    data_access=address(0xA2),
    runs=address(0xA3),
    credits=address(0xA4),
    disclosures=address(0xA9),
    masking=address(0xAA),
    modules=Modules(
        plain=address(0xA5),
        batched=address(0xA6),
        sampled=address(0xA7),
        masked=address(0xAB),
    ),
    code_hashes=tuple((name, Digest(b"\2" * 32)) for name in sorted(CONTRACTS)),
)


def test_deployment_survives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "with space" / "deployment.json"
    write_deployment(path, DEPLOYMENT)
    assert read_deployment(path) == DEPLOYMENT
    write_deployment(path, replace(DEPLOYMENT, block=4))
    assert read_deployment(path).block == 4
    assert [each.name for each in path.parent.iterdir()] == ["deployment.json"]


def test_module_is_found_by_the_plans_word_and_by_its_address() -> None:
    modules = DEPLOYMENT.modules
    assert [modules.at(name) for name in ("plain", "batched", "sampled", "masked")] == [
        address(number) for number in (0xA5, 0xA6, 0xA7, 0xAB)
    ]
    assert modules.name_of(address(0xA7)) == "sampled"
    assert modules.name_of(address(0xA8)) is None
    assert sorted(DEPLOYMENT.contracts()) == sorted(CONTRACTS)


def change(path: tuple[str, ...], value: Any) -> str:
    raw = json.loads(encode_deployment(DEPLOYMENT))
    where = raw
    for key in path[:-1]:
        where = where[key]
    where[path[-1]] = value
    return json.dumps(raw)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        change(("format",), "fednet-deployment/2"),
        change(("chain_id",), 0),
        change(("chain_id",), "1337"),
        change(("block",), -1),
        change(("genesis_hash",), "12"),
        change(("contracts", "runs"), "0x12"),
        change(("contracts", "runs"), address(0xA3).lower()),
        change(("contracts", "extra"), address(0xA3)),
        change(("modules", "plain"), address(0xA5).lower()),
        change(("modules", "later"), address(0xA5)),
        change(("code_hashes",), {}),
        change(("code_hashes", "Runs"), "12"),
        change(("code_hashes", "Other"), "02" * 32),
        change(("surprise",), 1),
    ],
)
def test_unsound_file_is_refused(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        decode_deployment(text, "deployment.json")
    assert caught.value.subject == "deployment.json"
    assert caught.value.hint


def test_missing_file_says_whom_to_ask(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_deployment(tmp_path / "deployment.json")
    assert "operator" in caught.value.hint


def test_unwritable_place_is_a_settings_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(SettingsError):
        write_deployment(tmp_path / "file" / "deployment.json", DEPLOYMENT)


def test_created_address_follows_the_nonce() -> None:
    creator = Address("0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0")
    assert created_address(creator, 0) == "0xcd234A471b72ba2F1Ccf0A70FCABA648a5eeCD8d"
    assert created_address(creator, 1) == "0x343c43A37D37dfF08AE8C4A11544c718AbB4fCF8"

"""The Python side and the compiled contracts say the same: enums, structs, events, errors."""

from __future__ import annotations

import re
from dataclasses import fields
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from fednet.domain import disclosures, masking_stages
from fednet.domain import ledger as values
from fednet.domain.events import RunEvent
from fednet.domain.identity import Address, Digest
from fednet.ledger import abi, codec
from fednet.ledger.refusals import REFUSALS, refusal

INTERFACES = Path(__file__).resolve().parents[2] / "contracts" / "interfaces"
ROLES = INTERFACES.parent / "Roles.sol"
ENUMS: list[tuple[str, str, type[IntEnum]]] = [
    ("ISiteRegistry", "Standing", values.Standing),
    ("IDataAccess", "AccessStatus", values.AccessStatus),
    ("IRoundsTypes", "Phase", values.Phase),
    ("IDisclosuresRecords", "ReleaseStatus", disclosures.ReleaseStatus),
    ("IMaskingTypes", "Stage", masking_stages.MaskingStage),
]
STRUCTS: list[tuple[str, str, type[Any], set[str]]] = [
    ("SiteRegistry", "siteOf", values.Site, {"site"}),
    ("DataAccess", "datasetOf", values.Dataset, {"dataset"}),
    ("DataAccess", "accessOf", values.Access, {"grant"}),
    ("Runs", "runOf", values.Run, {"run"}),
    ("PlainRounds", "stateOf", values.RunState, set()),
    ("PlainRounds", "memberOf", values.Member, set()),
    ("PlainRounds", "parametersOf", values.Parameters, set()),
    ("Credits", "accountOf", values.CreditAccount, set()),
    ("Disclosures", "budgetOf", disclosures.DatasetBudget, {"dataset"}),
    ("Disclosures", "useOf", disclosures.DatasetUse, {"run", "dataset"}),
    ("Disclosures", "readerOf", disclosures.BlobReader, {"reader"}),
    ("Masking", "timesOf", masking_stages.MaskingTimes, set()),
    ("Masking", "stateOf", masking_stages.MaskingState, set()),
]
ARGUMENTS: list[tuple[str, str, int, type[Any]]] = [
    ("SiteRegistry", "applyFor", 0, values.Application),
    ("PlainRounds", "propose", 0, values.Proposal),
    ("Credits", "claim", 3, values.Settlement),
]
EVENTS = [
    (contract, event)
    for contract in abi.CONTRACTS
    for event in abi.contract(contract).events.values()
    if event.name in codec.event_classes()
]
FOREIGN_EVENTS = {"EIP712DomainChanged"}


def python_kinds(kind: type[Any]) -> dict[str, str]:
    """Reduce a value's annotations to what the ABI can tell apart."""
    return {
        name: _python_kind(hint) for name, hint in get_type_hints(kind).items() if name != "log"
    }


def _python_kind(hint: Any) -> str:
    if hint is Address:
        return "address"
    if get_origin(hint) is tuple:
        return f"{_python_kind(get_args(hint)[0])}[]"
    hint = getattr(hint, "__supertype__", hint)
    if issubclass(hint, Digest):
        return "bytes32"
    if issubclass(hint, bool):
        return "bool"
    if issubclass(hint, int | Enum):
        return "uint"
    return {str: "string", bytes: "bytes"}[hint]


def abi_kind(parameter: abi.Parameter) -> str:
    return re.sub(r"^uint\d+", "uint", parameter.abi_type)


def matches(python: str, solidity: str) -> bool:
    return python == solidity or (python, solidity) == ("bytes", "bytes32")


@pytest.mark.parametrize(("interface", "name", "kind"), ENUMS)
def test_enum_members_stand_in_the_order_of_the_contract(
    interface: str, name: str, kind: type[IntEnum]
) -> None:
    source = (INTERFACES / f"{interface}.sol").read_text("utf-8")
    found = re.search(rf"enum {name} \{{(.*?)\}}", source, re.DOTALL)
    assert found is not None
    members = re.findall(r"^\s*([A-Z]\w*),?$", found.group(1), re.MULTILINE)
    assert [member.name for member in kind] == [member.upper() for member in members]
    assert [member.value for member in kind] == list(range(len(members)))


def test_roles_have_the_bits_of_the_contract() -> None:
    found = dict(re.findall(r"constant (\w+) = (\d+);", ROLES.read_text("utf-8")))
    assert {role.name: role.value for role in values.Role} == {
        name: int(bit) for name, bit in found.items()
    }


@pytest.mark.parametrize(("contract", "function", "kind", "known"), STRUCTS)
def test_struct_has_the_fields_of_the_value(
    contract: str, function: str, kind: type[Any], known: set[str]
) -> None:
    components = abi.contract(contract).functions[function].outputs[0].fields
    kinds = python_kinds(kind)
    names = [codec.snake_case(each.name) for each in components]
    if not known:
        assert names == [field.name for field in fields(kind)]
    assert set(names) | known == set(kinds)
    for name, component in zip(names, components, strict=True):
        assert matches(kinds[name], abi_kind(component)), name


@pytest.mark.parametrize(("contract", "function", "position", "kind"), ARGUMENTS)
def test_value_that_is_sent_has_the_struct_s_order(
    contract: str, function: str, position: int, kind: type[Any]
) -> None:
    components = abi.contract(contract).functions[function].inputs[position].fields
    assert [codec.snake_case(each.name) for each in components] == [
        field.name for field in fields(kind)
    ]


@pytest.mark.parametrize(("contract", "event"), EVENTS, ids=[each.name for _, each in EVENTS])
def test_event_has_the_fields_of_its_twin(contract: str, event: abi.Entry) -> None:
    twin = codec.event_classes()[event.name]
    kinds = python_kinds(twin)
    assert [field.name for field in fields(twin)][1:] == [
        codec.snake_case(each.name) for each in event.inputs
    ]
    for each in event.inputs:
        assert matches(kinds[codec.snake_case(each.name)], abi_kind(each)), each.name
    assert issubclass(twin, RunEvent) == contract.endswith("Rounds")


def test_every_event_has_a_twin_on_both_sides() -> None:
    emitted = {name for contract in abi.CONTRACTS for name in abi.contract(contract).events}
    assert emitted - FOREIGN_EVENTS == codec.event_classes().keys()


def test_every_error_has_a_message_and_every_message_an_error() -> None:
    errors = {name for contract in abi.CONTRACTS for name in abi.contract(contract).errors}
    assert errors == REFUSALS.keys() - {"Error", "Panic"}


@pytest.mark.parametrize("error", abi.errors_by_selector().values(), ids=lambda each: each.name)
def test_every_error_is_decoded_with_its_arguments(error: abi.Entry) -> None:
    samples = {"address": "0x" + "11" * 20, "bytes32": b"rounds".ljust(32, b"\0"), "string": "x"}
    arguments = [samples.get(each.abi_type, 1) for each in error.inputs]
    decoded = refusal(error.encode(arguments), "act")
    assert decoded.error == error.name
    assert list(decoded.arguments) == [codec.snake_case(each.name) for each in error.inputs]
    assert decoded.message == REFUSALS[error.name][0]

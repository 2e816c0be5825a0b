"""Where a person's words could go: every such place is known, bounded, and told to who writes.

A new field for text in a contract, in a plan or in a command that acts fails here until
it is listed in "Free text" of docs/protocol.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import click
import pytest
from pydantic.fields import FieldInfo

from fednet.cli import main
from fednet.domain.plan import Plan
from fednet.domain.sections import Section
from fednet.ledger import abi

ROOT = Path(__file__).resolve().parents[2]
CALLS = {
    "SiteRegistry.applyFor application.name": "name of the institution",
    "SiteRegistry.applyFor application.storeAddress": "address of its store",
    "SiteRegistry.moveStore storeAddress": "address of its store",
}
"""Every argument of a contract that holds text, and what it is for."""
BYTES = {"signature", "parameters", "inclusion", "rows", "holding"}
"""Arguments of any length whose form the contract or the audit checks."""
PLAN = {"task.source", "update.travelling", "update.personal"}
"""Fields of a plan that take words of the author's choosing."""
PUBLISHED = {"access request --purpose", "access grant --terms"}
"""Options whose text every member can read."""
COMMITTED = {"access deny --reason", "dataset erase --grounds", "dataset register --description",
             "dataset replace --description", "airlock approve --reason",
             "airlock reject --reason", "airlock return --reason",
             "privacy ceiling --reason"}  # fmt: skip
"""Options of whose text only a commitment leaves the site."""
NO_WORDS = {"task", "listen", "person", "new", "chain_url", "peers", "store_address", "account",
            "host", "to", "public_key"}  # fmt: skip
"""Parameters that name a thing: an address, a task, a file."""
NAMES = {"node join --name", "site apply --name"}
"""The institution's own name, which the ledger shows."""
KEYS = {"keys import", "keys new"}
"""Name a file of this home."""


def texts(inputs: tuple[abi.Parameter, ...], before: str = "") -> Iterator[tuple[str, str]]:
    """List the arguments that can hold any number of bytes."""
    for each in inputs:
        name = f"{before}{each.name}"
        if each.fields:
            yield from texts(each.fields, f"{name}.")
        elif each.abi_type in ("string", "bytes"):
            yield name, each.abi_type


def test_every_text_of_a_contract_is_known() -> None:
    strings, others = set(), set()
    for contract in abi.CONTRACTS:
        for name, function in abi.contract(contract).functions.items():
            for argument, kind in texts(function.inputs):
                if kind == "string":
                    strings.add(f"{contract}.{name} {argument}")
                else:
                    others.add(argument.split(".")[-1])
    assert strings == set(CALLS)
    assert others == BYTES


def is_free(field: FieldInfo, kind: Any) -> bool:
    """Tell whether a field takes words that no pattern and no list holds to something."""
    if get_origin(kind) is tuple:
        return is_free(field, get_args(kind)[0])
    if get_origin(kind) is not None and get_args(kind):
        first = get_args(kind)[0]
        return first is str and not any("pattern=" in repr(each) for each in get_args(kind)[1:])
    return kind is str and not any("pattern=" in repr(each) for each in field.metadata)


def test_every_free_word_of_a_plan_is_known() -> None:
    found = {
        f"{name}.{inner}"
        for name, section in Plan.model_fields.items()
        if isinstance(section.annotation, type) and issubclass(section.annotation, Section)
        for inner, field in section.annotation.model_fields.items()
        if is_free(field, field.annotation)
    }
    top = {name for name, field in Plan.model_fields.items() if is_free(field, field.annotation)}
    assert found == PLAN
    assert top == set()


def options(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, Any]]:
    """List the parameters of every command that take any text."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from options(inner, (*path, name))
        return
    acts = {"--password-file"} & {each for one in command.params for each in one.opts}
    for one in command.params:
        is_text = isinstance(one.type, click.types.StringParamType)
        if (acts or path[0] == "airlock") and is_text and one.name not in NO_WORDS:
            yield " ".join(path), one.opts[0], one


def test_every_text_that_a_person_can_give_is_known_and_told() -> None:
    known = PUBLISHED | COMMITTED | NAMES
    found = {f"{path} {option}": one for path, option, one in options(main) if path not in KEYS}
    assert set(found) == known
    for name in COMMITTED:
        told = (found[name].help or "").lower()
        assert "sha-256" in told or "commitment" in told or "hash" in told, name
    for name in PUBLISHED:
        command: Any = main
        for word in name.split()[:-1]:
            command = command.get_command(click.Context(command), word)
        assert "published to every member" in " ".join((command.help or "").split()), name


@pytest.mark.parametrize("name", sorted(PUBLISHED | COMMITTED | NAMES | PLAN | set(CALLS)))
def test_the_protocol_names_it(name: str) -> None:
    text = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    section = text.split("\n## Free text\n")[1].split("\n## ")[0]
    rows = " ".join(re.findall(r"^\| (.+?) \|", section, re.MULTILINE))
    place = name.split()[0] if name in CALLS else name
    assert f"`{place}`" in rows

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fednet

HEAVY = ("torch", "web3", "click", "numpy", "pandas", "pyarrow", "pydantic", "eth_account")


def test_importing_costs_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules); import fednet; dir(fednet);"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & set(HEAVY)
    assert [name for name in done.stdout.split() if name.startswith("fednet")] == ["fednet"]


def test_reading_a_home_needs_no_torch() -> None:
    code = "import sys, fednet; fednet.Home('/nowhere'); fednet.Plan; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_every_public_name_is_there_and_said_once() -> None:
    assert len(fednet.__all__) <= 20
    assert list(fednet.__all__) == sorted(fednet.__all__)
    for name in fednet.__all__:
        assert getattr(fednet, name) is not None
    # What type checkers see is what is loaded.
    tree = ast.parse(Path(fednet.__file__).read_text("utf-8"))
    told = {
        alias.name: f"{node.module}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fednet.")
        for alias in node.names
    }
    assert set(told) == set(fednet.__all__) - {"__version__"}
    for name, home in told.items():
        assert fednet._HOMES[name] == home.removeprefix("fednet.")


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        _ = fednet.magic

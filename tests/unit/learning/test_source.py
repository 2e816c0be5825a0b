from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from fednet.errors import DigestMismatchError, TaskError
from fednet.learning import find_task
from fednet.learning.tasks import BUILT_IN


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def _paths(reference: str) -> list[str]:
    return [path for path, _ in find_task(reference).files]


def test_source_of_a_file_covers_what_it_imports_from_its_folder(tmp_path: Path) -> None:
    _write(
        tmp_path,
        {
            "task.py": "import os, helper\nfrom pack import inner\nraise SystemExit('never run')\n",
            "helper.py": "def f():\n    from lazily import g\n",
            "lazily.py": "",
            "pack/__init__.py": "from . import sibling\n",
            "pack/inner.py": "from .deep.er import z\n",
            "pack/sibling.py": "",
            "pack/deep/er.py": "from ... import helper\n",
            "unrelated.py": "",
        },
    )
    assert _paths(f"{tmp_path}/task.py:Mine") == [
        "helper.py",
        "lazily.py",
        "pack/__init__.py",
        "pack/deep/er.py",
        "pack/inner.py",
        "pack/sibling.py",
        "task.py",
    ]


def test_digest_can_be_rebuilt_by_hand(tmp_path: Path) -> None:
    _write(tmp_path, {"task.py": "import helper\n", "helper.py": ""})
    empty, task = (hashlib.sha256(data).hexdigest() for data in (b"", b"import helper\n"))
    listing = f"fednet task task:Mine\n{empty}  helper.py\n{task}  task.py\n"
    found = find_task(f"{tmp_path}/task.py:Mine")
    assert found.listing == listing
    assert str(found.digest) == hashlib.sha256(listing.encode()).hexdigest()


def test_digest_follows_every_covered_byte_and_no_other(tmp_path: Path) -> None:
    _write(tmp_path, {"task.py": "import helper\n", "helper.py": "x = 1\n", "other.py": ""})
    reference = f"{tmp_path}/task.py:Mine"
    before = find_task(reference).digest
    _write(tmp_path, {"other.py": "x = 2\n"})
    assert find_task(reference).digest == before
    _write(tmp_path, {"helper.py": "x = 2\n"})
    assert find_task(reference).digest != before


def test_source_other_than_the_plans_is_refused() -> None:
    found = find_task("digits")
    found.require(found.digest)
    with pytest.raises(DigestMismatchError) as caught:
        found.require(find_task("breast-cancer").digest)
    assert caught.value.actual == found.digest


def test_digest_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    files = {"task.py": "import helper\n", "helper.py": "x = 1\n"}
    one, two = (_write(tmp_path / name, files) for name in ("one", "two words"))
    assert find_task(f"{one}/task.py:T").digest == find_task(f"{two}/task.py:T").digest


def test_source_of_a_module_is_found_without_running_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(
        tmp_path,
        {
            "acme_tasks/__init__.py": "raise SystemExit('never run')\n",
            "acme_tasks/lung.py": "import beside\nimport numpy\n",
            "beside.py": "",
        },
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert _paths("acme_tasks.lung:Lung") == [
        "acme_tasks/__init__.py",
        "acme_tasks/lung.py",
        "beside.py",
    ]


def test_source_of_an_installed_module_stops_at_its_package() -> None:
    assert all(path.startswith("click/") for path in _paths("click.core:Command"))


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_built_in_task_has_a_source(name: str) -> None:
    found = find_task(name)
    assert found.is_built_in
    assert [path for path, _ in found.files] == [f"{BUILT_IN[name][0]}.py"]


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "nothing",
        "task.py",
        ":Task",
        "no.such.module:Task",
        "missing.py:Task",
        "a b:Task",
        "m:1",
    ],
)
def test_unknown_task_is_refused(reference: str) -> None:
    with pytest.raises(TaskError) as caught:
        find_task(reference)
    assert caught.value.subject == reference


def test_source_that_is_not_python_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, {"task.py": "def (:\n"})
    with pytest.raises(TaskError, match="not Python"):
        find_task(f"{tmp_path}/task.py:T")


def test_node_side_imports_no_torch() -> None:
    code = (
        "import sys, fednet.learning\n"
        "from fednet.learning import Trainer, find_task, load_table, derive_seed, probe_walls\n"
        "import fednet.learning.partition\n"
        "find_task('digits')\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_importable() -> None:
    import fednet.learning as learning

    assert learning.__all__ == sorted(learning.__all__)
    for name in learning.__all__:
        assert getattr(learning, name) is not None
    with pytest.raises(AttributeError):
        _ = learning.nothing_of_the_kind

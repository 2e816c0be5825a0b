"""Set a site up that a hostile task can aim at.

The attempts live in ``code``; they are copied into a folder of their own, and
their names are read without importing them, because they need their targets.
"""

from __future__ import annotations

import ast
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fednet.learning import Limits, Trainer

SECRET = b"only the node may read this"
_CODE = Path(__file__).parent / "code"
SMALL = Limits(memory_bytes=700 << 20, request_seconds=60.0, scratch_bytes=8 << 20, threads=32)


@dataclass(frozen=True)
class Site:
    """Hold a site's home with things worth stealing, and the hostile code's folder."""

    home: Path
    source: Path
    dataset: Path


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with _build_site(tmp_path_factory.mktemp("site")) as built:
        yield built


@pytest.fixture(scope="session")
def home(site: Site) -> Path:
    return site.home


@pytest.fixture(scope="session")
def source(site: Site) -> Path:
    return site.source


@pytest.fixture(scope="session")
def visit(site: Site) -> Callable[..., Trainer]:
    """Return a way to have one of the tasks visit, under limits that a test may change."""

    def _visit(name: str, **limits: float) -> Trainer:
        reference = f"{site.source / 'tasks.py'}:{name}"
        return Trainer(reference, site.dataset, limits=replace(SMALL, **limits))

    return _visit


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for an attempt once for each."""
    if "attempt" in metafunc.fixturenames:
        tree = ast.parse((_CODE / "attempts.py").read_text())
        functions = (node.name for node in tree.body if isinstance(node, ast.FunctionDef))
        metafunc.parametrize("attempt", [name for name in functions if name != "try_all"])


@contextmanager
def _build_site(folder: Path) -> Iterator[Site]:
    home, source = folder / "home", folder / "source"
    for path in (home / "keystores", home / "data", source):
        path.mkdir(parents=True)
    (home / "keystores" / "key.json").write_bytes(SECRET)
    for name in (
        "notes.txt",
        "removable.txt",
        "data/mine.csv",
        "data/other.csv",
        "data/victim.csv",
    ):
        (home / name).write_text("a,b\n1,2\n")
    for name in ("attempts.py", "tasks.py"):
        shutil.copy(_CODE / name, source / name)
    (source / "uncovered.py").write_text("")
    # A unix socket's path is limited to 108 bytes, and a test folder's is not.
    short = tempfile.mkdtemp(prefix="fednet-")
    socket_path = Path(short, "node.sock")
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as named,
    ):
        udp.bind(("127.0.0.1", 0))
        # Such names are shared by the whole machine, other test runs included.
        abstract_name = f"fednet-test-{os.getpid()}-{folder.name}"
        abstract.bind("\0" + abstract_name)
        named.bind(str(socket_path))
        abstract.listen()
        named.listen()
        (source / "targets.py").write_text(
            f"HOME = {str(home)!r}\n"
            f"KEYSTORE = {str(home / 'keystores' / 'key.json')!r}\n"
            f"DATASET = {str(home / 'data' / 'mine.csv')!r}\n"
            f"OTHER_DATASET = {str(home / 'data' / 'other.csv')!r}\n"
            f"VICTIM = {str(home / 'data' / 'victim.csv')!r}\n"
            f"SOURCE = {str(source)!r}\n"
            f"SECRET = {SECRET!r}\n"
            f"TCP_PORT = {tcp.getsockname()[1]}\n"
            f"UDP_PORT = {udp.getsockname()[1]}\n"
            f"ABSTRACT_NAME = {abstract_name!r}\n"
            f"SOCKET_PATH = {str(socket_path)!r}\n"
        )
        try:
            yield Site(home, source, home / "data" / "mine.csv")
        finally:
            shutil.rmtree(short)

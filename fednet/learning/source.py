"""Find a task's own source, without running any of it, and digest it.

A task is named ``breast-cancer`` (built in), ``package.module:Class`` or
``path/to/file.py:Class``. Its *own source* is the named file and, transitively,
every Python file under the same root that an ``import`` statement in it names:

* for a file, the root is the file's folder;
* for a module, the root is the folder on ``sys.path`` that holds it; when that
  is an environment's site-packages, only the same top-level package counts;
* for a built-in task, the root is ``fednet/learning/tasks``.

The digest is the SHA-256 of a text anyone can rebuild with ``sha256sum``: the
line ``fednet task <module>:<Class>``, then ``<sha256>  <path>`` for each file,
sorted by path relative to the root, POSIX separators. The visitor gets a copy
of exactly these bytes to import from and can read no other file beside them,
so code that the digest does not cover (a dynamic import, say) cannot load.
Installed libraries are not own source.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fednet.domain.identity import Commitment, Digest
from fednet.errors import DigestMismatchError, TaskError
from fednet.learning import tasks

_MAX_FILES = 500
_MAX_FILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class TaskSource:
    """Hold a task's own source as it was read once."""

    module: str
    class_name: str
    files: tuple[tuple[str, bytes], ...]
    """Path relative to the root, and bytes; sorted by path."""
    is_built_in: bool

    @property
    def listing(self) -> str:
        """The text whose SHA-256 is the digest."""
        lines = [f"fednet task {self.module}:{self.class_name}"]
        lines += [f"{hashlib.sha256(data).hexdigest()}  {path}" for path, data in self.files]
        return "\n".join(lines) + "\n"

    @property
    def digest(self) -> Commitment:
        """Commit to all of the task's own source."""
        return Commitment.of(self.listing.encode("utf-8"))

    def require(self, expected: Digest) -> None:
        """Raise unless this is the source that a plan names.

        Raises:
            DigestMismatchError: The local code is another.
        """
        if self.digest != expected:
            raise DigestMismatchError(
                "the task's code is not the code that the plan agreed on",
                subject=f"{self.module}:{self.class_name}",
                expected=expected,
                actual=self.digest,
                hint="get the version of the task (or of fednet, for a built-in one) that the "
                "researcher used, or ask for a new plan",
            )


def find_task(reference: str) -> TaskSource:
    """Read the own source of a named task.

    Raises:
        TaskError: No such task, or its source cannot be read or parsed.
    """
    if reference in tasks.BUILT_IN:
        module, class_name = tasks.BUILT_IN[reference]
        root = Path(tasks.__file__).parent
        return _collect(reference, root, root / f"{module}.py", module, class_name, True)
    place, separator, class_name = reference.rpartition(":")
    if not separator or not place or not class_name.isidentifier():
        raise TaskError(
            "not a task",
            subject=reference,
            expected=f"{', '.join(tasks.BUILT_IN)}, module:Class or path/to/file.py:Class",
            hint="name a built-in task, or the file of your own and the class in it",
        )
    if place.endswith(".py"):
        path = Path(place).absolute()
        return _collect(reference, path.parent, path, path.stem, class_name, False)
    root, path = _find_module(reference, place)
    return _collect(reference, root, path, place, class_name, False)


def _find_module(reference: str, module: str) -> tuple[Path, Path]:
    """Look a module up on ``sys.path`` without importing its packages."""
    parts = module.split(".")
    if all(part.isidentifier() for part in parts):
        for entry in sys.path:
            root = Path(entry or ".").absolute()
            found = list(_existing(root, parts))
            if found:
                return root, found[-1]
    raise TaskError(
        "no such module",
        subject=reference,
        actual=module,
        hint="give the path of the file instead, or put its folder on PYTHONPATH",
    )


def _existing(root: Path, parts: list[str]) -> Iterator[Path]:
    """Yield the files that importing a dotted name would run, or nothing."""
    found = []
    for depth in range(1, len(parts) + 1):
        base = root.joinpath(*parts[:depth])
        package, plain = base / "__init__.py", base.with_name(f"{base.name}.py")
        if package.is_file():
            found.append(package)
        elif plain.is_file() and depth == len(parts):
            found.append(plain)
        elif not (base.is_dir() and depth < len(parts)):
            return
    yield from found


def _collect(
    reference: str, root: Path, entry: Path, module: str, class_name: str, is_built_in: bool
) -> TaskSource:
    """Walk the import statements from the entry file on, inside the root."""
    only_top = module.split(".")[0] if _is_installed(root) else None
    found: dict[str, bytes] = {}
    start = list(_existing(root, module.split(".")))
    waiting = [*start, entry] if start and start[-1] == entry else [entry]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(root).as_posix()
        if name in found:
            continue
        if len(found) >= _MAX_FILES:
            raise TaskError("too many source files", subject=reference, expected=_MAX_FILES)
        found[name] = _read(path, reference)
        for parts in _imported(found[name], path.relative_to(root), reference):
            if only_top is None or parts[0] == only_top:
                waiting += _existing(root, parts)
    return TaskSource(module, class_name, tuple(sorted(found.items())), is_built_in)


def _is_installed(root: Path) -> bool:
    paths = sysconfig.get_paths()
    places = {Path(paths[key]).resolve() for key in ("purelib", "platlib", "stdlib", "platstdlib")}
    return root.resolve() in places


def _read(path: Path, reference: str) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise TaskError(
            "source cannot be read", subject=reference, actual=f"{path.name}: {exc.strerror}"
        ) from exc
    if len(data) > _MAX_FILE_BYTES:
        raise TaskError("source file is too large", subject=reference, actual=path.name)
    return data


def _imported(source: bytes, path: Path, reference: str) -> Iterator[list[str]]:
    """Yield the dotted names, from the root, of all that a file may import."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError) as exc:
        raise TaskError(
            "source is not Python", subject=reference, actual=f"{path.name}: {exc}"
        ) from exc
    package = list(path.parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _prefixes(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = [*above, *(node.module.split(".") if node.module else [])]
            yield from _prefixes(base)
            for alias in node.names:
                yield [*base, alias.name]


def _prefixes(parts: list[str]) -> Iterator[list[str]]:
    """Importing ``a.b.c`` runs ``a`` and ``a.b`` too."""
    for end in range(1, len(parts) + 1):
        yield parts[:end]

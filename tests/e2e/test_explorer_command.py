"""`fednet explorer` without a key: it serves, refuses strangers, and ends when told."""

from __future__ import annotations

import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest

from fednet.blobs import new_swarm_key
from fednet.blobs.embedded.repo import write_swarm_key
from fednet.ledger.deployment import write_deployment
from tests.chain_fixtures import ChainWorld
from tests.e2e.cli_world import Person, environment


@pytest.fixture
def reader(anvil_world: ChainWorld, tmp_path: Path) -> Person:
    person = Person(tmp_path / "home", more={"FEDNET_CHAIN_URL": anvil_world.chain.url})
    write_deployment(person.home / "deployment.json", anvil_world.deployment)
    write_swarm_key(person.home, new_swarm_key())
    return person


@pytest.fixture
def serving(reader: Person) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        reader.command("explorer", "--port", "0"),
        env=environment(**reader.more),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, process.communicate()
        yield process, url
    finally:
        process.kill()
        process.communicate()


def test_it_serves_until_it_is_interrupted(
    serving: tuple[subprocess.Popen[str], str], reader: Person
) -> None:
    process, url = serving
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert "The network" in answer.read().decode()
    stranger = urllib.request.Request(url, headers={"Host": "rebound.example"})
    with pytest.raises(HTTPError) as refused:
        urllib.request.urlopen(stranger, timeout=20)
    assert refused.value.code == 421
    refused.value.close()
    assert not (reader.home / "keystores").exists()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert said.rstrip().endswith("stopped")


def test_a_taken_port_is_told_with_a_remedy(reader: Person) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = reader.types("explorer", "--port", port, expect=2)
    assert "cannot listen there" in done.stderr
    assert "--port 0" in done.stderr

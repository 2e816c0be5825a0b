"""What chain, store, data and machine refuse: one clear line, a remedy, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fednet.blobs import new_swarm_key
from fednet.blobs.embedded.supervisor import EmbeddedNode
from fednet.learning.partition import hospitals
from tests.e2e.cli_world import (
    LOOPBACK_LISTEN,
    PASSWORD,
    Person,
    consortium,
    environment,
    invite,
    join,
)
from tests.wiretap import Wiretap


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with consortium(tmp_path_factory.mktemp("consortium"), inside=True) as found:
        yield found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hospitals(2).write(tmp_path_factory.mktemp("data"))[0][0]


@pytest.fixture(scope="module")
def clinic(operator: Person, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """An admitted site with a registered dataset, and a run that is open."""
    person = Person(tmp_path_factory.mktemp("clinic"), inside=True)
    join(operator, person, "clinic", data)
    operator.types("plan", "new", "pilot", "--task", "breast-cancer", "--rounds", "1")
    operator.types("run", "open", "pilot.toml")
    return person


@pytest.fixture
def stranger(operator: Person, tmp_path: Path) -> Person:
    """Somebody with the deployment file and a key of no standing."""
    person = Person(tmp_path / "stranger", inside=True)
    for name in ("deployment.json", "swarm.key", "fednet.toml"):
        shutil.copy(operator.home / name, person.home / name)
    person.types("keys", "new", "me")
    text = (person.home / "fednet.toml").read_text()
    (person.home / "fednet.toml").write_text(text.replace('"operator"', '"me"'))
    return person


def refuses(person: Person, *words: str, expect: int, told: str, hint: bool = True) -> None:
    lines = person.types(*words, expect=expect).stderr.strip().splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == 1, lines
    assert told in errors[0], lines
    assert not hint or lines[-1].startswith("hint: "), lines


def test_unknown_numbers_are_named(operator: Person, clinic: Person) -> None:
    refuses(operator, "run", "status", "99", expect=5, told="run 99: no such run")
    refuses(operator, "site", "admit", "99", expect=5, told="site 99: no such site")
    refuses(operator, "access", "show", "99", expect=5, told="grant 99")
    refuses(operator, "access", "request", "99", "--purpose", "x", expect=5, told="dataset")
    refuses(operator, "audit", "99", expect=5, told="run 99")


def test_account_without_funds_or_role_is_told(clinic: Person, stranger: Person) -> None:
    refuses(stranger, "site", "admit", "1", expect=5, told="")
    refuses(stranger, "run", "consent", "1", "--yes", expect=2, told="belongs to no site")
    refuses(stranger, "node", "run", expect=2, told="belongs to no site")
    refuses(clinic, "site", "suspend", "1", expect=5, told="role")
    refuses(clinic, "run", "open", "pilot.toml", expect=2, told="cannot read the plan")


def test_wrong_password_is_told(operator: Person, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("another\n")
    words = ("deploy", "--password-file", str(tmp_path / "wrong"))
    refuses(operator, *words, expect=2, told="deployment already")
    words = ("site", "suspend", "1", "--password-file", str(tmp_path / "wrong"))
    refuses(operator, *words, expect=2, told="password is wrong")


def test_another_chain_or_contract_is_refused(stranger: Person) -> None:
    path = stranger.home / "deployment.json"
    good = json.loads(path.read_text())
    path.write_text(json.dumps(good | {"chain_id": 5}))
    refuses(stranger, "site", "list", expect=3, told="chain id")
    path.write_text(json.dumps(good | {"genesis_hash": "11" * 32}))
    refuses(stranger, "site", "list", expect=3, told="genesis")
    hashes = good["code_hashes"] | {"Runs": "22" * 32}
    path.write_text(json.dumps(good | {"code_hashes": hashes}))
    refuses(stranger, "site", "list", expect=3, told="Runs")
    path.write_text("{}")
    refuses(stranger, "site", "list", expect=2, told="not a deployment file")


def test_chain_that_does_not_run_is_told(stranger: Person) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        stranger.more["FEDNET_CHAIN_URL"] = f"http://127.0.0.1:{free.getsockname()[1]}"
        refuses(stranger, "site", "list", expect=5, told="chain")
        refuses(stranger, "chain", "status", expect=5, told="chain")


def test_port_in_use_is_told(operator: Person, tmp_path: Path) -> None:
    person = Person(tmp_path / "other", inside=True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        words = ("chain", "start", "--engine", "anvil", "--port", port)
        refuses(person, *words, expect=2, told="port is in use")
        shutil.copy(operator.home / "swarm.key", person.home / "swarm.key")
        words = ("store", "start", "--listen", f"/ip4/127.0.0.1/tcp/{port}")
        refuses(person, *words, expect=6, told="cannot listen")
    assert not (person.home / "store.process").exists()


def test_second_store_of_a_home_is_refused(operator: Person) -> None:
    refuses(operator, "store", "start", "--listen", LOOPBACK_LISTEN, expect=2, told="runs already")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda text: "", "no file or folder with something in it"),
        (lambda text: "a,b\n1,2\n", ""),
        (lambda text: text.replace(text.splitlines()[1].split(",")[0], "nan", 1), ""),
    ],
    ids=["empty", "columns", "nan"],
)
def test_data_that_cannot_be_used_stops_joining(
    operator: Person, data: Path, tmp_path: Path, spoil: object, told: str
) -> None:
    assert callable(spoil)
    path = tmp_path / "bad.csv"
    path.write_text(spoil(data.read_text()))
    file, code = invite(operator, f"{tmp_path.name}")
    person = Person(tmp_path / "home", inside=True)
    words = ("node", "join", str(file), "--code-file", str(code), "--name", "bad", "--no-wait")
    refuses(person, *words, "--data", str(path), expect=8, told=told, hint=False)
    refuses(person, *words, "--data", "no.csv", expect=8, told="cannot read the data")
    assert not list((person.home / "keystores").glob("*"))
    assert "bad" not in {site["name"] for site in operator.reads("site", "list")}


def test_invitation_with_a_wrong_code_or_altered_is_refused(
    operator: Person, data: Path, tmp_path: Path
) -> None:
    file, code = invite(operator, "altered")
    person = Person(tmp_path / "home", inside=True)
    words = ("--name", "n", "--data", str(data), "--code-file")
    (tmp_path / "wrong").write_text("ABCDE-FGHJK-MNPQR-STVWX-YZ234\n")
    refuses(person, "node", "join", str(file), *words, str(tmp_path / "wrong"), expect=3,
            told="code does not open")  # fmt: skip
    raw = json.loads(file.read_text())
    raw["terms"]["chain_url"] = "http://127.0.0.1:1"
    (tmp_path / "altered.json").write_text(json.dumps(raw))
    refuses(person, "node", "join", str(tmp_path / "altered.json"), *words, str(code), expect=3,
            told="code does not open")  # fmt: skip
    assert not (person.home / "swarm.key").exists()


def test_site_that_is_not_admitted_or_revoked_is_told(
    operator: Person, data: Path, tmp_path: Path
) -> None:
    file, code = invite(operator, "slow")
    person = Person(tmp_path / "home", inside=True)
    words = ("node", "join", str(file), "--no-wait")
    person.types(*words, "--code-file", str(code), "--name", "slow", "--data", str(data))
    again = person.types(*words)
    assert "waits for admission" in again.stdout
    refuses(person, "dataset", "register", expect=2, told="may not act now")
    site = next(e["site"] for e in operator.reads("site", "list") if e["name"] == "slow")
    operator.types("site", "revoke", str(site), "--yes")
    refuses(person, *words, expect=2, told="does not let this site act")
    refuses(operator, "site", "admit", str(site), expect=5, told="standing")


def test_consent_without_a_grant_is_refused(clinic: Person) -> None:
    refuses(clinic, "run", "consent", "1", "--yes", expect=1, told="no live grant")
    refuses(clinic, "run", "consent", "1", "--yes", "--grant", "7", expect=1, told="no live grant")


def test_consent_is_not_given_unasked(operator: Person, clinic: Person) -> None:
    request = operator.types("access", "request", "1", "--purpose", "study").stdout.split()[2]
    refuses(clinic, "access", "grant", "99", "--days", "1", "--terms", "t", expect=5, told="99")
    clinic.types("access", "grant", request, "--days", "1", "--terms", "t")
    refuses(clinic, "access", "deny", request, expect=5, told="status")
    refuses(clinic, "run", "consent", "1", expect=1, told="not confirmed")
    assert operator.reads("run", "status", "1")["consenting"] == []


def test_ctrl_c_ends_with_one_line(operator: Person, clinic: Person) -> None:
    # A shell starts what it puts in the background, perhaps these tests, deaf to Ctrl-C.
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        operator.command("run", "watch", "1"), env=environment(**operator.more),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    signal.signal(signal.SIGINT, heard)
    try:
        until = time.monotonic() + 60
        while not _is_connected(process.pid) and time.monotonic() < until:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert told == "interrupted\n"


def test_full_disk_is_one_line(tmp_path: Path) -> None:
    person = Person(tmp_path / "home")
    # Writing fails as it does on a full disk, with another number.
    person.prefix = ("sh", "-c", 'ulimit -f 0; exec "$@"', "sh")
    refuses(person, "keys", "new", "me", expect=2, told="cannot be written", hint=False)
    assert list((person.home / "keystores").iterdir()) == []


def test_no_secret_is_readable_by_others_or_in_the_clear(clinic: Person) -> None:
    for path in (clinic.home / "salt", clinic.home / "swarm.key"):
        assert path.stat().st_mode & 0o077 == 0
    for path in (clinic.home / "keystores").iterdir():
        assert path.stat().st_mode & 0o077 == 0
    for path in (clinic.home / "fednet.toml", clinic.home / "deployment.json"):
        assert PASSWORD not in path.read_text()


def _is_connected(pid: int) -> bool:
    """Tell whether the process holds a socket, so that it is past its start."""
    try:
        links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    return any(link.startswith("socket:") for link in links)


def test_site_rotates_its_keys_and_the_old_account_is_refused(
    operator: Person, data: Path, tmp_path: Path
) -> None:
    person = Person(tmp_path / "home", inside=True)
    site = str(join(operator, person, "rotating", data))
    before = operator.reads("site", "list")[int(site) - 1]
    person.types("site", "rotate-key")
    new = person.types("keys", "new", "second").stdout.strip()
    person.types("site", "rotate-account", site, new, "--gas", "0.01")
    after = operator.reads("site", "list")[int(site) - 1]
    assert after["account"] == new
    assert (after["account_version"], after["key_version"]) == (2, 2)
    assert after["encryption_key"] != before["encryption_key"]
    refuses(person, "site", "move-store", expect=2, told="may not act now")
    person.types("site", "move-store", "--account", "second")
    wrong = new[:2] + new[2:].swapcase()
    refuses(person, "site", "rotate-account", site, wrong, "--account", "second", expect=2,
            told="check sum")  # fmt: skip


def test_altered_invitation_changes_nothing_in_a_home_that_joined(
    operator: Person, clinic: Person, tmp_path: Path
) -> None:
    raw = json.loads((operator.home / "clinic.json").read_text())
    raw["terms"] |= {"peers": ["/ip4/127.0.0.1/tcp/1/p2p/evil"], "chain_url": "http://evil:1"}
    (tmp_path / "altered.json").write_text(json.dumps(raw))
    before = (clinic.home / "fednet.toml").read_text()
    clinic.types("node", "join", str(tmp_path / "altered.json"))
    assert (clinic.home / "fednet.toml").read_text() == before
    raw["terms"]["deployment"]["block"] = 5
    (tmp_path / "other.json").write_text(json.dumps(raw))
    refuses(clinic, "node", "join", str(tmp_path / "other.json"), expect=2, told="another consort")


def test_swarms_new_key_reaches_every_member_and_nobody_else(
    operator: Person, clinic: Person, stranger: Person, data: Path, tmp_path: Path
) -> None:
    def key_of(person: Person) -> str:
        return (person.home / "swarm.key").read_text()

    leaver, letter = Person(tmp_path / "leaver", inside=True), tmp_path / "swarm.letter"
    operator.types("site", "revoke", str(join(operator, leaver, "leaver", data)), "--yes")
    before = key_of(operator)
    refuses(stranger, "store", "rekey", str(letter), expect=3, told="no operator")
    operator.types("store", "rekey", str(letter))
    after = key_of(operator)
    assert before == key_of(clinic) != after
    assert after.split()[-1] not in letter.read_text()
    refuses(operator, "store", "rekey", str(letter), expect=2, told="is there already")

    accept = ("store", "accept", str(letter))
    refuses(leaver, *accept, expect=3, told="no key for this site")
    refuses(stranger, *accept, expect=2, told="belongs to no site")
    forged = tmp_path / "forged"
    forged.write_text(letter.read_text().replace("follows", "fallows"))
    refuses(clinic, "store", "accept", str(forged), expect=3, told="signature", hint=False)
    forged.write_text("{}")
    refuses(clinic, "store", "accept", str(forged), expect=2, told="is no letter")
    assert {key_of(leaver), key_of(clinic), key_of(stranger)} == {before}
    clinic.types(*accept)
    assert key_of(clinic) == after
    refuses(clinic, *accept, expect=3, told="follows another key")


def test_store_is_served_beside_a_daemon_of_ones_own(tmp_path: Path) -> None:
    person = Person(tmp_path / "hub", inside=True)
    daemon = EmbeddedNode(tmp_path / "daemon", swarm_key=new_swarm_key())
    try:
        with Wiretap.of_store(daemon.endpoint()) as tap:
            person.more["FEDNET_STORE_RPC"] = tap.url
            assert "/p2p/" in person.types("store", "start").stdout
            refuses(person, "store", "start", expect=2, told="runs already")
            assert person.types("store", "stop").stdout == "stopped\n"
            assert person.types("store", "stop").stdout == "was not running\n"
    finally:
        daemon.close()

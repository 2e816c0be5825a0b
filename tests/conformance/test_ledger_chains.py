"""The local chain manager, with the real Ganache and the real Anvil."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fednet.domain.identity import Address
from fednet.errors import LedgerUnavailableError, SettingsError
from fednet.ledger.chains import Engine, LocalChain
from fednet.ledger.rpc import JsonRpc

ACCOUNT = Address("0x000000000000000000000000000000000000dEaD")
STATE_INTERVAL_SECONDS = 1.0
Make = Callable[..., LocalChain]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made = []

    def make_chain(engine: str = "anvil", name: str = "a chain", port: int = 0) -> LocalChain:
        made.append(LocalChain(engine, tmp_path / name, port))
        return made[-1]

    yield make_chain
    for chain in made:
        chain.stop()


def balance(chain: LocalChain) -> int:
    rpc = JsonRpc(chain.url)
    found = int(rpc.call("eth_getBalance", ACCOUNT, "latest"), 16)
    rpc.close()
    return found


def mine(chain: LocalChain) -> None:
    rpc = JsonRpc(chain.url)
    rpc.call("evm_mine")
    rpc.close()


@pytest.mark.parametrize("engine", list(Engine))
def test_chain_keeps_data_and_port_over_stop_and_kill(make: Make, engine: str) -> None:
    chain = make(engine)
    assert chain.status().url == ""
    assert not chain.stop()
    url = chain.start()
    assert chain.start() == url
    assert chain.status().is_running
    assert chain.fund(ACCOUNT, 5) == 5
    assert chain.fund(ACCOUNT, 7) == 12
    mine(chain)

    assert chain.stop()
    assert chain.status().pid == 0
    assert chain.start() == url
    assert balance(chain) == 12

    time.sleep(1.5 * STATE_INTERVAL_SECONDS)  # Anvil writes what it knows once a second
    height = chain.status().block
    os.kill(chain.status().pid, signal.SIGKILL)
    assert chain.start() == url
    assert (balance(chain), chain.status().block) == (12, height)


def test_chain_listens_on_loopback_alone_and_holds_no_account(make: Make) -> None:
    chain = make()
    assert chain.start().startswith("http://127.0.0.1:")
    rpc = JsonRpc(chain.url)
    assert rpc.call("eth_accounts") == []
    assert int(rpc.call("eth_chainId"), 16) == Engine.ANVIL.chain_id
    rpc.close()


def test_chain_outlives_the_command_that_started_it(make: Make, tmp_path: Path) -> None:
    chain = make(name="from a command")
    code = (
        "import sys; from pathlib import Path; from fednet.ledger.chains import LocalChain;"
        "print(LocalChain('anvil', Path(sys.argv[1])).start())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "from a command")],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == chain.url
    assert chain.status().is_running


def test_port_in_use_is_told(make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError) as caught:
            make(port=port).start()
    assert caught.value.subject == f"127.0.0.1:{port}"
    assert "--port" in caught.value.hint


def test_another_process_with_the_noted_id_is_left_alone(make: Make, tmp_path: Path) -> None:
    chain = make()
    chain.start()
    chain.stop()
    notes = tmp_path / "a chain" / "chain.json"
    innocent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        notes.write_text(json.dumps(json.loads(notes.read_text()) | {"pid": innocent.pid}))
        assert chain.status().pid == 0
        assert not chain.stop()
        assert innocent.poll() is None
    finally:
        innocent.communicate(b"\n")


def test_home_of_another_engine_is_refused(make: Make) -> None:
    make("anvil").start()
    with pytest.raises(SettingsError) as caught:
        LocalChain("ganache", make("anvil")._home).start()
    assert "--engine anvil" in caught.value.hint
    with pytest.raises(SettingsError):
        make("besu")


def test_spoiled_notes_are_told(make: Make, tmp_path: Path) -> None:
    chain = make()
    (tmp_path / "a chain").mkdir()
    (tmp_path / "a chain" / "chain.json").write_text("{", "utf-8")
    with pytest.raises(SettingsError):
        chain.start()
    (tmp_path / "a chain" / "chain.json").unlink()


def test_chain_that_never_started_cannot_fund(make: Make) -> None:
    with pytest.raises(LedgerUnavailableError):
        make().fund(ACCOUNT, 1)


def test_engine_that_cannot_open_its_data_says_its_last_words(make: Make, tmp_path: Path) -> None:
    chain = make()
    (tmp_path / "a chain").mkdir()
    (tmp_path / "a chain" / "anvil.json").write_text("not a state", "utf-8")
    with pytest.raises(LedgerUnavailableError) as caught:
        chain.start()
    assert str(chain.log) in caught.value.hint
    assert chain.status().pid == 0


@pytest.mark.parametrize("engine", list(Engine))
def test_time_passes_on_a_chain_of_ones_own(make: Make, engine: str) -> None:
    chain = make(engine)
    chain.start()
    rpc = JsonRpc(chain.url)

    def time_of_head() -> int:
        return int(rpc.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    mine(chain)
    before = time_of_head()
    chain.pass_time(5_000)
    passed = time_of_head()
    mine(chain)
    later = time_of_head()
    rpc.close()
    assert 5_000 <= passed - before < 5_060
    assert later >= passed


@pytest.mark.parametrize("engine", list(Engine))
def test_port_that_was_taken_at_the_last_moment_is_given_up(
    make: Make, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = make(engine)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        choose, chosen = LocalChain._choose_port, [taken.getsockname()[1]]

        def unlucky(self: LocalChain, port: int) -> int:
            chosen.append(choose(self, port))
            return chosen[0] if len(chosen) == 2 else chosen[-1]

        monkeypatch.setattr(LocalChain, "_choose_port", unlucky)
        assert chain.start().endswith(f":{chosen[2]}")
    assert chain.status().is_running

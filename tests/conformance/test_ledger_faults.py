"""What can go wrong between us and a chain; on real chains, some behind a bad provider."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from fednet.domain import events as ev
from fednet.domain.identity import Address, Digest, RunId, SiteId
from fednet.domain.ledger import Receipt, Role
from fednet.errors import (
    DeploymentMismatchError,
    FundsError,
    LedgerError,
    LedgerUnavailableError,
    SettingsError,
)
from fednet.ledger.chains import Engine, LocalChain
from fednet.ledger.chains.processes import start_detached
from fednet.ledger.fees import FeeCaps
from fednet.ledger.reader import Web3Reader
from fednet.ledger.rpc import JsonRpc, RpcRefusedError
from fednet.ledger.transacting import Transactor
from fednet.ledger.writer import Web3Writer
from tests import ledger_acts as acts
from tests.chain_fixtures import ETHER, ChainWorld, deploy_world
from tests.rpc_proxy import LoseAnswer, misbehaving_provider

NOBODY = Address("0x000000000000000000000000000000000000dEaD")


@pytest.fixture
def manual_world(tmp_path: Path) -> Iterator[ChainWorld]:
    """Contracts on an Anvil of our own that mines only when told to."""
    chain = LocalChain("anvil", tmp_path / "chain")
    chain.start()
    try:
        world = deploy_world(chain)
        world.reader.rpc.call("evm_setAutomine", False)
        yield world
        world.reader.close()
    finally:
        chain.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pending_of(world: ChainWorld) -> list[dict[str, Any]]:
    pool = world.reader.rpc.call("txpool_content")["pending"]
    return [each for by_nonce in pool.values() for each in by_nonce.values()]


def send_in_background(world: ChainWorld, pool: ThreadPoolExecutor) -> Future[Receipt]:
    """Send a transaction and return once it waits in the chain's pool."""
    sending = pool.submit(world.operator.send_wei, NOBODY, 1)
    while not pending_of(world):
        assert not sending.done()
        time.sleep(0.01)
    return sending


def test_another_chain_is_refused(anvil_world: ChainWorld, ganache_chain: LocalChain) -> None:
    with pytest.raises(DeploymentMismatchError) as caught:
        Web3Reader(anvil_world.deployment, ganache_chain.url)
    assert (caught.value.subject, caught.value.actual) == ("chain id", 1337)
    assert caught.value.hint


def test_another_chain_of_the_same_id_is_refused(anvil_world: ChainWorld) -> None:
    other = replace(anvil_world.deployment, genesis_hash=Digest(b"\1" * 32))
    with pytest.raises(DeploymentMismatchError) as caught:
        Web3Reader(other, anvil_world.chain.url)
    assert caught.value.subject == "genesis block"


@pytest.mark.parametrize("there", ["another contract", "nothing"])
def test_another_contract_is_refused(anvil_world: ChainWorld, there: str) -> None:
    held = anvil_world.deployment
    address = held.credits if there == "another contract" else NOBODY
    with pytest.raises(DeploymentMismatchError) as caught:
        Web3Reader(replace(held, runs=address), anvil_world.chain.url)
    assert caught.value.subject == f"code of Runs at {address}"


def test_chain_that_does_not_run_is_unavailable(anvil_world: ChainWorld) -> None:
    with pytest.raises(LedgerUnavailableError) as caught:
        Web3Reader(anvil_world.deployment, f"http://127.0.0.1:{free_port()}")
    assert caught.value.retryable
    assert "fednet chain start" in caught.value.hint


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8545", "ftp://host", "http://", "http://host:99999", "http://[::1"]
)
def test_address_that_is_none_is_refused(anvil_world: ChainWorld, url: str) -> None:
    with pytest.raises(SettingsError):
        Web3Reader(anvil_world.deployment, url)


def test_account_without_funds_is_told_so(chain_world: ChainWorld) -> None:
    run, hospitals, _ = acts.started_run(chain_world, ("a", "b"), target_sites=2)
    poor = Web3Writer(chain_world.reader, Account.create())
    with pytest.raises(FundsError) as of_fixed_gas:
        poor.advance(run)
    assert of_fixed_gas.value.actual == poor.address
    with pytest.raises(FundsError):
        poor.send_wei(NOBODY, 1)
    chain_world.operator.set_account_roles(SiteId(0), poor.address, Role.RESEARCHER)
    with pytest.raises(FundsError):
        poor.request_access(hospitals[0].dataset, acts.commitment("p"), acts.locator("p"))


def test_gas_above_the_cap_waits(anvil_world: ChainWorld) -> None:
    account = Account.create()
    anvil_world.chain.fund(Address(account.address), ETHER)
    frugal = Web3Writer(anvil_world.reader, account, FeeCaps(total_wei=1, tip_wei=1))
    with pytest.raises(LedgerUnavailableError) as caught:
        frugal.send_wei(NOBODY, 1)
    assert caught.value.message == "gas costs more than the cap"


def test_dropped_transaction_is_sent_again(manual_world: ChainWorld) -> None:
    rpc = manual_world.reader.rpc
    with ThreadPoolExecutor() as pool:
        sending = send_in_background(manual_world, pool)
        (first,) = pending_of(manual_world)
        rpc.call("anvil_dropTransaction", first["hash"])
        while not pending_of(manual_world):
            time.sleep(0.02)
        rpc.call("evm_mine")
        assert sending.result().transaction == Digest(first["hash"])
    assert manual_world.reader.balance_wei(NOBODY) == 1


def test_replaced_transaction_is_given_up(manual_world: ChainWorld) -> None:
    rpc = manual_world.reader.rpc
    with ThreadPoolExecutor() as pool:
        sending = send_in_background(manual_world, pool)
        (first,) = pending_of(manual_world)
        rpc.call("anvil_dropTransaction", first["hash"])
        rpc.call("anvil_setNonce", manual_world.operator.address, hex(int(first["nonce"], 16) + 1))
        rpc.call("evm_mine")
        with pytest.raises(LedgerUnavailableError) as caught:
            sending.result()
    assert caught.value.message == "another transaction took the place of this one"
    assert manual_world.reader.balance_wei(NOBODY) == 0


def test_new_process_goes_on_behind_what_is_pending(manual_world: ChainWorld) -> None:
    account = Account.create()
    manual_world.chain.fund(Address(account.address), ETHER)
    earlier = Web3Writer(manual_world.reader, account)
    later = Web3Writer(manual_world.reader, account)
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(earlier.send_wei, NOBODY, 1)]
        while len(pending_of(manual_world)) < 1:
            time.sleep(0.01)
        waiting.append(pool.submit(later.send_wei, NOBODY, 1))
        while len(pending_of(manual_world)) < 2:
            time.sleep(0.01)
        manual_world.reader.rpc.call("evm_mine")
        assert len({each.result().transaction for each in waiting}) == 2
    assert manual_world.reader.balance_wei(NOBODY) == 2


def test_threads_and_processes_of_one_account_do_not_collide(chain_world: ChainWorld) -> None:
    account = Account.create()
    chain_world.chain.fund(Address(account.address), ETHER)
    writers = [Web3Writer(chain_world.reader, account) for _ in range(2)]
    to = Address(Account.create().address)

    def send(number: int) -> Receipt:
        try:
            return writers[number % 2].send_wei(to, number)
        except LedgerUnavailableError:
            # Two processes may pick one nonce: the loser is told, and tries again.
            return send(number)

    with ThreadPoolExecutor(4) as pool:
        sendings = [pool.submit(send, i) for i in range(12)]
        hashes = {each.result().transaction for each in sendings}
    assert len(hashes) == 12
    assert chain_world.reader.balance_wei(to) == sum(range(12))


def test_lost_answer_does_not_send_twice(chain_world: ChainWorld) -> None:
    lost = threading.Event()

    def rule(request: dict[str, Any]) -> None:
        if request["method"] == "eth_sendRawTransaction" and not lost.is_set():
            lost.set()
            raise LoseAnswer

    # Nonce 0 is the one that Ganache would execute again.
    account = Account.create()
    chain_world.chain.fund(Address(account.address), ETHER)
    to = Address(Account.create().address)
    with misbehaving_provider(chain_world.chain.url, rule) as url:
        reader = Web3Reader(chain_world.deployment, url)
        Web3Writer(reader, account).send_wei(to, 1)
        reader.close()
    assert lost.is_set()
    assert chain_world.reader.balance_wei(to) == 1


def test_provider_that_caps_logs_gets_smaller_ranges(anvil_world: ChainWorld) -> None:
    run, hospitals, _ = acts.started_run(anvil_world)
    acts.play_round(anvil_world, run, hospitals)
    widest = 3

    def rule(request: dict[str, Any]) -> dict[str, Any] | None:
        if request["method"] != "eth_getLogs":
            return None
        asked = request["params"][0]
        span = int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) + 1
        return {"code": -32005, "message": "limit exceeded"} if span > widest else None

    with misbehaving_provider(anvil_world.chain.url, rule) as url:
        capped = Web3Reader(anvil_world.deployment, url)
        assert capped.run_events(run) == anvil_world.reader.run_events(run)
        assert len(capped.events([ev.DatasetRegistered])) == 3
        capped.close()


def test_provider_without_logs_is_an_error_not_an_empty_log(anvil_world: ChainWorld) -> None:
    def rule(request: dict[str, Any]) -> dict[str, Any] | None:
        refused = {"code": -32601, "message": "method eth_getLogs not available"}
        return refused if request["method"] == "eth_getLogs" else None

    with misbehaving_provider(anvil_world.chain.url, rule) as url:
        reader = Web3Reader(anvil_world.deployment, url)
        with pytest.raises(LedgerError):
            reader.events([ev.ModuleApproved])
        reader.close()


@pytest.mark.parametrize("engine", list(Engine))
def test_chain_that_restarts_is_gone_on_with(engine: Engine, tmp_path: Path) -> None:
    chain = LocalChain(engine, tmp_path / "chain")
    chain.start()
    try:
        world = deploy_world(chain)
        hospital = acts.join(world, "a")
        height = world.reader.head()
        chain.stop()
        with pytest.raises(LedgerUnavailableError):
            world.reader.head()
        with pytest.raises(LedgerUnavailableError):
            hospital.writer.move_store(hospital.site, "elsewhere")
        chain.start()
        assert world.reader.head() == height
        hospital.writer.move_store(hospital.site, "elsewhere")
        assert len(world.reader.events([ev.SiteStoreMoved])) == 1
        world.reader.close()
    finally:
        chain.stop()


def test_other_chain_that_took_the_address_is_refused(tmp_path: Path) -> None:
    first = LocalChain("anvil", tmp_path / "first")
    first.start()
    world = deploy_world(first)
    first.stop()
    second = LocalChain("anvil", tmp_path / "second", port=int(first.url.rsplit(":", 1)[1]))
    second.start()
    try:
        with pytest.raises(DeploymentMismatchError):
            world.reader.run(RunId(1))
        world.reader.close()
    finally:
        second.stop()


@pytest.mark.parametrize("kind", [("--hardfork", "berlin"), ("--gas-price", "0")])
def test_chains_without_base_fee_or_without_fees_are_served(
    kind: tuple[str, str], tmp_path: Path
) -> None:
    port = free_port()
    command = [*Engine.ANVIL.command(tmp_path, "127.0.0.1", port, False), *kind]
    process = start_detached(command, {"HOME": str(tmp_path)}, tmp_path / "log")
    rpc = JsonRpc(f"http://127.0.0.1:{port}")
    try:
        account = Account.create()
        while True:
            try:
                rpc.call("anvil_setBalance", account.address, hex(ETHER))
                break
            except LedgerUnavailableError:
                assert process.is_alive
        receipt = Transactor(rpc, account, 31337).transfer(NOBODY, 5)
        assert receipt.gas_used == 21_000
        assert int(rpc.call("eth_getBalance", NOBODY, "latest"), 16) == 5
        with pytest.raises(RpcRefusedError):
            rpc.call("no_such_method")
        rpc.close()
    finally:
        process.stop(5)

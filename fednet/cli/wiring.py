"""Pick the adapters that the settings ask for; the only place that knows them all.

Heavy libraries (web3, torch's neighbour, Kubo) are imported when they are
needed, so that `--help` and mistakes in the command line answer at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fednet.cli import home, output
from fednet.cli.app import App, Signer
from fednet.domain.blobs import BlobStore
from fednet.domain.identity import CONSORTIUM, Address, Commitment
from fednet.domain.ledger import Deployment, Role
from fednet.domain.ports import LedgerWriter
from fednet.errors import LedgerError, SettingsError, StoreError, StoreUnavailableError
from fednet.learning import Trainer, find_task, probe_walls
from fednet.learning.walls.report import WALL_NAMES, Wall

if TYPE_CHECKING:
    from fednet.blobs import KuboStore
    from fednet.ledger.chains import LocalChain
    from fednet.ledger.chains.processes import Process
    from fednet.ledger.reader import Web3Reader
    from fednet.provenance import LedgerIndex


# Ledger


def reader(app: App) -> Web3Reader:
    """Open the ledger for reading; checks that the chain is the deployment's."""
    from fednet.ledger.reader import Web3Reader

    return Web3Reader(_deployment(app), app.settings().chain.url)


def _deployment(app: App) -> Deployment:
    from fednet.ledger.deployment import read_deployment

    home.require_deployment(app)
    return read_deployment(app.path(app.settings().chain.deployment))


def index(app: App) -> closing[LedgerIndex]:
    """Open this home's index of the ledger; it is as old as its last refresh."""
    from fednet.provenance import LedgerIndex

    path = app.home / "cache" / "ledger.sqlite"
    return closing(LedgerIndex.open(path, _deployment(app), output.say))


def writer(app: App, signer: Signer) -> LedgerWriter:
    """Open the ledger for acting with a keystore."""
    from fednet.ledger.keystore import unlock
    from fednet.ledger.writer import Web3Writer

    home.require_deployment(app)
    path = home.chosen_keystore(app, signer.account)
    checked = reader(app)
    return Web3Writer(checked, unlock(path, signer.password(app)))


def writer_for_key(app: App, key: str) -> LedgerWriter:
    """Open the ledger for acting with a private key in hexadecimal."""
    from fednet.ledger.keystore import account_of
    from fednet.ledger.writer import Web3Writer

    return Web3Writer(reader(app), account_of(key))


def new_account() -> tuple[str, Address]:
    """Make an account that is kept nowhere; return its private key and its address."""
    from fednet.ledger import keystore

    account = keystore.new_account()
    return bytes(account.key).hex(), Address(account.address)


def create_keystore(app: App, path: Path, password: str, key: str | None = None) -> Address:
    """Make a keystore, of a new key unless one is given."""
    from fednet.ledger.keystore import create, import_key

    home.make(app)
    light = app.settings().account.light_kdf
    if key is None:
        made = create(path, password, light=light)
    else:
        made = import_key(path, key, password, light=light)
    return Address(made.address)


def copy_keystore(source: Path, path: Path) -> Address:
    """Take over a keystore file with the password it has."""
    from fednet.ledger.keystore import copy_keystore

    return copy_keystore(source, path)


@dataclass(frozen=True, slots=True)
class KeystoreEntry:
    """A keystore of this home."""

    name: str
    address: Address
    in_use: bool
    """Whether the settings name it."""


def keystores(app: App) -> list[KeystoreEntry]:
    """List the keystores of this home without opening any."""
    from fednet.ledger.keystore import list_keystores

    chosen = app.settings().account.keystore
    in_use = home.keystore_path(app, chosen) if chosen else None
    found = list_keystores(app.home / home.KEYSTORES)
    return [KeystoreEntry(path.stem, account, path == in_use) for path, account in found]


def keystore_address(path: Path) -> Address:
    """Read a keystore's account, without its password."""
    from fednet.ledger.keystore import address_of

    return address_of(path)


def address(text: str) -> Address:
    """Read an account's address as a person types it.

    Raises:
        SettingsError: It is none.
    """
    from fednet.ledger.codec import to_address

    try:
        found = to_address(text)
    except ValueError as exc:
        raise SettingsError(
            "not an account's address",
            subject=text[:80],
            expected="0x and 40 hexadecimal digits",
            hint="whose account it is sees it with `fednet keys list`",
        ) from exc
    mixed = text.removeprefix("0x")
    if mixed not in (mixed.lower(), mixed.upper()) and found != text:
        raise SettingsError(
            "the address has a wrong check sum", subject=text, hint="copy it again, whole"
        )
    return found


def deploy(app: App, signer: Signer) -> Deployment:
    """Deploy the contracts, let the operator open runs too, and write the deployment file."""
    from fednet.ledger.deploy import deploy as create_contracts
    from fednet.ledger.deployment import write_deployment
    from fednet.ledger.keystore import unlock
    from fednet.ledger.reader import Web3Reader
    from fednet.ledger.writer import Web3Writer

    stored = app.settings().chain
    account = unlock(home.chosen_keystore(app, signer.account), signer.password(app))
    made = create_contracts(stored.url, account)
    acting = Web3Writer(Web3Reader(made, stored.url), account)
    acting.set_account_roles(CONSORTIUM, acting.address, Role.OPERATOR | Role.RESEARCHER)
    write_deployment(app.path(stored.deployment), made)
    return made


def local_chain(app: App, engine: str, port: int, *, is_brief: bool = False) -> LocalChain:
    """Name the chain that lives in this home."""
    from fednet.ledger.chains import LocalChain

    return LocalChain(engine, app.home / "chain", port, is_brief=is_brief)


def start_detached(command: Sequence[str], log: Path) -> Process:
    """Start a process that outlives this command.

    Raises:
        SettingsError: It cannot be started.
    """
    from fednet.ledger.chains import processes

    try:
        return processes.start_detached(command, os.environ, log)
    except OSError as exc:
        raise SettingsError("cannot start", subject=command[0], actual=exc.strerror) from exc


def detached(pid: int, started: str) -> Process:
    """Name a process that was started before."""
    from fednet.ledger.chains.processes import Process

    return Process(pid, started)


def chain_height(app: App) -> int:
    """Ask the chain of the settings, whatever stands on it, for its height.

    Raises:
        LedgerUnavailableError: It does not answer.
    """
    from fednet.ledger.rpc import JsonRpc, RpcRefusedError

    rpc = JsonRpc(app.settings().chain.url)
    try:
        return int(rpc.call("eth_blockNumber"), 16)
    except (RpcRefusedError, ValueError, TypeError) as exc:
        raise LedgerError("this is no Ethereum chain", subject=app.settings().chain.url) from exc
    finally:
        rpc.close()


# Blobs


@contextmanager
def store(app: App) -> Iterator[KuboStore]:
    """Open the blob store: an external daemon, this home's running one, or one for now."""
    stored = app.settings().store
    opened = _attached(app) if stored.rpc or is_store_running(app) else None
    if opened is None:
        with own_store(app) as found:
            yield found
        return
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def own_store(app: App) -> Iterator[KuboStore]:
    """Open a store that ends with this process, and dial the hubs."""
    from fednet.blobs import NO_LISTEN, EmbeddedStore

    stored = app.settings().store
    opened: KuboStore
    if stored.rpc:
        opened = _attached(app)
    else:
        opened = EmbeddedStore(
            app.path(stored.repo),
            app.home / "cache",
            swarm_key=home.swarm_key(app),
            listen=stored.listen or NO_LISTEN,
            announce=stored.announce,
        )
    try:
        if stored.peers:
            try:
                opened.connect(stored.peers)
            except StoreError as exc:
                output.say(f"no hub answers yet: {exc}")
        yield opened
    finally:
        opened.close()


@contextmanager
def running_store(app: App) -> Iterator[BlobStore]:
    """Open a store that runs already.

    Raises:
        StoreUnavailableError: None does.
    """
    if not app.settings().store.rpc and not is_store_running(app):
        raise StoreUnavailableError(
            "the store does not run",
            subject=str(app.home),
            hint="start it with `fednet store start`, or run the node",
        )
    opened = _attached(app)
    try:
        yield opened
    finally:
        opened.close()


def is_store_running(app: App) -> bool:
    """Tell whether another process runs this home's embedded store."""
    from fednet.blobs import running_endpoint

    return running_endpoint(app.path(app.settings().store.repo)) is not None


def _attached(app: App) -> KuboStore:
    from fednet.blobs import KuboStore, running_endpoint

    stored = app.settings().store
    if stored.rpc:
        return KuboStore(stored.rpc, app.home / "cache", announce=stored.announce)
    endpoint = running_endpoint(app.path(stored.repo))
    if endpoint is None:
        raise StoreUnavailableError("the store does not run", subject=str(app.home))
    return KuboStore(lambda: endpoint, app.home / "cache", announce=stored.announce)


def hub_addresses(app: App) -> list[str]:
    """List the hubs that an invitee shall dial: this home's store, else the known ones."""
    known = list(app.settings().store.peers)
    if not app.settings().store.rpc and not is_store_running(app):
        return known
    with running_store(app) as found:
        own = found.address()
    return [own, *known] if own else known


def own_address(app: App) -> str:
    """Return the address to be registered for this home's store; empty if it only dials out."""
    stored = app.settings().store
    if not stored.listen and not stored.rpc:
        return ""
    with store(app) as found:
        return found.address()


def remark_if_store_stops(app: App) -> None:
    """Tell a person when what was published is served no longer than this command runs."""
    if not app.settings().store.rpc and not is_store_running(app):
        output.say("note: nobody can fetch this while the store does not run: fednet store start")


# Learning


def trainer(app: App, task: str, data: Path | None, held_out: Path | None = None) -> Trainer:
    """Make a trainer of a task on private data; its process starts when it is asked."""
    accepted = [name for name in WALL_NAMES if name in app.settings().task.without_walls]
    return Trainer(task, data, held_out=held_out, without_walls=accepted)


def task_digest(source: str) -> Commitment:
    """Digest the code that this machine has for a task; runs none of it."""
    return find_task(source).digest


def walls() -> tuple[Wall, ...]:
    """Try which walls this machine can put up around a task."""
    return probe_walls()

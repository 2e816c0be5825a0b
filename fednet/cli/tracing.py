"""Add to a lineage what only blobs say: the task's code, and the clusters' models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fednet.cli import publishing, wiring
from fednet.cli.app import App
from fednet.domain.blobs import BlobStore
from fednet.domain.identity import Commitment, Locator
from fednet.domain.plan import MAX_PLAN_SIZE_BYTES, Plan
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from fednet.errors import FednetError

if TYPE_CHECKING:
    from fednet.provenance import Lineage

_Records = dict[Commitment, RoundRecord]


def completed(app: App, found: Lineage, cluster: int | None) -> Lineage:
    """Complete a lineage as far as a store that runs has the blobs; whole for a named cluster.

    Raises:
        FednetError: A cluster is named, and there is none such or a blob cannot be had.
    """
    if cluster is not None:
        with wiring.running_store(app) as store:
            return of_cluster(app, store, found, cluster)
    if not _has_store(app):
        return found
    try:
        with wiring.running_store(app) as store:
            plan = _plan(app, store, found)
            found = replace(found, task_digest=plan.task.digest)
            return _clustered(found, plan, _records(app, store, found, plan))
    except FednetError:
        return found


def plan_at_hand(app: App, commitment: Commitment, locator: Locator) -> Plan | None:
    """Read a plan, if a store that runs has it; starts none."""
    if not _has_store(app):
        return None
    try:
        with wiring.running_store(app) as store:
            data = publishing.fetch(app, store, commitment, locator, MAX_PLAN_SIZE_BYTES)
        return Plan.from_bytes(data)
    except FednetError:
        return None


def of_cluster(app: App, store: BlobStore, found: Lineage, cluster: int) -> Lineage:
    """Keep what made one cluster's model, and name that model.

    Raises:
        SettingsError: There is no such cluster.
        StoreError: The plan, a record or the state cannot be had.
    """
    from fednet.exports.extracting import model_bytes

    plan = _plan(app, store, found)
    records = _records(app, store, found, plan)
    state, locator, size = found.initial_model, found.initial_model_locator, plan.model.size_bytes
    if found.steps and (record := records.get(found.steps[0].record)):
        state, size = found.steps[0].state, record.state_size_bytes
        locator = Locator(record.state_locator)
    data = publishing.fetch(app, store, state, locator, size)
    model = Commitment.of(model_bytes(data, state, plan, cluster, f"state {state}"))
    found = replace(found, task_digest=plan.task.digest, cluster_model=model)
    return _clustered(found, plan, records, cluster)


def _has_store(app: App) -> bool:
    return bool(app.settings().store.rpc) or wiring.is_store_running(app)


def _clustered(
    found: Lineage, plan: Plan, records: _Records, cluster: int | None = None
) -> Lineage:
    from fednet.provenance import with_clusters

    if plan.clusters.count == 1:
        return found
    return with_clusters(found, plan.clusters, records, cluster)


def _plan(app: App, store: BlobStore, found: Lineage) -> Plan:
    data = publishing.fetch(app, store, found.plan, found.plan_locator, MAX_PLAN_SIZE_BYTES)
    return Plan.from_bytes(data)


def _records(app: App, store: BlobStore, found: Lineage, plan: Plan) -> _Records:
    """Fetch the records of a lineage's rounds; none where the run has one model."""
    if plan.clusters.count == 1:
        return {}
    blobs = {
        step.record: publishing.fetch(
            app, store, step.record, step.record_locator, MAX_RECORD_SIZE_BYTES
        )
        for step in found.steps
    }
    return {name: RoundRecord.from_bytes(data, "record") for name, data in blobs.items()}

"""Safe Settings: the code that trains, the contracts that decide, the nodes that act."""

from __future__ import annotations

from collections.abc import Iterator

from fednet.provenance.safes.asked import Asked
from fednet.provenance.safes.lines import Line, line, moment

NODES_UNKNOWN = (
    "Which program a node runs stands nowhere on the ledger: what it combined is recomputed by the"
    " others, what it trained is its site's own word."
)


def settings(asked: Asked) -> Iterator[Line]:
    """Tell of the task's code, the contracts, the recomputed rounds, and of each node."""
    run, plan = asked.run, asked.plan
    if plan is not None:
        told = f"code digest {plan.task.digest}; a site with other code refuses to train"
        yield line("task", told, [run], name=plan.task.source)
    yield line("initial model", f"commitment {run.initial_model}", [run])
    yield _module(asked)
    addresses = asked.deployment.contracts()
    for contract, digest in asked.deployment.code_hashes:
        told = f"at {addresses.get(contract, 'an address not known')}; Keccak-256 of its code "
        yield line(f"contract {contract}", told + str(digest), [])
    yield _recomputed(asked)
    keys = {key.site: key for key in asked.index.node_keys(run.run)}
    for site, row in sorted(asked.sites.items()):
        key = keys.get(site)
        told = f"acts as account {row.account}"
        if key is not None:
            told += f"; sealed blobs are wrapped for key {key.encryption_key}"
        yield line(f"node of site {site}", told, [key], name=row.name, site=site)


def _module(asked: Asked) -> Line:
    module = asked.run.module
    acts = [each for each in asked.index.module_acts() if each.module.lower() == module.lower()]
    kind = asked.deployment.modules.name_of(module) or "of no kind known here"
    told = f"{module}, {kind}"
    for act in acts:
        done = "approved" if act.approved else "withdrawn from new runs"
        told += f"; {done} by operator {act.operator} at {moment(act.time)}"
    return line("rounds module", told if acts else f"{told}; no approval is on record", acts)


def _recomputed(asked: Asked) -> Line:
    run = asked.run
    latest = asked.index.events(run=run.run, kind="RoundFinalized", limit=1, newest_first=True)
    told = (
        f"{run.final_rounds} rounds are final, each recomputed and vouched for by its quorum."
        f" {NODES_UNKNOWN}"
    )
    more = max(0, run.final_rounds - len(latest))
    return line("recomputation", told, latest, more_records=more)

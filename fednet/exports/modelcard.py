"""Write the card of a global model, and its lineage as data.

The card has the form that Hugging Face reads: YAML between dashes, then
Markdown. What only the researcher can know is marked, not made up.
"""

from __future__ import annotations

import json

from fednet.exports import wording
from fednet.exports.dossier import FinalRound, RunDossier
from fednet.exports.extracting import Taken
from fednet.exports.provjson import dossier_verdict
from fednet.exports.texts import MAX_NAME_LENGTH, clean, markdown, name, when

MODEL_FILE = "model.safetensors"
LINEAGE_FORMAT = "fednet-lineage/1"


def write_card(dossier: RunDossier, last: FinalRound, taken: Taken | None = None) -> bytes:
    """Return the card of the model that a final round made, equal for equal arguments.

    Args:
        dossier: The run.
        last: The round.
        taken: What was taken out of the round's state; all of it unless given.
    """
    taken = taken or Taken(last.proposed.state, last.proposed.state)
    parts = [
        _front(dossier, last, taken),
        _title(dossier, last),
        _use(dossier, last),
        _how(dossier),
        _verdict(dossier),
    ]
    parts += [_contributors(dossier, last), _commitments(dossier, last, taken), _limits()]
    return "\n".join(parts).encode("utf-8")


def write_lineage(dossier: RunDossier, last: FinalRound) -> bytes:
    """Return how the model came of the initial one, round by round, as JSON."""
    deployment = dossier.deployment
    report = dossier.report
    told = {
        "format": LINEAGE_FORMAT,
        "chain_id": deployment.chain_id,
        "genesis_hash": str(deployment.genesis_hash),
        "rounds_contract": dossier.run.module,
        "run": dossier.run.run,
        "plan": str(dossier.run.plan),
        "task_digest": dossier.plan.task.digest if dossier.plan else None,
        "initial_model": str(dossier.run.initial_model),
        "model": str(last.proposed.state),
        "audit": None
        if report is None
        else {
            "verified": report.verified,
            "anchored": report.anchored,
            "block": report.head.number,
        },
        "rounds": [_step(dossier, entry) for entry in _until(dossier, last)],
    }
    text = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False)
    return text.encode("utf-8") + b"\n"


def _step(dossier: RunDossier, entry: FinalRound) -> dict[str, object]:
    updates = []
    for update in entry.submissions:
        consent = dossier.consent_of(update.site, update)
        updates.append(
            {
                "site": update.site,
                "name": name(dossier.name(update.site)),
                "weight": update.weight,
                "commitment": str(update.commitment),
                "verdict": dossier_verdict(entry, update.site),
                "dataset": dossier.dataset_of(update.site, update),
                "grant": consent.grant if consent else None,
                "block": update.log.block,
                "transaction": str(update.log.transaction),
            }
        )
    record = dossier.records.get(entry.number)
    measured = record.measured if record else None
    return {
        "outcome": dict(record.outcome) if record else None,
        "measured_before": None
        if measured is None
        else {
            "metric": measured.evaluation.metric,
            "pooled": measured.evaluation.pooled,
            "sites": {str(site): value for site, value in sorted(measured.sites.items())},
        },
        "round": entry.number,
        "attempt": entry.started.attempt,
        "previous_state": str(entry.previous_state),
        "state": str(entry.proposed.state),
        "record": str(entry.proposed.record),
        "proposer": entry.proposed.site,
        "attested_by": sorted(each.site for each in entry.attestations),
        "block": entry.finalized.log.block,
        "transaction": str(entry.finalized.log.transaction),
        "updates": updates,
    }


def _until(dossier: RunDossier, last: FinalRound) -> list[FinalRound]:
    return [entry for entry in dossier.final_rounds if entry.number <= last.number]


def _front(dossier: RunDossier, last: FinalRound, taken: Taken) -> str:
    plan = dossier.plan
    values: dict[str, object] = {
        "library_name": "safetensors",
        "license": "other",
        "license_name": "to-be-filled-in-by-the-researcher",
        "tags": ["federated-learning", "fednet"],
        "fednet": {
            "chain_id": dossier.deployment.chain_id,
            "run": dossier.run.run,
            "round": last.number,
            "model_sha256": str(taken.commitment),
            "state_sha256": str(taken.state),
            "plan_sha256": str(dossier.run.plan),
            "task": clean(plan.task.source) if plan else "",
        },
    }
    # JSON is YAML, and leaves a stranger's text no way out of its quotes.
    lines = [f"{key}: {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(("---", *lines, "---", ""))


def _title(dossier: RunDossier, last: FinalRound) -> str:
    title = clean(dossier.plan.name) if dossier.plan else f"run {dossier.run.run}"
    return (
        f"# {_text(title)}: global model of round {last.number}\n\n"
        f"Trained together by {len({e.site for r in _until(dossier, last) for e in r.included})}"
        f" institutions in {last.number} rounds; run {dossier.run.run} on chain"
        f" {dossier.deployment.chain_id}, final since"
        f" {when(dossier.source(last.finalized).time) or 'a time not known'}.\n"
    )


def _use(dossier: RunDossier, last: FinalRound) -> str:
    fill = "**To be filled in by the researcher:**"
    return (
        "## Load it\n\n```python\nfrom safetensors.numpy import load_file\n\n"
        f'tensors = load_file("{MODEL_FILE}")\n'
        "for name, values in tensors.items():\n    print(name, values.shape, values.dtype)\n```\n\n"
        f"## Intended use\n\n{fill} what the model is for, who may use it, what it must not be"
        f" used for.\n\n## Evaluation\n\n{_measured(dossier, last)} {fill} on which data"
        f" the model was measured, and with which result.\n\n## Licence\n\n{fill} under which"
        " terms the model may be used; the grants of the data may bind it.\n"
    )


def _measured(dossier: RunDossier, last: FinalRound) -> str:
    """Say what the sites measured of this model, or of the latest before it that was judged."""
    known = [each for each in dossier.measured if each.round <= last.number]
    if not known:
        return "No metric is recorded on the ledger."
    found = known[-1]
    of = "this model" if found.round == last.number else f"the model of round {found.round}"
    lines = [
        f"The institutions measured {_text(found.evaluation.metric)} of {of} on their own data:"
        f" {found.evaluation.pooled} as the mean over examples.",
        "",
        "| site | institution | " + _text(found.evaluation.metric) + " |",
        "|---|---|---|",
    ]
    lines += [
        f"| {site} | {_text(dossier.name(site))} | {value} |"
        for site, value in sorted(found.sites.items())
    ]
    return "\n".join((*lines, "", wording.MEASURED, ""))


def _how(dossier: RunDossier) -> str:
    plan = dossier.plan
    if plan is None:
        return "## Training\n\nThe plan's bytes could not be had.\n"
    training = plan.training
    return (
        "## Training\n\n"
        f"- task: {_text(plan.task.source)}, code digest `{plan.task.digest}`\n"
        f"- on each site: {training.algorithm}, {training.local_epochs} epochs per round, batches"
        f" of {training.batch_size}, learning rate {training.learning_rate}\n"
        f"- aggregation: {plan.aggregation.rule}\n\n## Privacy\n\n{wording.privacy_of(plan)}\n"
    )


def _verdict(dossier: RunDossier) -> str:
    report = dossier.report
    if report is None:
        return "## Audit\n\n**NOT AUDITED.** Nothing about this model was verified but its bytes.\n"
    said = "Everything that can be checked holds." if report.verified else "**DOES NOT HOLD.**"
    if report.erased:
        said = "**Erased in part:** what rests on erased updates is not verified; the rest holds."
    said = "**SEALED, NOT REPLAYED.**" if report.is_sealed else said
    accused = ", ".join(f"site {site} ({_text(dossier.name(site))})" for site in report.accused)
    anchor = wording.ANCHORED if report.anchored else wording.UNANCHORED
    named = f" Accused: {accused}." if accused else ""
    return (
        f"## Audit\n\n{said}{named} {len(report.findings)} findings at block"
        f" {report.head.number}.\n\n{wording.AUDITED}\n\n{anchor}\n"
    )


def _contributors(dossier: RunDossier, last: FinalRound) -> str:
    rounds = _until(dossier, last)
    lines = ["## Who contributed", "", "| site | institution | updates counted | dataset |",
             "|---|---|---|---|"]  # fmt: skip
    for site in dossier.sites:
        counted = [e for r in rounds for e in r.included if e.site == site]
        used = {dossier.dataset_of(site, each) for each in counted} - {None}
        datasets = ", ".join(str(each) for each in sorted(used, key=str))
        lines.append(f"| {site} | {_text(dossier.name(site))} | {len(counted)} | {datasets} |")
    return "\n".join(lines) + "\n"


def _commitments(dossier: RunDossier, last: FinalRound, taken: Taken) -> str:
    lines = ["## Commitments", "", "SHA-256 of the complete bytes; check with `sha256sum`.", ""]
    lines.append(f"- {MODEL_FILE}: `{taken.commitment}`")
    if taken.commitment != taken.state:
        which = "" if taken.cluster is None else f", which is cluster {taken.cluster}'s"
        lines.append(f"- the state that it was taken out of{which}: `{taken.state}`")
    lines.append(f"- plan: `{dossier.run.plan}`")
    lines.append(f"- initial model: `{dossier.run.initial_model}`")
    for entry in _until(dossier, last):
        about = f"- round {entry.number}: record `{entry.proposed.record}`, model"
        where = (
            f"block {entry.finalized.log.block}, transaction `{entry.finalized.log.transaction}`"
        )
        lines.append(f"{about} `{entry.proposed.state}`, {where}")
        lines += [f"  - update of site {u.site}: `{u.commitment}`" for u in entry.submissions]
    return "\n".join((*lines, "", "The whole way from the initial model is in `lineage.json`.", ""))


def _limits() -> str:
    points = "\n".join(f"- {point}" for point in wording.LIMITS)
    return f"## What the ledger cannot prove\n\n{points}\n"


def _text(text: object) -> str:
    return markdown(text, MAX_NAME_LENGTH)

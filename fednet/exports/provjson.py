"""Write a run as W3C PROV-JSON (https://www.w3.org/submissions/prov-json/).

Entities are the plan, datasets (as commitments), updates, models, records and
the audit; activities are training, aggregation, attestation and audit; agents
are institutions, their nodes, the researcher and the operator.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from fednet.domain import events as ev
from fednet.domain.identity import SiteId
from fednet.domain.ledger import Inclusion
from fednet.exports.dossier import FinalRound, RunDossier
from fednet.exports.texts import name, stamp

VOCABULARY = "urn:fednet:vocabulary:"
Attributes = dict[str, object]


def write_prov(dossier: RunDossier) -> bytes:
    """Return the document's bytes, equal for equal dossiers."""
    document = _Document(dossier)
    document.agents()
    document.ground()
    for entry in dossier.final_rounds:
        document.round(entry)
    document.audit()
    text = json.dumps(document.parts, indent=1, sort_keys=True, ensure_ascii=False)
    return text.encode("utf-8") + b"\n"


class _Document:
    """Collect records and relations; relations are numbered in the order of writing."""

    def __init__(self, dossier: RunDossier) -> None:
        self._dossier = dossier
        self._relations = 0
        deployment = dossier.deployment
        run = f"urn:fednet:{deployment.chain_id}:{deployment.runs}:run:{dossier.run.run}:"
        self.parts: dict[str, dict[str, object]] = {
            "prefix": {
                "fednet": VOCABULARY,
                "run": run,
                "net": f"urn:fednet:{deployment.chain_id}:{deployment.site_registry}:",
            }
        }

    def agents(self) -> None:
        """Name who acted, and on whose behalf."""
        dossier = self._dossier
        for operator in dossier.operators:
            self._add("agent", _account("operator", operator), {"prov:type": _q("fednet:Operator")})
        researcher = _account("researcher", dossier.run.researcher)
        self._add("agent", researcher, {"prov:type": _q("fednet:Researcher")})
        for site in dossier.sites:
            said = {"prov:type": _q("prov:Organization"), "prov:label": name(dossier.name(site))}
            self._add("agent", _site(site), said | self._where(dossier.applied.get(site)))
            self._add("agent", _node(site), {"prov:type": _q("prov:SoftwareAgent")})
            self._relate("actedOnBehalfOf", delegate=_node(site), responsible=_site(site))

    def ground(self) -> None:
        """Write what the run rests on: plan, initial model, datasets, grants."""
        dossier, opened = self._dossier, self._dossier.opened
        researcher = _account("researcher", dossier.run.researcher)
        plan = {"prov:type": _q("prov:Plan")} | _hash(opened.plan) | self._where(opened)
        if dossier.plan is not None:
            plan["prov:label"] = name(dossier.plan.name)
            plan["fednet:taskDigest"] = dossier.plan.task.digest
        self._add("entity", "run:plan", plan)
        initial = {"prov:type": _q("fednet:State")} | _hash(opened.initial_model)
        self._add("entity", _state(0), initial | self._where(opened))
        for entity in ("run:plan", _state(0)):
            self._relate("wasAttributedTo", entity=entity, agent=researcher)
        for dataset, registered in sorted(dossier.datasets.items()):
            said = {"prov:type": _q("fednet:Dataset"), "fednet:examples": registered.examples}
            said |= _hash(registered.data) | self._where(registered)
            self._add("entity", _dataset(dataset), said)
            self._relate("wasAttributedTo", entity=_dataset(dataset), agent=_site(registered.site))
        for grant, entry in sorted(dossier.grants.items()):
            said = {"prov:type": _q("fednet:Grant"), "fednet:purpose": str(entry.requested.purpose)}
            if entry.granted is not None:
                said["fednet:terms"] = str(entry.granted.terms)
                said["fednet:expires"] = entry.granted.expiry
                owner = _site(entry.granted.site)
                self._relate("wasAttributedTo", entity=f"net:grant-{grant}", agent=owner)
            said |= self._where(entry.granted or entry.requested)
            self._add("entity", f"net:grant-{grant}", said)

    def round(self, entry: FinalRound) -> None:
        """Write a round: training by each site, one aggregation, the attestations."""
        self._training(entry)
        self._aggregation(entry)
        votes: list[ev.RoundAttested | ev.RoundObjected] = [*entry.attestations, *entry.objections]
        for vote in sorted(votes, key=lambda each: each.log):
            word = "attestation" if isinstance(vote, ev.RoundAttested) else "objection"
            activity = f"run:{word}-{entry.number}-{vote.site}"
            kind = {"prov:type": _q(f"fednet:{word.capitalize()}")}
            self._add("activity", activity, kind | self._where(vote) | self._ended(vote))
            self._used(activity, _record(entry.number), _state(entry.number), "run:plan")
            self._associate(activity, _node(vote.site))

    def audit(self) -> None:
        """Write the audit, if there was one."""
        report = self._dossier.report
        if report is None:
            return
        self._add("activity", "run:audit", {"prov:type": _q("fednet:Audit")})
        self._add("agent", "fednet:auditor", {"prov:type": _q("prov:SoftwareAgent")})
        self._associate("run:audit", "fednet:auditor")
        rounds = self._dossier.final_rounds
        self._used("run:audit", "run:plan", _state(0))
        for entry in rounds:
            self._used("run:audit", _record(entry.number), _state(entry.number))
        said: Attributes = {
            "prov:type": _q("fednet:AuditReport"),
            "fednet:verified": report.verified,
            "fednet:anchored": report.anchored,
            "fednet:block": report.head.number,
            "fednet:blockHash": str(report.head.block_hash),
            "fednet:findings": len(report.findings),
        }
        self._add("entity", "run:audit-report", said)
        self._relate("wasGeneratedBy", entity="run:audit-report", activity="run:audit")

    def _training(self, entry: FinalRound) -> None:
        dossier, base = self._dossier, _state(entry.number - 1)
        begun = dossier.source(entry.started).time
        for update in entry.submissions:
            activity = f"run:training-{entry.number}-{update.site}"
            when = {"prov:startTime": stamp(begun)} if begun else {}
            kind: Attributes = {"prov:type": _q("fednet:Training")}
            self._add("activity", activity, kind | when | self._ended(update))
            self._used(activity, base, "run:plan")
            self._associate(activity, _node(update.site))
            verdict = dossier_verdict(entry, update.site)
            said: Attributes = {"prov:type": _q("fednet:Update"), "fednet:verdict": verdict}
            said |= {"fednet:weight": update.weight, "fednet:attempt": update.attempt}
            made = _update(entry.number, update.site)
            self._add("entity", made, said | _hash(update.commitment) | self._where(update))
            self._relate("wasGeneratedBy", entity=made, activity=activity)
            self._derive(made, base, activity)
            dataset = dossier.dataset_of(update.site, update)
            if dataset in dossier.datasets:
                self._used(activity, _dataset(dataset))
                self._derive(made, _dataset(dataset), activity)
            consent = dossier.consent_of(update.site, update)
            if consent is not None and consent.grant in dossier.grants:
                self._used(activity, f"net:grant-{consent.grant}")

    def _aggregation(self, entry: FinalRound) -> None:
        activity, proposed = f"run:aggregation-{entry.number}", entry.proposed
        kind: Attributes = {"prov:type": _q("fednet:Aggregation")}
        self._add("activity", activity, kind | self._ended(proposed))
        self._associate(activity, _node(proposed.site))
        self._used(activity, "run:plan", _state(entry.number - 1))
        said = {"prov:type": _q("fednet:State")} | _hash(proposed.state)
        self._add("entity", _state(entry.number), said | self._where(entry.finalized))
        said = {"prov:type": _q("fednet:RoundRecord")} | _hash(proposed.record)
        self._add("entity", _record(entry.number), said | self._where(proposed))
        for made in (_state(entry.number), _record(entry.number)):
            self._relate("wasGeneratedBy", entity=made, activity=activity)
        self._derive(_state(entry.number), _state(entry.number - 1), activity)
        for update in entry.included:
            self._used(activity, _update(entry.number, update.site))
            self._derive(_state(entry.number), _update(entry.number, update.site), activity)

    def _add(self, kind: str, identifier: str, attributes: Mapping[str, object]) -> None:
        self.parts.setdefault(kind, {})[identifier] = {
            key: _literal(value) for key, value in attributes.items()
        }

    def _relate(self, kind: str, **ends: str) -> None:
        self._relations += 1
        said = {f"prov:{end}": identifier for end, identifier in ends.items()}
        self.parts.setdefault(kind, {})[f"_:r{self._relations}"] = said

    def _used(self, activity: str, *entities: str) -> None:
        for entity in entities:
            self._relate("used", activity=activity, entity=entity)

    def _derive(self, made: str, source: str, activity: str) -> None:
        ends = {"generatedEntity": made, "usedEntity": source, "activity": activity}
        self._relate("wasDerivedFrom", **ends)

    def _associate(self, activity: str, agent: str) -> None:
        self._relate("wasAssociatedWith", activity=activity, agent=agent, plan="run:plan")

    def _where(self, event: ev.LedgerEvent | None) -> Attributes:
        if event is None:
            return {}
        source = self._dossier.source(event)
        return {"fednet:block": source.block, "fednet:transaction": source.transaction}

    def _ended(self, event: ev.LedgerEvent) -> Attributes:
        time = self._dossier.source(event).time
        return {"prov:endTime": stamp(time)} if time else {}


def dossier_verdict(entry: FinalRound, site: SiteId) -> str:
    """Say what a proposal said of a submission."""
    verdict: Inclusion | None = entry.verdicts.get(site)
    return verdict.name.lower() if verdict is not None else "unknown"


def _literal(value: object) -> object:
    if isinstance(value, bool):
        return {"$": "true" if value else "false", "type": "xsd:boolean"}
    return {"$": str(value), "type": "xsd:integer"} if isinstance(value, int) else value


def _q(identifier: str) -> dict[str, str]:
    return {"$": identifier, "type": "prov:QUALIFIED_NAME"}


def _hash(commitment: bytes) -> Attributes:
    return {"fednet:sha256": commitment.hex()}


def _account(role: str, account: str) -> str:
    return f"net:{role}-{account}"


def _site(site: int) -> str:
    return f"net:site-{site}"


def _node(site: int) -> str:
    return f"net:node-{site}"


def _dataset(dataset: int | None) -> str:
    return f"net:dataset-{dataset}"


def _state(number: int) -> str:
    return f"run:state-{number}"


def _record(number: int) -> str:
    return f"run:record-{number}"


def _update(number: int, site: int) -> str:
    return f"run:update-{number}-{site}"

"""The entities of a run's RO-Crate: what ran, on what, by whom, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import fednet
from fednet.domain.identity import DatasetId
from fednet.exports.dossier import FinalRound, RunDossier
from fednet.exports.texts import name, stamp

Entity = dict[str, object]
Reference = dict[str, str]

_LEARNING_PROFILE = (
    "https://esciencelab.org.uk/federated-learning-ro-crate-profile/federated-learning-profile.html"
)
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
    _LEARNING_PROFILE: ("Federated Learning RO-Crate Profile", "0.1"),
}
_ABOUT = {
    "plan.json": ("Plan of the run, as every member consented to it", "application/json"),
    "provenance.prov.json": ("Provenance of the run as W3C PROV-JSON", "application/json"),
    "audit.json": ("What an audit of the run found", "application/json"),
}
_TERMS = (
    "No licence is recorded on the ledger; the terms of each data grant and the consortium's"
    " agreement apply."
)
_LOCAL, _COMBINE, _ENGINE = "#training-tool", "#aggregation-tool", "#fednet"


class Graph:
    """Describe a dossier.

    Args:
        dossier: A run with at least one final round.
        sizes: Bytes of the files in the crate, by name.
        model_size_bytes: Size of the model's file.
    """

    def __init__(
        self, dossier: RunDossier, sizes: Mapping[str, int], model_size_bytes: int
    ) -> None:
        self._dossier = dossier
        self._sizes = sizes
        self._rounds = dossier.final_rounds
        self._model_size_bytes = model_size_bytes
        deployment = dossier.deployment
        self._urn = f"urn:fednet:{deployment.chain_id}:{deployment.site_registry}:"
        self.model_name = f"model-round-{self._rounds[-1].number}.safetensors"

    def entities(self) -> list[Entity]:
        """Return the whole graph."""
        found: list[Entity] = [self._descriptor(), self._root(), *self._profiles()]
        found += [self._workflow(), *self._parameters(), *self._tools(), *self._agents()]
        found += [*self._files(), *self._datasets(), self._initial()]
        for entry in self._rounds:
            found += self._round(entry)
        return [*found, self._organized(), self._process()]

    def _descriptor(self) -> Entity:
        conforms = ["https://w3id.org/ro/crate/1.1", list(_PROFILES)[3]]
        return {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "about": _ref("./"),
            "conformsTo": _refs(conforms),
        }

    def _root(self) -> Entity:
        dossier = self._dossier
        title = name(dossier.plan.name) if dossier.plan else f"run {dossier.run.run}"
        actions = ["#process", *self._actions(), "#organized"]
        parts = [*sorted(self._sizes), self.model_name]
        return {
            "@id": "./",
            "@type": "Dataset",
            "name": f"Federated learning run {dossier.run.run}: {title}",
            "description": (
                f"{len(self._rounds)} final rounds by {len(dossier.sites)} institutions, recorded"
                f" on chain {dossier.deployment.chain_id}, rounds contract {dossier.run.module}."
                " Updates and intermediate models are named by their SHA-256 only."
            ),
            "conformsTo": _refs(_PROFILES),
            "datePublished": stamp(dossier.head.timestamp),
            "license": _TERMS,
            "mainEntity": _ref("plan.json"),
            "hasPart": _refs([*parts, *(self._dataset(each) for each in sorted(dossier.datasets))]),
            "mentions": _refs(actions),
        }

    def _profiles(self) -> list[Entity]:
        return [
            {"@id": uri, "@type": "CreativeWork", "name": title, "version": version}
            for uri, (title, version) in _PROFILES.items()
        ]

    def _workflow(self) -> Entity:
        dossier = self._dossier
        return {
            "@id": "plan.json",
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            "name": "Plan of the run",
            "description": _ABOUT["plan.json"][0],
            "encodingFormat": "application/json",
            "contentSize": str(self._sizes["plan.json"]),
            "identifier": _sha256(dossier.run.plan),
            "version": "fednet-plan/1",
            "programmingLanguage": _ref("#plan-language"),
            "hasPart": _refs([_LOCAL, _COMBINE]),
            "step": _refs(["#step-training", "#step-aggregation"]),
            "input": _refs(["#input-datasets", "#input-model"]),
            "output": _refs(["#output-model"]),
        }

    def _parameters(self) -> list[Entity]:
        def parameter(identifier: str, title: str, kind: str, examples: Iterable[str]) -> Entity:
            return {
                "@id": identifier,
                "@type": "FormalParameter",
                "name": title,
                "additionalType": kind,
                "workExample": _refs(examples),
            }

        datasets = [self._dataset(each) for each in sorted(self._dossier.datasets)]
        return [
            parameter("#input-datasets", "local datasets", "Dataset", datasets),
            {
                "@id": "#input-model",
                "@type": "FormalParameter",
                "name": "initial model",
                "additionalType": "File",
            },
            parameter("#output-model", "global model", "File", [self.model_name]),
            {
                "@id": "#plan-language",
                "@type": "ComputerLanguage",
                "name": "fednet plan, version 1",
            },
        ]

    def _tools(self) -> list[Entity]:
        plan = self._dossier.plan
        task, rule = (plan.task, plan.aggregation.rule) if plan else (None, "")
        version = {"softwareVersion": fednet.__version__, "version": fednet.__version__}
        return [
            {
                "@id": _ENGINE,
                "@type": "SoftwareApplication",
                "name": "fednet",
                "description": "Blockchain-audited federated learning; version of the exporter.",
                **version,
            },
            {
                "@id": _LOCAL,
                "@type": "SoftwareApplication",
                "name": f"local training: {name(task.source)}" if task else "local training",
                "identifier": f"sha256:{task.digest}" if task else "",
                "softwareVersion": task.digest if task else "",
            },
            {
                "@id": _COMBINE,
                "@type": "SoftwareApplication",
                "name": f"fednet aggregation: {rule}",
                **version,
            },
            _step("#step-training", 1, "every site trains on its own data", _LOCAL),
            _step("#step-aggregation", 2, "one site combines the updates", _COMBINE),
        ]

    def _agents(self) -> list[Entity]:
        dossier = self._dossier
        found: list[Entity] = [
            {
                "@id": self._site(site),
                "@type": "Organization",
                "name": name(dossier.name(site)),
                "identifier": f"site {site}",
            }
            for site in dossier.sites
        ]
        researcher = {"@id": self._researcher, "@type": "Organization"}
        account = f"researcher {dossier.run.researcher}"
        return [*found, {**researcher, "name": account, "identifier": dossier.run.researcher}]

    def _files(self) -> list[Entity]:
        last = self._rounds[-1]
        found: list[Entity] = []
        for path, size_bytes in sorted(self._sizes.items()):
            if path == "plan.json":
                continue
            about, encoding = _ABOUT.get(path, ("Round record", "application/json"))
            found.append(
                {
                    "@id": path,
                    "@type": "File",
                    "name": path,
                    "description": about,
                    "encodingFormat": encoding,
                    "contentSize": str(size_bytes),
                }
            )
        model: Entity = {
            "@id": self.model_name,
            "@type": "File",
            "name": f"global model of round {last.number}",
            "description": "Output model: float32 tensors in the safetensors format.",
            "encodingFormat": "application/vnd.safetensors",
            "contentSize": str(self._model_size_bytes),
            "identifier": _sha256(last.proposed.state),
            "license": _TERMS,
            "exampleOfWork": _ref("#output-model"),
        }
        return [*found, model | ({"subjectOf": _ref("audit.json")} if self._audited else {})]

    def _datasets(self) -> list[Entity]:
        dossier = self._dossier
        return [
            {
                "@id": self._dataset(dataset),
                "@type": "Dataset",
                "name": f"dataset {dataset} of {name(dossier.name(registered.site))}",
                "description": (
                    f"{registered.examples} examples, never leaves its site; access by grant only."
                    " The identifier commits to its bytes and a secret salt."
                ),
                "identifier": _sha256(registered.data),
                "license": "Restricted: trained on under a grant recorded on the ledger.",
                "author": _ref(self._site(registered.site)),
                "exampleOfWork": _ref("#input-datasets"),
            }
            for dataset, registered in sorted(dossier.datasets.items())
        ]

    def _initial(self) -> Entity:
        return _blob(_state(0), "initial model", self._dossier.opened.initial_model)

    def _round(self, entry: FinalRound) -> list[Entity]:
        number, base = entry.number, _state(entry.number - 1)
        record = f"records/round-{number}.json"
        updates = [_update(number, each.site) for each in entry.included]
        made = [_state(number), *([record] if record in self._sizes else [])]
        if entry is self._rounds[-1]:
            made.append(self.model_name)
        found: list[Entity] = []
        for update in entry.submissions:
            title = f"update of site {update.site} in round {number}"
            found.append(_blob(_update(number, update.site), title, update.commitment))
            dataset = self._dossier.dataset_of(update.site, update)
            known = [self._dataset(dataset)] if dataset in self._dossier.datasets else []
            action: Entity = {
                "@id": f"#training-{number}-{update.site}",
                "@type": "CreateAction",
                "name": f"training by site {update.site} in round {number}",
                "instrument": _ref(_LOCAL),
                "agent": _ref(self._site(update.site)),
                "object": _refs([base, *known]),
                "result": _refs([_update(number, update.site)]),
                "startTime": stamp(self._dossier.source(entry.started).time),
                "endTime": stamp(self._dossier.source(update).time),
            }
            found += [action, _control(action, "#step-training")]
        found.append(_blob(_state(number), f"global model of round {number}", entry.proposed.state))
        combining: Entity = {
            "@id": f"#aggregation-{number}",
            "@type": "CreateAction",
            "name": f"aggregation of round {number} by site {entry.proposed.site}",
            "instrument": _ref(_COMBINE),
            "agent": _ref(self._site(entry.proposed.site)),
            "object": _refs([base, *updates]),
            "result": _refs(made),
            "endTime": stamp(self._dossier.source(entry.proposed).time),
        }
        return [*found, combining, _control(combining, "#step-aggregation")]

    def _organized(self) -> Entity:
        return {
            "@id": "#organized",
            "@type": "OrganizeAction",
            "name": "fednet's nodes following the contracts",
            "instrument": _ref(_ENGINE),
            "object": _refs(f"#control-{action[1:]}" for action in self._actions()),
            "result": _ref("#process"),
        }

    def _process(self) -> Entity:
        dossier = self._dossier
        datasets = [self._dataset(each) for each in sorted(dossier.datasets)]
        results = [self.model_name, *(["audit.json"] if self._audited else [])]
        return {
            "@id": "#process",
            "@type": "CreateAction",
            "name": f"federated learning run {dossier.run.run}",
            "instrument": _refs(["plan.json", _ENGINE]),
            "agent": _ref(self._researcher),
            "object": _refs([*datasets, _state(0), "plan.json"]),
            "result": _refs(results),
            "startTime": stamp(dossier.source(dossier.opened).time),
            "endTime": stamp(dossier.source(self._rounds[-1].finalized).time),
        }

    def _actions(self) -> list[str]:
        found = []
        for entry in self._rounds:
            found += [f"#training-{entry.number}-{each.site}" for each in entry.submissions]
            found.append(f"#aggregation-{entry.number}")
        return found

    @property
    def _audited(self) -> bool:
        return "audit.json" in self._sizes

    @property
    def _researcher(self) -> str:
        return f"{self._urn}researcher:{self._dossier.run.researcher}"

    def _site(self, site: int) -> str:
        return f"{self._urn}site:{site}"

    def _dataset(self, dataset: DatasetId | None) -> str:
        return f"{self._urn}dataset:{dataset}"


def _step(identifier: str, position: int, title: str, tool: str) -> Entity:
    return {
        "@id": identifier,
        "@type": "HowToStep",
        "name": title,
        "position": str(position),
        "workExample": _ref(tool),
    }


def _control(action: Entity, step: str) -> Entity:
    identifier = str(action["@id"])
    return {
        "@id": f"#control-{identifier[1:]}",
        "@type": "ControlAction",
        "name": f"step of {action['name']}",
        "instrument": _ref(step),
        "object": _ref(identifier),
    }


def _blob(identifier: str, title: str, commitment: bytes) -> Entity:
    said = {"@id": identifier, "@type": "CreativeWork", "name": title}
    return {**said, "identifier": _sha256(commitment)}


def _sha256(commitment: bytes) -> str:
    return f"sha256:{commitment.hex()}"


def _state(number: int) -> str:
    return f"#state-{number}"


def _update(number: int, site: int) -> str:
    return f"#update-{number}-{site}"


def _ref(identifier: str) -> Reference:
    return {"@id": identifier}


def _refs(identifiers: Iterable[str]) -> list[Reference]:
    return [_ref(identifier) for identifier in identifiers]

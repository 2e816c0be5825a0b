"""A run as PROV-JSON, read by the `prov` library and held against the dossier."""

from __future__ import annotations

import io
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from prov.model import ProvDocument

from fednet.domain.ledger import Inclusion
from fednet.exports.provjson import write_prov
from tests.unit.exports.made_up import make_dossier, violation

LEFT_OUT = {(1, 2): Inclusion.INVALID, (2, 3): Inclusion.UNAVAILABLE}


def read(data: bytes) -> ProvDocument:
    return ProvDocument.deserialize(io.BytesIO(data), format="json")


def derived(document: dict[str, Any], state: str) -> set[str]:
    return {
        each["prov:usedEntity"]
        for each in document["wasDerivedFrom"].values()
        if each["prov:generatedEntity"] == state
    }


def test_document_survives_the_library_unchanged() -> None:
    first = read(write_prov(make_dossier(left_out=LEFT_OUT)))
    again = read(first.serialize(format="json").encode())
    assert first == again
    assert first.unified() == first  # no identifier is said twice with different attributes


def test_every_relation_names_records_that_exist() -> None:
    document = json.loads(write_prov(make_dossier(left_out=LEFT_OUT)))
    kinds = {"entity", "activity", "agent"}
    known = {kind: set(document[kind]) for kind in kinds}
    expected = {
        "prov:entity": "entity", "prov:usedEntity": "entity", "prov:generatedEntity": "entity",
        "prov:plan": "entity", "prov:activity": "activity", "prov:agent": "agent",
        "prov:delegate": "agent", "prov:responsible": "agent",
    }  # fmt: skip
    for relation in document.keys() - kinds - {"prefix"}:
        for ends in document[relation].values():
            for end, identifier in ends.items():
                assert identifier in known[expected[end]], (relation, end, identifier)


def test_every_state_derives_from_exactly_its_included_updates() -> None:
    document = json.loads(write_prov(make_dossier(left_out=LEFT_OUT)))
    assert derived(document, "run:state-1") == {"run:state-0", "run:update-1-1", "run:update-1-3"}
    assert derived(document, "run:state-2") == {"run:state-1", "run:update-2-1", "run:update-2-2"}
    assert document["entity"]["run:update-1-2"]["fednet:verdict"] == "invalid"


def test_every_generated_entity_is_generated_once_and_used_only_afterwards() -> None:
    document = json.loads(write_prov(make_dossier(rounds=3)))
    made = [each["prov:entity"] for each in document["wasGeneratedBy"].values()]
    assert len(made) == len(set(made))
    maker = {e["prov:entity"]: e["prov:activity"] for e in document["wasGeneratedBy"].values()}
    for each in document["used"].values():
        before = document["activity"].get(maker.get(each["prov:entity"], ""), {})
        after = document["activity"][each["prov:activity"]]
        if "prov:endTime" in before and "prov:endTime" in after:
            assert before["prov:endTime"] <= after["prov:endTime"]


def test_training_uses_the_dataset_of_its_own_site() -> None:
    document = json.loads(write_prov(make_dossier()))
    used = {(e["prov:activity"], e["prov:entity"]) for e in document["used"].values()}
    assert ("run:training-1-2", "net:dataset-12") in used
    assert ("run:training-1-2", "net:dataset-11") not in used


def test_verdict_of_the_audit_is_said() -> None:
    honest = json.loads(write_prov(make_dossier()))["entity"]["run:audit-report"]
    wrong = json.loads(write_prov(make_dossier(findings=[violation()])))["entity"]
    assert honest["fednet:verified"]["$"] == "true"
    assert wrong["run:audit-report"]["fednet:verified"]["$"] == "false"
    assert "run:audit-report" not in json.loads(write_prov(make_dossier(findings=None)))["entity"]


def test_equal_dossiers_give_equal_bytes() -> None:
    assert write_prov(make_dossier()) == write_prov(make_dossier())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(min_size=0, max_size=30), min_size=2, max_size=3))
def test_any_name_gives_a_readable_document(names: list[str]) -> None:
    read(write_prov(make_dossier(names=names)))

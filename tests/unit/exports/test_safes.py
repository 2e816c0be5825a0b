"""The Five Safes in a report: told from the report's own records, and escaped as all else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fednet.domain import events as ev
from fednet.domain.identity import Digest
from fednet.domain.ledger import Head
from fednet.errors import LedgerError
from fednet.exports import make_statement, write_html
from fednet.exports.dossier import RunDossier
from fednet.exports.safes import safes_of, safes_section, said_by_safes
from fednet.provenance import FiveSafes
from tests.unit.exports.made_up import digest, make_dossier

WRITTEN = 1_700_100_000
HOSTILE = "</td><script>alert(1)</script> \u202eadmitted"


def records_of(dossier: RunDossier) -> list[ev.LedgerEvent]:
    """List every record that a made-up dossier holds."""
    found: list[ev.LedgerEvent] = [dossier.opened, *dossier.history.events]
    found += [*dossier.applied.values(), *dossier.datasets.values()]
    for entry in dossier.grants.values():
        found += [each for each in (entry.requested, entry.granted) if each is not None]
    return [each for each in found if said_by_safes(each)]


def told(dossier: RunDossier) -> FiveSafes:
    heads = {
        block: Head(block, Digest(digest("block", block)), time)
        for block, time in dossier.times.items()
    }
    return safes_of(dossier.run.run, dossier.plan, dossier.deployment, records_of(dossier), heads)


def test_report_has_a_table_for_each_of_the_five() -> None:
    dossier = make_dossier()
    assert "The Five Safes" not in [e.title for e in make_statement(dossier, WRITTEN).sections]
    statement = make_statement(replace(dossier, safes=told(dossier)), WRITTEN)
    (section,) = (each for each in statement.sections if each.title == "The Five Safes")
    people, projects, settings, data, outputs = (table.rows for table in section.tables)
    opened = f"{dossier.opened.log.block}, {dossier.opened.log.transaction}"
    assert ("plan", "made up") in {row[:2] for row in projects}
    assert {row[0]: row[3] for row in projects}["plan"] == opened
    assert ("site 2", "Universitätsklinikum Süd") in {row[:2] for row in people}
    assert ("task", "digits") in {row[:2] for row in settings}
    assert {"dataset 12 of site 2", "grant on request 22"} <= {row[0] for row in data}
    assert {"mechanism", "airlocks without a record", "models"} <= {row[0] for row in outputs}


def test_hostile_name_stays_a_name() -> None:
    dossier = make_dossier(names=(HOSTILE, "North"))
    statement = make_statement(replace(dossier, safes=told(dossier)), WRITTEN)
    page = write_html(statement, None).decode()
    assert "<script>alert(1)" not in page
    assert "\u202e" not in page
    section = safes_section(told(dossier))
    cells = [cell for table in section.tables for row in table.rows for cell in row]
    assert any(cell.startswith("</td><script>alert(1)</script> [U+202E]") for cell in cells)


def test_records_without_an_opening_tell_nothing() -> None:
    dossier = make_dossier()
    with pytest.raises(LedgerError):
        safes_of(dossier.run.run, dossier.plan, dossier.deployment, [], {})

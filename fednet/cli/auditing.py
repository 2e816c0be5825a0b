"""Run an audit and lay its report out for a person."""

from __future__ import annotations

import click

from fednet.audit import AuditReport, Finding, audit_run
from fednet.cli import output, wiring
from fednet.cli.app import App
from fednet.domain.identity import RunId
from fednet.domain.ports import LedgerReader


def audit(app: App, reader: LedgerReader, run: RunId) -> AuditReport:
    """Audit a run, telling how far it is."""
    fetch_seconds = app.settings().store.timeout_seconds
    with wiring.store(app) as store, output.counting("rounds audited") as count:
        return audit_run(reader, store, run, fetch_seconds=fetch_seconds, progress=count)


def show(report: AuditReport) -> None:
    """Print a report: a line per round, then what was found, then the verdict."""
    rows = [
        (entry.round, entry.verdict.value, entry.attempt, entry.attestations,
         ", ".join(f"{site.site} {site.verdict}" for site in entry.sites if site.verdict),
         "" if entry.record is None else output.short(entry.record))
        for entry in report.rounds
    ]  # fmt: skip
    columns = ("round", "verdict", "attempt", "attested", "updates", "record")
    output.emit_table("rounds", columns, rows)
    for finding in report.findings:
        click.echo(output.text(_line(finding)))
    accused = ", ".join(f"site {site}" for site in report.accused)
    anchor = "" if report.anchored else " (unanchored)"
    if report.verified:
        click.echo(f"run {report.run}: everything holds at block {report.head.number}{anchor}")
    else:
        click.echo(f"run {report.run}: DOES NOT HOLD; accused: {accused or 'nobody'}{anchor}")


def _line(finding: Finding) -> str:
    about = f"round {finding.round}, " if finding.round else ""
    line = f"{finding.severity.value}: {about}{finding.subject}: {finding.message}"
    if finding.accused:
        line += f"; accused: site {finding.accused}"
    if finding.expected or finding.actual:
        line += f"; expected {finding.expected}, got {finding.actual}"
    return f"{line} [check {finding.check}, {finding.code}]"

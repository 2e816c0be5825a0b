"""Run audits and lay their reports out for a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

import click

from fednet.audit import AuditReport, Finding, audit_run
from fednet.audit.memory import AuditMemory
from fednet.audit.schema import ALL_FORMAT
from fednet.cli import checkpoints, output, shared_keys, wiring
from fednet.cli.app import App, Signer
from fednet.domain.blobs import BlobStore
from fednet.domain.checkpoint import SignedCheckpoint
from fednet.domain.identity import Address, Digest, RunId
from fednet.domain.ports import LedgerReader
from fednet.domain.record import outcome_text
from fednet.errors import FednetError

if TYPE_CHECKING:
    from fednet.privacy.homomorphic import Decrypting
    from fednet.privacy.sealing import KeySource

_AUDITS = "audits"
_SEALED = "sealed, not replayed"


@dataclass(frozen=True, slots=True)
class Options:
    """What an audit compares the chain with, and what it recalls."""

    checkpoints: tuple[SignedCheckpoint, ...] = ()
    trusted: tuple[Address, ...] = ()
    """The accounts of this home."""
    afresh: bool = False
    pins: Mapping[int, Digest] = field(default_factory=dict)
    """Hashes of blocks by number, from elsewhere."""
    signer: Signer | None = None
    """Whose encryption key opens sealed blobs; None leaves them sealed."""

    def keys(
        self, app: App, reader: LedgerReader, store: BlobStore, run: RunId
    ) -> KeySource | None:
        """Find what opens the run's sealed blobs; None where nothing is to.

        Raises:
            SettingsError: The password does not open the key.
            FednetError: The ledger or the store does not answer.
        """
        if self.signer is None:
            return None
        from fednet.cli import unsealing

        return unsealing.key_source(app, self.signer, reader, store, run)

    def shared_key(
        self, app: App, reader: LedgerReader, store: BlobStore, run: RunId
    ) -> Decrypting | None:
        """Find what decrypts the run's sums; None where it is not here, or not to be used.

        Raises:
            FednetError: The plan cannot be had, or the library is not installed.
        """
        if self.signer is None or not shared_keys.identities(app):
            return None
        return shared_keys.of_run(app, reader, store, run)

    @classmethod
    def gather(
        cls,
        app: App,
        files: tuple[Path, ...],
        afresh: bool,
        pins: Mapping[int, Digest] | None = None,
        signer: Signer | None = None,
    ) -> Self:
        """Collect the checkpoints that this home keeps and those of files.

        Raises:
            FednetError: A file cannot be read or holds something else.
        """
        own = tuple(entry.address for entry in wiring.keystores(app))
        return cls(tuple(checkpoints.gather(app, files)), own, afresh, pins or {}, signer)


@dataclass(frozen=True, slots=True)
class Summary:
    """What auditing every run gave."""

    reports: tuple[AuditReport, ...]
    failures: tuple[tuple[RunId, FednetError], ...]
    """Runs that could not be looked at."""

    @property
    def exit_code(self) -> int:
        """Return the worst of all."""
        codes = [report.exit_code for report in self.reports]
        return max([*codes, *(error.exit_code for _, error in self.failures)], default=0)

    def to_json(self) -> dict[str, object]:
        """Return the summary in the stable form of ``--json``."""
        return {
            "format": ALL_FORMAT,
            "verified": self.exit_code == 0,
            "reports": [report.to_json() for report in self.reports],
            "failures": [
                {"run": run, "error": type(error).__name__, "message": str(error)}
                for run, error in self.failures
            ],
        }


def audit(
    app: App, reader: LedgerReader, run: RunId, options: Options | None = None
) -> AuditReport:
    """Audit a run, telling how far it is."""
    with wiring.store(app) as store, output.counting(f"rounds of run {run} audited") as count:
        return audit_with(app, reader, store, run, options or Options(), count)


def audit_with(
    app: App,
    reader: LedgerReader,
    store: BlobStore,
    run: RunId,
    options: Options,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> AuditReport:
    """Audit a run with an open store."""
    return audit_run(
        reader,
        store,
        run,
        fetch_seconds=app.settings().store.timeout_seconds,
        progress=progress,
        checkpoints=options.checkpoints,
        trusted=options.trusted,
        memory=AuditMemory(memory_dir(app), options.afresh),
        pins=options.pins,
        keys=options.keys(app, reader, store, run),
        shared_key=options.shared_key(app, reader, store, run),
    )


def memory_dir(app: App) -> Path:
    """Name the folder of the rounds that this home verified before."""
    return app.home / _AUDITS


def audit_all(app: App, reader: LedgerReader, options: Options) -> Summary:
    """Audit every run; one that cannot be looked at keeps no other from it.

    Raises:
        LedgerError: The chain does not say how many runs there are.
    """
    reports, failures = [], []
    for number in range(1, reader.run_count() + 1):
        try:
            reports.append(audit(app, reader, RunId(number), options))
        except FednetError as exc:
            failures.append((RunId(number), exc))
    return Summary(tuple(reports), tuple(failures))


def show_all(summary: Summary) -> None:
    """Print one line per run, then what does not hold, then what could not be looked at."""
    rows = []
    for report in summary.reports:
        rounds = [entry.verdict.value for entry in report.rounds]
        counts = ", ".join(f"{rounds.count(name)} {name}" for name in sorted(set(rounds)))
        accused = ", ".join(str(site) for site in report.accused)
        verdict = "holds" if report.verified else "erased" if report.erased else "DOES NOT HOLD"
        verdict = _SEALED if report.is_sealed else verdict
        anchored = "yes" if report.anchored else "no"
        rows.append((report.run, verdict, counts, accused, anchored, len(report.findings)))
    columns = ("run", "verdict", "rounds", "accused", "anchored", "findings")
    output.emit_table("runs", columns, rows)
    for report in summary.reports:
        for finding in report.findings if not report.verified else ():
            click.echo(output.text(f"run {report.run}: {_line(finding)}"))
    for run, error in summary.failures:
        click.echo(output.text(f"run {run}: could not be looked at: {error}"))


def show(report: AuditReport) -> None:
    """Print a report: a line per round, then what was found, then the verdict."""
    told = {entry.round: outcome_text(entry.outcome) for entry in report.rounds}
    chooses = any(told.values())
    rows = [
        (entry.round, entry.verdict.value, entry.attempt, entry.attestations,
         ", ".join(f"{site.site} {site.verdict}" for site in entry.sites if site.verdict),
         *((told[entry.round],) if chooses else ()),
         "" if entry.record is None else output.short(entry.record))
        for entry in report.rounds
    ]  # fmt: skip
    columns = ("round", "verdict", "attempt", "attested", "updates",
               *(("what the rule did",) if chooses else ()), "record")  # fmt: skip
    output.emit_table("rounds", columns, rows)
    for finding in report.findings:
        click.echo(output.text(_line(finding)))
    _show_recalled(report)
    _show_proof(report)
    accused = ", ".join(f"site {site}" for site in report.accused)
    anchor = "" if report.anchored else " (unanchored)"
    if report.verified:
        click.echo(f"run {report.run}: everything holds at block {report.head.number}{anchor}")
    elif report.erased:
        click.echo(
            f"run {report.run}: what was not erased holds at block {report.head.number}{anchor};"
            " what rests on erased updates is not verified"
        )
    elif report.is_sealed:
        click.echo(
            f"run {report.run}: {_SEALED}; what can be read holds at block"
            f" {report.head.number}{anchor}"
        )
    else:
        click.echo(f"run {report.run}: DOES NOT HOLD; accused: {accused or 'nobody'}{anchor}")


def finish(report: AuditReport, as_json: bool) -> NoReturn:
    """Print a report and end with its status."""
    if as_json:
        output.emit_json(report.to_json())
    else:
        show(report)
    raise SystemExit(report.exit_code)


def _show_proof(report: AuditReport) -> None:
    """Say how far the events are proven, so that nobody takes it for more."""
    proof = report.proof
    if proof.proven:
        also = f"; in storage: {', '.join(proof.stored)}" if proof.stored else ""
        click.echo(
            f"events proven by {proof.receipts} receipts and the headers of blocks"
            f" {proof.first_block} to {proof.last_block}{also}"
        )
    else:
        click.echo(f"events not proven by blocks{': ' if proof.reason else ''}{proof.reason}")


def _show_recalled(report: AuditReport) -> None:
    """Say which rounds were verified by an earlier audit and not looked at again."""
    if not report.recalled:
        return
    known = {entry.round for entry in report.recalled}
    first, last = report.recalled[0], report.recalled[-1]
    again = ", ".join(str(each.round) for each in report.rounds if each.round not in known)
    click.echo(
        f"rounds {first.round} to {last.round}: {len(known)} verified before on this machine,"
        f" last {output.when(last.time)} at block {last.block}"
        f"; looked at now: {again or 'none'} (--afresh looks at all)"
    )


def _line(finding: Finding) -> str:
    about = f"round {finding.round}, " if finding.round else ""
    line = f"{finding.severity.value}: {about}{finding.subject}: {finding.message}"
    if finding.accused:
        line += f"; accused: site {finding.accused}"
    elif finding.duty:
        line += f"; duty: {finding.duty}"
    if finding.comparison:
        line += "; " + ", ".join(f"{word} {value}" for word, value in finding.comparison)
    return f"{line} [check {finding.check}, {finding.code}]"

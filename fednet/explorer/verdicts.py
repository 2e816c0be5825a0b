"""What is written beside an item of what a replay found: never more than was replayed."""

from __future__ import annotations

from dataclasses import dataclass

from fednet.audit import AuditReport, RoundVerdict, Severity
from fednet.explorer.verifying import Replay, Stage


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sign, a word and a sentence."""

    look: str
    """``good``, ``bad``, ``doubt`` or ``unknown``: the class that gives sign and colour."""
    word: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Recollection:
    """The rounds that a replay took over from earlier audits of this machine."""

    count: int
    recalled: str
    """Their numbers, as in ``1 to 3, 5``."""
    looked_at: str
    """Those of the rounds that were recomputed; empty if none was."""
    first: int
    """When the earliest of them was verified, in seconds since 1970."""
    last: int


UNKNOWN = Verdict("unknown", "not verified here", "Nobody has replayed this in this window yet.")


def of_run(replay: Replay | None, last_block: int = 0) -> Verdict:
    """Judge a run.

    Args:
        replay: Its latest replay.
        last_block: Block of the run's latest event that the index knows.
    """
    if replay is None:
        return UNKNOWN
    if replay.stage is Stage.FAILED:
        return Verdict("doubt", "could not be replayed", "The audit could not look.")
    report = replay.report
    if replay.stage is Stage.RUNNING or report is None:
        return Verdict("unknown", "being replayed", "The replay has not ended yet.")
    return _of_report(report, last_block)


def of_round(replay: Replay | None, number: int) -> Verdict:
    """Judge a round of a run."""
    result = replay.round(number) if replay else None
    if replay is None or result is None:
        return UNKNOWN
    if result.verdict is RoundVerdict.OPEN:
        return Verdict("unknown", "not final", "The round was not final when it was replayed.")
    found = [e for e in replay.findings(number=number) if e.severity is not Severity.NOTICE]
    if result.verdict is RoundVerdict.WRONG:
        return Verdict("bad", "wrong", "Recomputing gives another record than the final one.")
    if result.verdict is RoundVerdict.ERASED:
        return Verdict("doubt", "erased", "Updates of it were erased on recorded grounds.")
    if result.verdict is RoundVerdict.SEALED:
        return Verdict("doubt", "sealed, not replayed", "This window has no key to its blobs.")
    if result.verdict is RoundVerdict.UNVERIFIABLE:
        return Verdict("doubt", "unverifiable", "Evidence is missing or altered.")
    if found:
        return Verdict("bad", "findings", "The record is right, and somebody said what is not so.")
    if replay.troubles and any(entry.round is None for entry in replay.troubles):
        return Verdict("doubt", "run in doubt", "The round recomputes; the run does not hold.")
    recalled = replay.recalled(number)
    if recalled is not None:
        seen = f"Recomputed on this machine before, at block {recalled.block}, and unchanged since."
        return Verdict("good", "verified", seen)
    return Verdict("good", "verified", "Recomputed bit for bit by this window.")


def recollection(report: AuditReport) -> Recollection | None:
    """Sum up what an audit recalled; None if it looked at every round."""
    if not report.recalled:
        return None
    known = {int(entry.round) for entry in report.recalled}
    final = {int(e.round) for e in report.rounds if e.verdict is not RoundVerdict.OPEN}
    times = [entry.time for entry in report.recalled]
    return Recollection(len(known), _ranges(known), _ranges(final - known), min(times), max(times))


def of_site(replay: Replay | None, site: int) -> Verdict:
    """Judge a site's conduct in a run."""
    if replay is None or replay.report is None:
        return UNKNOWN
    if site in replay.report.accused:
        return Verdict("bad", "accused", "Its own signed acts convict it.")
    acted = any(entry.site == site for each in replay.report.rounds for entry in each.sites)
    if not acted:
        return Verdict("unknown", "no update replayed", "No update of this site was looked at.")
    if replay.report.verified:
        return Verdict("good", "verified", "Every update it handed in was recomputed.")
    return Verdict("doubt", "not accused", "The run does not hold; nothing convicts this site.")


def _ranges(numbers: set[int]) -> str:
    """Write numbers in ascending order, those that follow one another as a range."""
    starts = sorted(number for number in numbers if number - 1 not in numbers)
    ends = sorted(number for number in numbers if number + 1 not in numbers)
    return ", ".join(
        f"{start} to {end}" if start != end else str(start)
        for start, end in zip(starts, ends, strict=True)
    )


def _of_report(report: AuditReport, last_block: int) -> Verdict:
    seen = f"Replayed from chain and blobs, up to block {report.head.number}."
    if last_block > report.head.number:
        seen += " The run has gone on since."
    if report.verified:
        return Verdict("good", "verified", seen)
    if any(entry.severity is Severity.VIOLATION for entry in report.findings):
        return Verdict("bad", "does not hold", seen)
    if report.erased:
        return Verdict("doubt", "erased in part", seen)
    if report.is_sealed:
        return Verdict("doubt", "sealed, not replayed", seen)
    return Verdict("doubt", "cannot be verified", seen)

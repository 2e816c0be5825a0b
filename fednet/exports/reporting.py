"""Say in plain language what a dossier holds: the report for an ethics board."""

from __future__ import annotations

from typing import Literal

import fednet
from fednet.audit import CHECKS, AuditReport, Finding, Severity
from fednet.domain.identity import SiteId
from fednet.exports import wording
from fednet.exports.dossier import RunDossier
from fednet.exports.ledger_tables import (
    act_table,
    commitment_table,
    credit_table,
    disclosure_table,
    grant_table,
    measured_table,
    participation_table,
    round_table,
    site_table,
)
from fednet.exports.safes import safes_section
from fednet.exports.statement import Section, Statement, Table
from fednet.exports.texts import clean, name, when

MAX_FINDINGS = 1_000
"""A report lists so many; the rest is counted."""

Verdict = Literal["holds", "holds in part", "sealed", "does not hold", "not audited"]


def make_statement(dossier: RunDossier, written_at: int) -> Statement:
    """Say everything that a report says; equal for equal arguments."""
    report = dossier.report
    verdict: Verdict = "not audited"
    if report is not None:
        verdict = "holds" if report.verified else "does not hold"
        if report.erased:
            verdict = "holds in part"
        verdict = "sealed" if report.is_sealed else verdict
    accused = tuple(_site(dossier, site) for site in report.accused) if report else ()
    return Statement(
        fednet=fednet.__version__,
        written_at=written_at,
        chain_id=dossier.deployment.chain_id,
        contract=dossier.deployment.runs,
        run=dossier.run.run,
        block=dossier.head.number,
        block_hash=str(dossier.head.block_hash),
        verdict=verdict,
        title=f"Audit report on federated learning run {dossier.run.run}",
        headline=_headline(verdict, accused),
        accused=accused,
        sections=(
            *((_findings(dossier),) if report and report.findings else ()),
            _trained(dossier),
            _by_whom(dossier),
            _grants(dossier),
            Section(title="With which privacy", paragraphs=(wording.privacy_of(dossier.plan),)),
            *((_let_out(dossier),) if dossier.disclosures else ()),
            *((safes_section(dossier.safes),) if dossier.safes else ()),
            _verified(dossier),
            Section(title="What the ledger cannot prove", points=wording.LIMITS),
            *((_measured(dossier),) if dossier.measured else ()),
            _rounds(dossier),
            _appendix(dossier),
        ),
    )


def _headline(verdict: Verdict, accused: tuple[str, ...]) -> str:
    if verdict == "holds":
        return "Everything that can be checked holds."
    if verdict == "holds in part":
        return (
            "What was not erased holds. Updates were erased on recorded grounds; what rests on them"
            " is not verified, and cannot be any more."
        )
    if verdict == "not audited":
        return "NOT AUDITED. Nothing in this report was verified."
    if verdict == "sealed":
        return "SEALED, NOT REPLAYED. What can be read without a key holds."
    named = ", ".join(accused)
    return "DOES NOT HOLD. " + (
        f"Accused by the evidence: {named}." if named else "The evidence convicts nobody by name."
    )


def _findings(dossier: RunDossier) -> Section:
    report = dossier.report
    assert report is not None
    order = list(Severity)  # the worst first
    found = sorted(report.findings, key=lambda each: order.index(each.severity))
    rest = len(found) - MAX_FINDINGS
    more = (f"{rest} further findings are left out here; the audit lists them.",) * (rest > 0)
    return Section(
        title="What was found",
        paragraphs=(
            "A violation is a fact that does not hold, or a statement that is not so. Missing"
            " means that evidence could not be had, sealed that the auditor had no key to it and"
            " says nothing of it. A notice accuses nobody and fails nothing."
            " An institution is accused only where its own signed act convicts it.",
            *more,
        ),
        tables=(
            Table(
                caption=f"Findings: {len(found)}",
                columns=("severity", "round", "what", "accused, or whose duty", "expected and got",
                         "check"),
                rows=tuple(_finding(dossier, each) for each in found[:MAX_FINDINGS]),
            ),
        ),
    )  # fmt: skip


def _finding(dossier: RunDossier, found: Finding) -> tuple[str, ...]:
    who = f"accused: {_site(dossier, found.accused)}" if found.accused else clean(found.duty)
    compared = ", ".join(f"{word} {clean(value)}" for word, value in found.comparison)
    return (
        found.severity.value,
        str(found.round or ""),
        f"{clean(found.subject)}: {clean(found.message)}",
        who or "nobody",
        compared,
        f"{found.check} ({clean(found.code, 80)})",
    )


def _trained(dossier: RunDossier) -> Section:
    plan, run = dossier.plan, dossier.run
    facts: list[tuple[str, str]] = [
        ("run", f"{run.run} on chain {dossier.deployment.chain_id}"),
        ("state of the run", dossier.phase.name.lower()),
        ("final rounds", str(len(dossier.final_rounds))),
        ("plan's commitment", str(run.plan)),
        ("initial model's commitment", str(run.initial_model)),
        ("opened", when(dossier.source(dossier.opened).time)),
    ]
    if plan is None:
        facts.append(("plan", "its bytes could not be had; the commitment is all that is known"))
    else:
        training = plan.training
        facts += [
            ("plan's name", name(plan.name)),
            ("planned rounds", str(plan.rounds)),
            ("task", clean(plan.task.source)),
            ("digest of the task's code", plan.task.digest),
            ("training on site", f"{training.algorithm}, {training.local_epochs} epochs per round,"
             f" batches of {training.batch_size}, learning rate {training.learning_rate}"),
            ("aggregation rule", plan.aggregation.rule),
            ("size of the model", f"{plan.model.size_bytes} bytes"),
        ]  # fmt: skip
    if dossier.final_rounds:
        facts.append(("final model's commitment", str(dossier.final_rounds[-1].proposed.state)))
    return Section(
        title="What was trained",
        paragraphs=wording.HOW,
        tables=(Table(caption="The run", columns=("what", "value"), rows=tuple(facts)),),
    )


def _by_whom(dossier: RunDossier) -> Section:
    operators = ", ".join(dossier.operators) or "not in the log"
    return Section(
        title="By whom",
        paragraphs=(
            f"The researcher's account {dossier.run.researcher} proposed the plan and opened the"
            f" run. The consortium's operator ({operators}) admitted the institutions.",
        ),
        tables=(site_table(dossier),),
    )


def _grants(dossier: RunDossier) -> Section:
    return Section(
        title="On which grants",
        paragraphs=(
            "Each institution granted the researcher access to a dataset of its own before it"
            " took part. Purpose and terms are texts that the parties hold; the ledger names"
            " their commitments.",
        ),
        tables=(grant_table(dossier),),
    )


def _let_out(dossier: RunDossier) -> Section:
    return Section(
        title="What was let out",
        paragraphs=(wording.LET_OUT,),
        tables=(disclosure_table(dossier),),
    )


def _verified(dossier: RunDossier) -> Section:
    report = dossier.report
    if report is None:
        return Section(title="What was verified, and how", paragraphs=(wording.UNAUDITED,))
    failed = {e.check for e in report.findings if e.severity is not Severity.NOTICE}
    seen = (
        f"The audit saw the chain up to block {report.head.number} of"
        f" {when(report.head.timestamp)}, {report.head.block_hash}."
    )
    rows = tuple(
        (str(c.number), c.title, c.proves, "FINDING" if c.number in failed else "no finding")
        for c in CHECKS
    )
    table = Table(
        caption="The questions asked",
        columns=("check", "about", "what holds if nothing is found", "result"),
        rows=rows,
    )
    return Section(
        title="What was verified, and how",
        paragraphs=(
            wording.AUDITED,
            seen,
            *_how_far(report),
            *((wording.RESTS,) if failed else ()),
        ),
        tables=(table,),
    )


def _how_far(report: AuditReport) -> tuple[str, ...]:
    """Say what the audit's sight of the chain rests on."""
    proof = wording.PROVEN if report.proof.proven else wording.UNPROVEN
    anchor = wording.ANCHORED if report.anchored else wording.UNANCHORED
    signers = ", ".join(
        f"site {each.site} (block {each.block})" if each.site else f"{each.account}"
        for each in report.anchors
    )
    recalled = ", ".join(str(each.round) for each in report.recalled)
    return (
        proof,
        f"{anchor} Checkpoints by: {signers}." if signers else anchor,
        *((f"{wording.RECALLED} Rounds: {recalled}.",) if recalled else ()),
    )


def _rounds(dossier: RunDossier) -> Section:
    return Section(
        title="Round by round",
        paragraphs=(
            "A round is final when more members than the quorum recomputed it and vouched for it.",
        ),
        tables=(round_table(dossier), participation_table(dossier), credit_table(dossier)),
    )


def _measured(dossier: RunDossier) -> Section:
    last = dossier.measured[-1].evaluation
    best = f"that of round {last.best_round}" if last.best_round else "the initial one"
    ended = {
        "": "",
        "target": " The run was to end there, as the plan's target was reached.",
        "patience": " The run was to end there, as the plan's patience was over.",
    }[last.ends]
    return Section(
        title="How good the models were",
        paragraphs=(wording.MEASURED, f"The best model was {best}, with {last.best}.{ended}"),
        tables=(measured_table(dossier),),
    )


def _appendix(dossier: RunDossier) -> Section:
    return Section(
        title="Appendix: commitments and ledger records",
        paragraphs=(
            "Whoever holds the bytes of a commitment can check it with sha256sum; whoever reads"
            " the chain finds each act in its block and transaction.",
        ),
        tables=(commitment_table(dossier), act_table(dossier)),
    )


def _site(dossier: RunDossier, site: SiteId) -> str:
    return f"site {site}, {name(dossier.name(site))}"

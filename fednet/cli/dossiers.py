"""Gather what an export needs: the audit first, then the dossier."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fednet.cli import auditing, output, queries, wiring
from fednet.cli.app import App
from fednet.errors import PhaseError, VerificationError
from fednet.exports import FinalRound, Gatherer, RunDossier


@contextmanager
def dossier_of(
    app: App, number: int, *, audited: bool, afresh: bool = False
) -> Iterator[tuple[Gatherer, RunDossier]]:
    """Audit a run unless told not to, and gather its dossier; the store stays open meanwhile."""
    reader = wiring.reader(app)
    run = queries.require_run(reader, number)
    report = None
    if audited:
        report = auditing.audit(app, reader, run, auditing.Options.gather(app, (), afresh))
    with wiring.store(app) as store:
        gatherer = Gatherer(reader, store, app.settings().store.timeout_seconds)
        with output.working("gathering what the ledger says"):
            dossier = gatherer.gather(run, report)
        yield gatherer, dossier


def final_round(dossier: RunDossier, wanted: int | None) -> FinalRound:
    """Find a final round; without a number, the latest.

    Raises:
        PhaseError: It is not final, or none is.
    """
    rounds = {entry.number: entry for entry in dossier.final_rounds}
    if not rounds:
        raise PhaseError(
            "no round is final yet",
            subject=f"run {dossier.run.run}",
            hint="`fednet run watch` shows how far it is",
        )
    chosen = max(rounds) if wanted is None else wanted
    found = {int(number): entry for number, entry in rounds.items()}.get(chosen)
    if found is None:
        raise PhaseError(
            "the round is not final",
            subject=f"run {dossier.run.run}, round {wanted}",
            expected=f"1 to {max(rounds)}",
            hint="only what members have vouched for is given out",
        )
    return found


def best_round(dossier: RunDossier) -> int:
    """Return the round whose model did best at the sites, as the latest record says.

    Raises:
        PhaseError: Nothing was measured, or nothing was better than the initial model.
    """
    subject = f"run {dossier.run.run}"
    if not dossier.measured:
        raise PhaseError(
            "nothing was measured",
            subject=subject,
            expected="a plan with evaluation.metric, and two final rounds",
            hint="leave out --best to take the latest model",
        )
    best = dossier.measured[-1].evaluation
    if best.best_round == 0:
        raise PhaseError(
            "no judged model was better than the initial one",
            subject=subject,
            actual=f"{best.metric} {best.best} at the start",
            hint="--round N takes the model of a round all the same",
        )
    return best.best_round


def require_verified(dossier: RunDossier) -> None:
    """Raise if an audit was made and something that it could read does not hold.

    Raises:
        VerificationError: Names the accused.
    """
    report = dossier.report
    if report is None or report.verified or report.is_sealed:
        return  # what is sealed is given out to nobody here; see `fednet sealed state`
    if report.erased:
        raise VerificationError(
            "updates were erased: not everything can be verified any more",
            subject=f"run {dossier.run.run}",
            hint="see `fednet audit`; --no-audit takes the model without asking",
        )
    accused = ", ".join(f"site {site}" for site in report.accused) or "nobody"
    raise VerificationError(
        f"the audit does not hold; accused: {accused}",
        subject=f"run {dossier.run.run}",
        hint="see `fednet audit`; --no-audit takes the model without asking",
    )

"""The tables of a report that list what stands on the ledger."""

from __future__ import annotations

from collections import Counter

from fednet.domain import disclosure_events as de
from fednet.domain import events as ev
from fednet.domain.disclosures import NO_LOSS, ReleaseStatus
from fednet.domain.identity import RoundNumber, SiteId
from fednet.domain.record import outcome_text
from fednet.exports.dossier import RunDossier
from fednet.exports.provjson import dossier_verdict
from fednet.exports.statement import Table
from fednet.exports.texts import clean, name, when


def site_table(dossier: RunDossier) -> Table:
    """List the institutions that consented."""
    rows = []
    for site in dossier.sites:
        known = dossier.applied.get(site)
        account = str(known.account) if known else ""
        block = str(known.log.block) if known else ""
        rows.append((str(site), name(dossier.name(site)), account, block))
    columns = ("site", "institution", "account it applied with", "block")
    return Table(caption="Institutions", columns=columns, rows=tuple(rows))


def grant_table(dossier: RunDossier) -> Table:
    """List the grants under which sites consented."""
    rows = []
    for grant, entry in sorted(dossier.grants.items()):
        dataset = dossier.datasets.get(entry.requested.dataset)
        granted = entry.granted
        state = "requested"
        if granted is not None:
            time = dossier.source(granted).time
            state = f"granted {when(time)} until {when(granted.expiry) or granted.expiry}"
        if entry.ended is not None:
            verb = "denied" if isinstance(entry.ended, ev.AccessDenied) else "revoked"
            state += f"; {verb} {when(dossier.source(entry.ended).time)}"
        rows.append(
            (
                str(grant),
                f"dataset {entry.requested.dataset}"
                + (f" of site {dataset.site}, {dataset.examples} examples" if dataset else ""),
                state,
                str(entry.requested.purpose),
                str(granted.terms) if granted else "",
            )
        )
    columns = ("grant", "dataset", "decision", "commitment of the purpose", "of the terms")
    return Table(caption="Grants", columns=columns, rows=tuple(rows))


def round_table(dossier: RunDossier) -> Table:
    """List the final rounds, each with the audit's verdict and whom the rule left out."""
    verdicts = {e.round: e.verdict.value for e in dossier.report.rounds} if dossier.report else {}
    records = dossier.records
    rows = tuple(
        (
            str(entry.number),
            verdicts.get(entry.number, "not audited"),
            str(entry.started.attempt),
            f"{len(entry.included)} of {len(entry.submissions)}",
            clean(outcome_text(records[entry.number].outcome)) if entry.number in records else "",
            f"site {entry.proposed.site}",
            f"{len(entry.attestations)} (quorum {entry.started.quorum})",
            str(len(entry.objections)),
            when(dossier.source(entry.finalized).time),
        )
        for entry in dossier.final_rounds
    )
    columns = ("round", "audit", "attempt", "updates counted", "what the rule did", "combined by",
               "vouched", "objected", "final")  # fmt: skip
    return Table(caption="Final rounds", columns=columns, rows=rows)


def participation_table(dossier: RunDossier) -> Table:
    """List every submission to a final round, and whether it counted."""
    rows = tuple(
        (
            str(entry.number),
            f"{update.site}, {name(dossier.name(update.site))}",
            str(update.weight),
            dossier_verdict(entry, update.site) + _late(dossier, entry.number, update.site),
            _reason(dossier, entry.number, update.site),
            str(update.log.block),
        )
        for entry in dossier.final_rounds
        for update in entry.submissions
    )
    columns = ("round", "site", "examples", "counted", "reason if not", "block")
    return Table(caption="Updates", columns=columns, rows=rows)


def measured_table(dossier: RunDossier) -> Table:
    """List what the sites measured of each round's model."""
    rows = []
    metric = dossier.measured[0].evaluation.metric if dossier.measured else ""
    best = dossier.measured[-1].evaluation.best_round if dossier.measured else 0
    for each in dossier.measured:
        model = f"of round {each.round}" if each.round else "initial"
        sites = ", ".join(f"site {site}: {value}" for site, value in sorted(each.sites.items()))
        mark = ", the best" if each.round == best else ""
        rows.append((model + mark, each.evaluation.pooled, sites))
    columns = ("model", f"{metric}, mean over examples", "by site")
    return Table(caption=f"{metric} by the institutions' own data", columns=columns,
                 rows=tuple(rows))  # fmt: skip


def disclosure_table(dossier: RunDossier) -> Table:
    """List what each site's airlock let out, and what was spent of its dataset's privacy."""
    run, rows = dossier.run.run, []
    for site in dossier.sites:
        said = [each for each in dossier.disclosures if each.site == site]
        asked = sum(isinstance(each, de.ReleaseRequested) for each in said)
        decided = Counter(each.decision for each in said if isinstance(each, de.ReleaseDecided))
        ceilings = {each.dataset: each.ceiling for each in said if isinstance(each, de.CeilingSet)}
        spent = {
            (each.run, each.dataset): each.spent
            for each in said
            if isinstance(each, de.BudgetSpent)
        }
        here = sum((loss for (at, _), loss in spent.items() if at == run), NO_LOSS)
        approved = decided[ReleaseStatus.APPROVED]
        counts = (asked, approved, decided[ReleaseStatus.REJECTED])
        rest = asked - sum(counts[1:])
        ceiling = "; ".join(str(each) for each in ceilings.values())
        rows.append((str(site), *map(str, counts), str(rest), str(here), ceiling or "none set"))
    columns = ("site", "asked", "approved", "rejected", "returned, expired or undecided",
               "spent in this run", "ceiling over all runs")  # fmt: skip
    caption = "What airlocks let out, and privacy that was spent, as the institutions recorded it"
    return Table(caption=caption, columns=columns, rows=tuple(rows))


def credit_table(dossier: RunDossier) -> Table:
    """List what each site earned, and what it claimed."""
    last = dossier.records[max(dossier.records)] if dossier.records else None
    earned = last.earned if last else {}
    claimed = {event.site: event.claimed for event in dossier.claims}
    rows = tuple(
        (str(site), name(dossier.name(site)), str(earned.get(site, 0)), str(claimed.get(site, 0)))
        for site in dossier.sites
    )
    caption = "Credits for contributions, as the latest round record that could be read says"
    return Table(caption=caption, columns=("site", "institution", "earned", "claimed"), rows=rows)


def commitment_table(dossier: RunDossier) -> Table:
    """List every commitment that the run rests on."""
    opened = dossier.opened
    rows = [("plan", str(opened.plan)), ("initial model", str(opened.initial_model))]
    for dataset, registered in sorted(dossier.datasets.items()):
        rows.append((f"dataset {dataset}: data", str(registered.data)))
        rows.append((f"dataset {dataset}: description", str(registered.description)))
    for grant, entry in sorted(dossier.grants.items()):
        rows.append((f"grant {grant}: purpose", str(entry.requested.purpose)))
        if entry.granted:
            rows.append((f"grant {grant}: terms", str(entry.granted.terms)))
    for round_ in dossier.final_rounds:
        about = f"round {round_.number}"
        rows += [
            (f"{about}: update of site {update.site}", str(update.commitment))
            for update in round_.submissions
        ]
        rows.append((f"{about}: record", str(round_.proposed.record)))
        rows.append((f"{about}: global model", str(round_.proposed.state)))
        rows.append((f"{about}: credits", str(round_.proposed.credits_root)))
    columns = ("what", "commitment (SHA-256; credits: Merkle root)")
    return Table(caption="Commitments", columns=columns, rows=tuple(rows))


def act_table(dossier: RunDossier) -> Table:
    """List every act on the ledger that belongs to the run."""
    events: list[ev.LedgerEvent] = [dossier.opened, *dossier.history.events, *dossier.claims]
    events += [*dossier.applied.values(), *dossier.datasets.values(), *dossier.disclosures]
    for entry in dossier.grants.values():
        events += [e for e in (entry.requested, entry.granted, entry.ended) if e is not None]
    rows = []
    for event in sorted(events, key=lambda each: each.log):
        source = dossier.source(event)
        rows.append((str(source.block), when(source.time), _act(event), source.transaction))
    columns = ("block", "time", "act", "transaction")
    return Table(caption="Acts on the ledger", columns=columns, rows=tuple(rows))


def _act(event: ev.LedgerEvent) -> str:
    """Name an act by its event, its round and its site."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter
                    for letter in type(event).__name__).strip()  # fmt: skip
    round_number = getattr(event, "round", None) or getattr(event, "round_number", None)
    parts = [words]
    if round_number:
        parts.append(f"round {round_number}")
    for kind in ("site", "dataset", "grant"):
        value = getattr(event, kind, None)
        if value:
            parts.append(f"{kind} {value}")
    return ", ".join(parts)


def _late(dossier: RunDossier, number: RoundNumber, site: SiteId) -> str:
    record = dossier.records.get(number)
    rounds = record.late.get(site, 0) if record else 0
    return f", {rounds} rounds late" if rounds else ""


def _reason(dossier: RunDossier, number: int, site: int) -> str:
    for entry in dossier.report.rounds if dossier.report else ():
        if entry.round == number:
            for result in entry.sites:
                if result.site == site:
                    return name(result.reason)
    return ""

"""Made-up dossiers: a small run of any names, honest unless told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fednet.audit import AuditReport, Finding, RoundResult, RoundVerdict, Severity, SiteResult
from fednet.domain import events as ev
from fednet.domain.history import RunHistory
from fednet.domain.identity import (
    ZERO_DIGEST,
    Address,
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    Locator,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import Deployment, Head, Inclusion, Modules, Phase, Run, pack_inclusion
from fednet.domain.plan import Plan
from fednet.domain.record import CreditEntry, RoundRecord, UpdateEntry
from fednet.domain.sections import CohortSection, ModelSection, TaskSection
from fednet.exports.dossier import GrantFile, RunDossier

RUN = RunId(7)
BEGUN = 1_700_000_000
NAMES = ("North Hospital", "Universitätsklinikum Süd", "Szpital Łódź")
REGISTRY, ACCESS, RUNS, CREDITS, MODULE, RESEARCHER, OPERATOR = (
    Address("0x" + f"{number:02x}" * 20) for number in range(0x11, 0x18)
)
MODEL = b"the model that everything starts from"


def digest(*parts: object) -> Commitment:
    """Commit to something of which only the name exists."""
    return Commitment.of(repr(parts).encode())


class _Chain:
    """Number the events of a run, a block each."""

    def __init__(self) -> None:
        self.block = 0
        self.run_events: list[ev.RunEvent] = []

    def emit(self, kind: type[ev.LedgerEvent], **fields: Any) -> Any:
        self.block += 1
        log = ev.Log(self.block, 0, Digest(digest("transaction", self.block)), MODULE)
        if issubclass(kind, ev.RunEvent):
            event: Any = kind(log, RUN, **fields)
            self.run_events.append(event)
            return event
        return kind(log, **fields)


def make_dossier(
    names: Sequence[str] = NAMES,
    rounds: int = 2,
    left_out: dict[tuple[int, int], Inclusion] | None = None,
    findings: Sequence[Finding] | None = (),
    states: Sequence[bytes] = (),
) -> RunDossier:
    """Make the dossier of a completed run.

    Args:
        names: Of the institutions, whose sites are numbered from 1.
        rounds: All of them final.
        left_out: Verdicts that are not included, by round and site.
        findings: What an audit found; None if there was no audit.
        states: Bytes of the rounds' models, where a test needs any.
    """
    chain, left = _Chain(), left_out or {}
    sites = [SiteId(number) for number in range(1, len(names) + 1)]
    plan = Plan(
        name="made up",
        rounds=rounds,
        task=TaskSection(source="digits", digest="ab" * 32),
        model=ModelSection(commitment=str(Commitment.of(MODEL)), size_bytes=len(MODEL)),
        cohort=CohortSection(maximum_sites=max(2, len(names))),
    )
    applied, datasets, grants = _join(chain, sites, names)
    opened = chain.emit(
        ev.RunOpened, run=RUN, researcher=RESEARCHER, module=MODULE, plan=plan.commitment,
        plan_locator=Locator(ZERO_DIGEST), initial_model=Commitment.of(MODEL),
        initial_model_locator=Locator(ZERO_DIGEST), transferable=False, parameters=b"",
    )  # fmt: skip
    for site in sites:
        chain.emit(
            ev.ConsentGiven, site=site, grant=GrantId(20 + site), position=site - 1,
            maximum_examples=1_000, expiry=BEGUN + 10**6,
        )  # fmt: skip
    records = _play(chain, plan, sites, left, states)
    claim = chain.emit(
        ev.CreditsClaimed, run=RUN, round_number=RoundNumber(rounds), site=sites[0], amount=5,
        claimed=5,
    )  # fmt: skip
    head = Head(chain.block, Digest(digest("block")), BEGUN + 10 * chain.block)
    dossier = RunDossier(
        deployment=Deployment(31337, Digest(digest("genesis")), 1, REGISTRY, ACCESS, RUNS,
                              CREDITS, ACCESS, ACCESS, Modules(MODULE, ACCESS, RUNS, RUNS), ()),
        head=head,
        run=Run(RUN, MODULE, RESEARCHER, plan.commitment, Commitment.of(MODEL)),
        opened=opened,
        phase=Phase.COMPLETED,
        history=RunHistory.of(RUN, chain.run_events),
        plan=plan,
        records=records,
        applied=applied,
        operators=(OPERATOR,),
        datasets=datasets,
        grants=grants,
        claims=(claim,),
        times={block: BEGUN + 10 * block for block in range(1, chain.block + 1)},
        report=None,
    )  # fmt: skip
    return dossier if findings is None else replace(dossier, report=_report(dossier, findings))


def violation(**changes: Any) -> Finding:
    """Make a finding that convicts site 2."""
    said: dict[str, Any] = {
        "severity": Severity.VIOLATION, "code": "aggregate-differs", "check": 11,
        "subject": "state of round 1", "message": "is not what recomputing gives",
        "round": RoundNumber(1), "accused": SiteId(2), "expected": "aa" * 32, "actual": "bb" * 32,
    }  # fmt: skip
    return Finding(**(said | changes))


def _join(
    chain: _Chain, sites: Sequence[SiteId], names: Sequence[str]
) -> tuple[
    dict[SiteId, ev.SiteApplied],
    dict[DatasetId, ev.DatasetRegistered],
    dict[GrantId, GrantFile],
]:
    """Let every site apply, register a dataset and grant access to it."""
    applied: dict[SiteId, ev.SiteApplied] = {}
    datasets: dict[DatasetId, ev.DatasetRegistered] = {}
    grants: dict[GrantId, GrantFile] = {}
    for site, name in zip(sites, names, strict=True):
        applied[site] = chain.emit(
            ev.SiteApplied, site=site, account=Address("0x" + f"{0x40 + site % 100:02x}" * 20),
            name=name, metadata=digest("metadata", site), encryption_key=ZERO_DIGEST,
            store_address="",
        )  # fmt: skip
        dataset, grant = DatasetId(10 + site), GrantId(20 + site)
        datasets[dataset] = chain.emit(
            ev.DatasetRegistered, dataset=dataset, site=site, examples=100 * site,
            description=digest("description", site), data=digest("data", site),
        )  # fmt: skip
        requested = chain.emit(
            ev.AccessRequested, grant=grant, dataset=dataset, researcher=RESEARCHER,
            purpose=digest("purpose"), purpose_locator=Locator(ZERO_DIGEST),
        )  # fmt: skip
        granted = chain.emit(
            ev.AccessGranted, grant=grant, dataset=dataset, site=site, terms=digest("terms"),
            terms_locator=Locator(ZERO_DIGEST), expiry=BEGUN + 10**6,
        )  # fmt: skip
        grants[grant] = GrantFile(requested, granted)
    return applied, datasets, grants


def _play(
    chain: _Chain,
    plan: Plan,
    sites: Sequence[SiteId],
    left_out: dict[tuple[int, int], Inclusion],
    states: Sequence[bytes],
) -> dict[RoundNumber, RoundRecord]:
    records: dict[RoundNumber, RoundRecord] = {}
    previous, base, size = plan.commitment, Commitment.of(MODEL), len(MODEL)
    count = len(sites)
    for number in range(1, plan.rounds + 1):
        at: dict[str, Any] = {"round": RoundNumber(number), "attempt": 1}
        chain.emit(
            ev.AttemptStarted, **at, cohort=count, roster_length=count, quorum=count // 2 + 1,
            deadline=BEGUN + 10**5,
        )  # fmt: skip
        for site in sites:
            chain.emit(
                ev.UpdateSubmitted, **at, site=site, stage=0, weight=10 * site,
                commitment=digest("update", number, site), locator=Locator(ZERO_DIGEST),
            )  # fmt: skip
        chain.emit(ev.SubmissionsClosed, **at, submitted=count, deadline=BEGUN + 10**5)
        verdicts = {site: left_out.get((number, site), Inclusion.INCLUDED) for site in sites}
        state = Commitment.of(states[number - 1]) if states else digest("state", number)
        size = len(states[number - 1]) if states else size
        record = RoundRecord(
            format="fednet-round-record/1", chain_id=31337, contract=MODULE, run=RUN,
            round=number, attempt=1, proposal=1, proposer=1, plan=str(plan.commitment),
            previous_record=str(previous), previous_state=str(base), rule="mean", outcome={},
            updates=tuple(
                UpdateEntry(site=site, commitment=str(digest("update", number, site)),
                            weight=10 * site, verdict=verdict.name.lower(),
                            reason="shape" if verdict is Inclusion.INVALID else "")
                for site, verdict in verdicts.items()
            ),
            state=str(state), state_locator="00" * 32, state_size_bytes=size,
            credits=tuple(CreditEntry(site=site, earned=10 * number) for site in sites),
            credits_root="cd" * 32, credits_total=10 * number * count,
        )  # fmt: skip
        records[RoundNumber(number)] = record
        commitment = Commitment.of(record.to_bytes())
        chain.emit(
            ev.RoundProposed, **at, site=sites[0], proposal=1, credits_total=record.credits_total,
            record=commitment, record_locator=Locator(ZERO_DIGEST), state=state,
            credits_root=Digest("cd" * 32), deadline=BEGUN + 10**5,
            inclusion=pack_inclusion({site - 1: verdicts[site] for site in sites}),
        )  # fmt: skip
        for site in sites:
            chain.emit(
                ev.RoundAttested, **at, site=site, proposal=1,
                witness=Digest(digest("witness", number, site)),
            )  # fmt: skip
        chain.emit(ev.RoundFinalized, **at, proposal=1)
        previous, base = commitment, state
    chain.emit(ev.RunCompleted, rounds=plan.rounds)
    return records


def _report(dossier: RunDossier, findings: Sequence[Finding]) -> AuditReport:
    rounds = tuple(
        RoundResult(
            round=entry.number,
            verdict=RoundVerdict.WRONG if findings else RoundVerdict.VERIFIED,
            attempt=1,
            record=entry.proposed.record,
            state=entry.proposed.state,
            attestations=len(entry.attestations),
            sites=tuple(
                SiteResult(each.site, each.weight, entry.verdicts[each.site].name.lower(), "", 10)
                for each in entry.submissions
            ),
        )
        for entry in dossier.final_rounds
    )
    return AuditReport(
        run=RUN,
        chain_id=31337,
        contract=MODULE,
        head=dossier.head,
        phase=dossier.phase,
        plan=dossier.run.plan,
        rounds=rounds,
        findings=tuple(findings),
    )

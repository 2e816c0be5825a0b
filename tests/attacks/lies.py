"""What liars do by hand: updates and proposals made outside of any node."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

from fednet.audit import PreviousRound, Recomputed, RoundInputs, recompute
from fednet.codec.update import update_size_limit_bytes
from fednet.credits import CreditLedger
from fednet.domain.identity import Commitment, Digest, Locator, RoundNumber, SiteId
from fednet.domain.ledger import Inclusion, Proposal, pack_inclusion
from fednet.domain.record import CreditEntry, RoundRecord
from fednet.domain.tensors import FloatArray, encode_tensors
from fednet.domain.update import STATE_METADATA, Manifest, Place
from tests.attacks.doubles import INITIAL, difference
from tests.attacks.network import Member, Run

BASE = encode_tensors(INITIAL, STATE_METADATA)


@dataclass(frozen=True, slots=True)
class Update:
    """Bytes that somebody hands in."""

    path: Path
    commitment: Commitment
    weight: int


def scratch(member: Member) -> Path:
    """Give a file's name that is used for nothing else."""
    return Path(mkdtemp(dir=member.folder)) / "blob"


def of_bytes(member: Member, data: bytes) -> Update:
    """Take any bytes for an update."""
    path = scratch(member)
    path.write_bytes(data)
    return Update(path, Commitment.of(data), member.trainer.examples)


def update(
    member: Member,
    place: Place,
    *,
    base: Commitment | None = None,
    site: SiteId | None = None,
    examples: int | None = None,
    arrays: Mapping[str, FloatArray] | None = None,
) -> Update:
    """Make an update as an honest node would, except for what is given."""
    manifest = Manifest(
        place,
        member.site if site is None else site,
        base or Commitment.of(BASE),
        member.trainer.examples if examples is None else examples,
        Digest(os.urandom(32)),
    )
    values = difference(member.site, place.round) if arrays is None else arrays
    return of_bytes(member, encode_tensors(values, manifest.to_metadata()))


def submit(member: Member, run: Run, what: Update, round_number: int = 1, attempt: int = 1) -> None:
    """Tell the chain the commitment of an update."""
    member.writer.submit(
        run.run, member.site, RoundNumber(round_number), attempt, what.commitment, what.weight,
        member.store.locate(what.path),
    )  # fmt: skip


def submit_and_reveal(
    member: Member, run: Run, what: Update, round_number: int = 1, attempt: int = 1
) -> None:
    """Submit an update and serve its bytes, as one who has nothing to hide."""
    member.store.publish(what.path)
    submit(member, run, what, round_number, attempt)


def recomputed(
    member: Member, run: Run, unavailable: frozenset[SiteId] = frozenset(), proposal: int = 1
) -> Recomputed:
    """Recompute round 1, attempt 1, as an honest aggregator does."""
    base = scratch(member)
    base.write_bytes(BASE)
    submissions = run.history.rounds[RoundNumber(1)].attempts[1].submissions
    limit = update_size_limit_bytes(run.plan)
    paths = {
        site: None
        if site in unavailable
        else member.store.fetch(entry.commitment, [entry.locator], limit, 30.0)
        for site, entry in submissions.items()
    }
    inputs = RoundInputs(
        run.plan,
        run.place(),
        PreviousRound(run.plan.commitment, Commitment.of(BASE), base, {}),
        tuple(submissions.values()),
        paths,
        run.network.reader.deployment.credits,
        run.history.rounds[RoundNumber(1)].attempts[1].started.cohort,
    )
    return recompute(inputs, proposal, member.site, member.store.locate, base.parent, threads=1)


def propose(
    member: Member,
    run: Run,
    record: RoundRecord,
    state_path: Path,
    **changes: object,
) -> RoundRecord:
    """Propose a record, right or wrong, and serve what it names."""
    path = scratch(member)
    path.write_bytes(record.to_bytes())
    member.store.publish(state_path)
    locator = member.store.publish(path)
    history = run.history
    verdicts = {
        SiteId(entry.site): entry.verdict
        for entry in record.updates
        if entry.site in history.consents
    }
    packed = pack_inclusion(
        {
            history.consents[site].position: Inclusion[verdict.upper()]
            for site, verdict in verdicts.items()
        }
    )
    counts = {
        name: list(verdicts.values()).count(name) for name in ("included", "invalid", "unavailable")
    }
    proposal = Proposal(
        run=run.run,
        site=member.site,
        round=RoundNumber(record.round),
        attempt=record.attempt,
        number=record.proposal,
        **counts,
        credits_total=record.credits_total,
        record=Commitment.of(record.to_bytes()),
        record_locator=locator,
        state=Commitment(record.state),
        credits_root=Digest(record.credits_root),
        inclusion=packed,
    )
    member.writer.propose(replace(proposal, **changes))  # type: ignore[arg-type]
    return record


def with_credits(run: Run, record: RoundRecord, earned: Mapping[SiteId, int]) -> RoundRecord:
    """Put other credits into a record, consistently."""
    deployment = run.network.reader.deployment
    account = CreditLedger(deployment.chain_id, deployment.credits, run.run)
    changes = {
        "credits": tuple(CreditEntry(site=site, earned=earned[site]) for site in sorted(earned)),
        "credits_root": str(account.root(earned)),
        "credits_total": sum(earned.values()),
    }
    return record.model_copy(update=changes)


def with_entry(record: RoundRecord, site: SiteId, **changes: object) -> RoundRecord:
    """Change what a record says of one submission."""
    entries = (
        entry.model_copy(update=changes) if entry.site == site else entry
        for entry in record.updates
    )
    return record.model_copy(update={"updates": tuple(entries)})


def with_state(member: Member, record: RoundRecord, data: bytes) -> tuple[RoundRecord, Path]:
    """Put another state into a record, consistently, and write it to a file."""
    path = scratch(member)
    path.write_bytes(data)
    locator: Locator = member.store.locate(path)
    changes = {
        "state": str(Commitment.of(data)),
        "state_locator": str(locator),
        "state_size_bytes": len(data),
    }
    return record.model_copy(update=changes), path

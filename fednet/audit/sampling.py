"""Check 27: who was drawn to train, in a run whose module draws a sample.

Draws every sample again from the hash of the block that the attempt began in.
The hashes are those that check 25 proves by headers. The contract refuses what is
found here, so that a finding speaks of a chain whose rules were not kept: it
accuses no site.
"""

from __future__ import annotations

from collections.abc import Mapping

from fednet.audit.checks import SAMPLES
from fednet.audit.cohorts import Cohort, Key
from fednet.audit.findings import CHAIN_DUTY, Findings
from fednet.audit.snapshot import Snapshot
from fednet.domain import events as ev
from fednet.domain.history import AttemptHistory, RunHistory
from fednet.domain.plan import Plan
from fednet.domain.samples import (
    BLOCKS_REMEMBERED,
    awaited_source,
    drawn_positions,
    seed_of,
)


def check_samples(
    snapshot: Snapshot,
    history: RunHistory,
    plan: Plan,
    cohorts: Mapping[Key, Cohort],
    findings: Findings,
) -> None:
    """Find samples that were drawn otherwise, and submissions from outside them."""
    for number, entry in sorted(history.rounds.items()):
        for count, attempt in sorted(entry.attempts.items()):
            _check_draws(snapshot, attempt, plan, findings)
            cohort = cohorts.get((number, count))
            if cohort is not None:
                _check_submissions(attempt, plan, cohort, findings)


def _check_draws(
    snapshot: Snapshot, attempt: AttemptHistory, plan: Plan, findings: Findings
) -> None:
    started, sampled = attempt.started, plan.module.sampled_sites
    for count, event in enumerate(attempt.draws):
        source = awaited_source(started, attempt.draws[:count], sampled)
        if source is None:
            expected = "no draw: the sample is settled, or the whole cohort trains"
        elif event.log.block - source > BLOCKS_REMEMBERED:
            # The chain has forgotten the hash: the draw hangs on the block of this event.
            expected = _said(event.log.block, 0)
        else:
            block = snapshot.blocks.get(source)
            expected = _said(source, seed_of(block.block_hash) if block else 0)
        findings.require_equal(
            SAMPLES,
            "sample-differs",
            f"sample of round {started.round}, attempt {started.attempt}",
            "it was not drawn by the block that has to draw it",
            expected,
            _said(event.source, event.seed),
            round_number=started.round,
        )


def _check_submissions(
    attempt: AttemptHistory, plan: Plan, cohort: Cohort, findings: Findings
) -> None:
    started, sampled = attempt.started, plan.module.sampled_sites
    for site, event in attempt.submissions.items():
        position = cohort.positions.get(site)
        if position is None:
            continue  # Check 8 names it.
        draws = [each for each in attempt.draws if each.log < event.log]
        if position not in drawn_positions(started, draws, sampled):
            _outside(event, findings)


def _outside(event: ev.UpdateSubmitted, findings: Findings) -> None:
    findings.add(
        SAMPLES,
        "submission-outside-sample",
        f"submission of site {event.site} in round {event.round}, attempt {event.attempt}",
        "the site was not drawn to train",
        round_number=event.round,
        duty=CHAIN_DUTY,
    )


def _said(source: int, seed: int) -> str:
    return f"block {source}, seed {seed:032x}"

"""Measure what each act costs in gas, on Anvil, and write the table docs/gas.md.

Up to a thousand sites are fabricated through the same acts that real ones send,
only in batches. The figures are repeatable but for tens of gas; nothing is timed here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks._crowd import Crowd, Row, gas_of
from benchmarks._gas_batches import measure_batches
from benchmarks._gas_disclosures import measure_disclosures
from benchmarks._gas_masking import measure_masking
from tests.contracts.chain import Anvil, digest
from tests.contracts.world import leaf_hash, merkle_proof, merkle_root

MINUTES = 1.5, 1.5
TABLE = Path(__file__).resolve().parents[1] / "docs" / "gas.md"
SIZES = (2, 10, 100, 1_000)
TEN = 10
LONG_RUN_ROUNDS = 100

SUBMISSION, PROPOSAL, ATTESTATION = 48_000, 80_000, 48_000
WAIT = 52_000
ADVANCE, CLAIM, ADMISSION, TEN_SITE_ROUND = 60_000, 75_000, 115_000, 1_100_000


@dataclass(frozen=True)
class Round:
    """What the acts of one round cost."""

    submissions: list[int]
    proposal: int
    attestations: list[int]
    """While the proposal is at hand: those after the quorum come when the round is final."""
    quorum: int
    advance: int = 0
    late: int = 0
    """The attestation of the last site, which comes when the next round has begun."""

    @property
    def total(self) -> int:
        """Sum all acts."""
        acts = sum(self.submissions) + self.proposal + sum(self.attestations)
        return acts + self.advance + self.late


def play(crowd: Crowd, run: int, sites: int, number: int) -> Round:
    """Play a round in which all submit and all attest, up to where the next one has begun."""
    played = play_to_finality(crowd, run, sites, number)
    return begin_next(crowd, run, sites, number, played)


def begin_next(crowd: Crowd, run: int, sites: int, number: int, played: Round) -> Round:
    """Let the site that made the round final begin the next; who did not attest does so late."""
    functions, finalizer = crowd.rounds.functions, crowd.parties[played.quorum - 1]
    advance = gas_of(crowd.send(finalizer.account, functions.advance(run)))
    late = 0
    if len(played.attestations) < sites:
        last = crowd.parties[sites - 1]
        act = functions.attest(run, last.site, number, 1, 1, digest("w", run, number, last.site))
        late = gas_of(crowd.send(last.account, act))
    return replace(played, advance=advance, late=late)


def play_to_finality(
    crowd: Crowd, run: int, sites: int, number: int, **changes: bytes | int
) -> Round:
    """Play a round up to where it is final; the last site attests only if the quorum needs it."""
    parties, rounds = crowd.parties[:sites], crowd.rounds.functions
    submissions = crowd.batch(
        [
            (
                each.account,
                rounds.submit(
                    run,
                    each.site,
                    number,
                    1,
                    0,
                    digest("u", run, number, each.site),
                    500,
                    digest("l", run, number, each.site),
                ),
                0,
            )
            for each in parties
        ]
    )
    turn = parties[(number + 1 + 1) % sites]
    proposal = gas_of(crowd.propose(run, turn, **changes))
    quorum = int(crowd.state(run)["quorum"])
    attesting = parties[: max(quorum, sites - 1)]
    attestations = crowd.batch(
        [
            (
                each.account,
                rounds.attest(run, each.site, number, 1, 1, digest("w", run, number, each.site)),
                0,
            )
            for each in attesting
        ]
    )
    return Round(submissions, proposal, attestations, quorum)


def measure_rounds(crowd: Crowd) -> Iterator[Row]:
    """Measure submissions, proposals and attestations by the number of sites."""
    played = {}
    for sites in SIZES:
        run = crowd.run_of(sites, rounds=2)
        played[sites] = play(crowd, run, sites, 1)
        if sites == TEN:  # later rounds are the rule, so the sum is taken from one
            whole = play(crowd, run, sites, 2)
    for sites, each in played.items():
        yield Row(f"submission, {sites} sites", max(each.submissions[:-1]), SUBMISSION)
    for sites, each in played.items():
        closing = each.submissions[-1]
        yield Row(f"submission that closes the stage, {sites} sites", closing, SUBMISSION)
    for sites, each in played.items():
        yield Row(f"proposal, {sites} sites", each.proposal, PROPOSAL)
    for sites, each in played.items():
        waiting = max(each.attestations[: each.quorum - 1])
        yield Row(f"attestation, {sites} sites", waiting, ATTESTATION)
    for sites, each in played.items():
        final = each.attestations[each.quorum - 1]
        yield Row(f"attestation that makes the round final, {sites} sites", final, ATTESTATION)
    for sites, each in played.items():
        if after := each.attestations[each.quorum :]:
            yield Row(f"attestation after finality, {sites} sites", max(after), ATTESTATION)
    for sites, each in played.items():
        if each.late:
            yield Row(f"attestation in the next round, {sites} sites", each.late, ATTESTATION)
    for sites, each in played.items():
        yield Row(f"advance to the next round, {sites} sites", each.advance, ADVANCE)
    yield Row("whole round of ten sites, all attest, with the advance", whole.total, TEN_SITE_ROUND)


def measure_stragglers(crowd: Crowd) -> Iterator[Row]:
    """Measure submissions where the plan waits for stragglers once most have come."""
    aim = TEN - 2
    run = crowd.run_of(TEN, rounds=1, target=aim, stragglers=100)
    gas = play_to_finality(crowd, run, TEN, 1).submissions
    yield Row("submission that begins a wait for stragglers", gas[aim - 1], WAIT)
    yield Row("submission of a straggler", gas[aim], SUBMISSION)


def measure_long_run(crowd: Crowd) -> Iterator[Row]:
    """Measure that nothing grows with the rounds behind."""
    run = crowd.run_of(3, rounds=LONG_RUN_ROUNDS + 1)
    for number in range(1, LONG_RUN_ROUNDS + 1):
        played = play(crowd, run, 3, number)
        if number in (1, LONG_RUN_ROUNDS):
            yield Row(f"submission, round {number}", max(played.submissions[:-1]), SUBMISSION)
            yield Row(f"proposal, round {number}", played.proposal, PROPOSAL)
            yield Row(f"attestation, round {number}", played.attestations[0], ATTESTATION)
            yield Row(f"advance, round {number}", played.advance, ADVANCE)


def measure_claims(crowd: Crowd) -> Iterator[Row]:
    """Measure claims right after finality and in the next round, by the number of leaves."""
    for sites in (TEN, 1_000):
        run = crowd.run_of(TEN, rounds=2)
        limit = CLAIM if sites <= TEN else None
        for number, name in ((1, "first"), (2, "later")):
            leaves = [
                leaf_hash(crowd.chain.w3.eth.chain_id, crowd.credits.address, run, i + 1, number)
                for i in range(sites)
            ]
            root, total = merkle_root(leaves), number * sites
            settled = crowd.settlement(run, number, total, root)

            claims = [
                crowd.credits.functions.claim(
                    run, party.site, number, settled, number, merkle_proof(leaves, index)
                )
                for index, party in enumerate(crowd.parties[:2])
            ]
            played = play_to_finality(crowd, run, TEN, number, creditsRoot=root, creditsTotal=total)
            gas = gas_of(crowd.send(crowd.parties[0].account, claims[0]))
            yield Row(f"claim, {name}, among {sites} sites, at once", gas, limit)
            begin_next(crowd, run, TEN, number, played)
            gas = gas_of(crowd.send(crowd.parties[1].account, claims[1]))
            yield Row(f"claim, {name}, among {sites} sites, next round", gas, limit)


def measure_others(crowd: Crowd) -> Iterator[Row]:
    """Measure admissions and what happens once."""
    yield Row("admission with gas for a new account", max(crowd.admissions), ADMISSION)
    application = crowd.registry.functions.applyFor(*crowd.application("another hospital"))
    yield Row("application", gas_of(crowd.send(crowd.outsider, application)))
    yield Row("registration of a dataset", crowd.registers(crowd.parties[:1])[0])
    party, run = crowd.parties[0], crowd.open(targetSites=3)
    party.grants[run] = crowd.grant(party)
    crowd.consent(run, crowd.parties[1])
    yield Row("consent", gas_of(crowd.consent(run, party)))
    withdrawal = crowd.rounds.functions.withdraw(run, party.site)
    yield Row("withdrawal of a consent", gas_of(crowd.send(party.account, withdrawal)))


def render(rows: Sequence[Row]) -> str:
    """Write the table."""
    lines = [
        "# Gas",
        "",
        "Written by `scripts/bench`; measured on Anvil; repeatable but for tens of gas where a",
        "signature, a time or a proof has zero bytes. Limits are promises: the command fails when",
        "one does not hold.",
        "",
        "| Act | Gas | Limit |",
        "| --- | ---: | ---: |",
    ]
    for row in rows:
        limit = f"{row.limit:,}" if row.limit is not None else ""
        lines.append(f"| {row.act} | {row.gas:,} | {limit} |")
    lines += [
        "",
        "Every act of a round costs the same in the first round and in the hundredth, and with two",
        "sites as with a thousand; nobody pays more for being the one that closes the submissions",
        "or makes the round final ([why](adr/0011-lazy-moves.md)). Instead, one `advance` for each",
        "round begins the next. Only a submission that begins a wait for stragglers reads how long",
        "the plan makes it ([why](adr/0020-stragglers.md)). A claim carries one hash for each",
        "doubling of the sites, about 700",
        "gas each in calldata and hashing; its limit is set for ten. Among a thousand, the six",
        "hashes more cannot be saved elsewhere: two thirds of a first claim are the transaction,",
        "the slot it fills and the slots that show that the round is final and who asks. *At",
        "once* is between finality and that advance, when the counts have to be read as well.",
        "",
        "The ledger of disclosures ([why](adr/0023-disclosures.md)) writes one slot for all",
        "records, one for a run and a dataset, one for a budget; what was recorded before",
        "makes no record dearer. The first record of a run for a dataset asks whether its site",
        "consents so.",
        "",
        "Rounds in batches are those of the [batched module](adr/0016-batches.md): one transaction",
        "for all updates, a proposal, one for the signed attestations of a committee of four with",
        "the advance. Their limit is 300,000 and 1,000 for each update, under the rules of",
        "Shanghai, for which the contracts are compiled. Since Prague a transaction pays at least",
        "40 gas for each byte of its data that is not zero (EIP-7623), so that 32 bytes of a",
        "commitment alone cost 1,280 there: those rows have no limit.",
        "",
        "Masked rounds ([why](adr/0021-secure-aggregation.md)) ask the rounds module at each act",
        "where the run stands, and write one slot for all records, one for the attempt and one for",
        "the site. Measured is a second round; the number of sites makes no act dearer but for the",
        "bytes that name who counts.",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, write the table, and fail if a limit does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the table only")
    check: bool = parser.parse_args().check
    chain = Anvil()
    try:
        crowd = Crowd(chain, SIZES[-1])
        rows = [
            *measure_rounds(crowd),
            *measure_stragglers(crowd),
            *measure_long_run(crowd),
            *measure_claims(crowd),
            *measure_others(crowd),
            *measure_disclosures(crowd),
            *measure_batches(),
            *measure_masking(),
        ]
    finally:
        chain.stop()
    text = render(rows)
    print(text)
    broken = [row for row in rows if not row.holds]
    for row in broken:
        print(f"over its limit: {row.act}: {row.gas:,} > {row.limit:,}", file=sys.stderr)
    if check:
        stale = not TABLE.exists() or TABLE.read_text(encoding="utf-8") != text
        return 1 if stale or broken else 0
    TABLE.write_text(text, encoding="utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())

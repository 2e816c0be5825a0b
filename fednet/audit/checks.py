"""The numbered questions that an audit asks, as data; the protocol's document is generated from it.

Every finding carries the number of its check. Numbers are never reused.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One question."""

    number: int
    title: str
    proves: str
    """What holds if nothing is found."""


CHECKS: tuple[Check, ...] = (
    Check(
        1,
        "Deployment",
        "The chain, its first block and the code of every contract are the deployment's, and the"
        " run is led by a rounds module that an operator had approved when the run was opened.",
    ),
    Check(
        2,
        "Running hash",
        "Folding keccak256(head, topics, data), cut to 26 bytes, over every event of the run gives"
        " the hash that the rounds module stores: no event is missing, added, altered or out of"
        " order. The same holds of all records of masked rounds, and their own contract.",
    ),
    Check(
        3,
        "State of the run",
        "Phase, round, final rounds and granted credits that the contract holds are what the"
        " events add up to.",
    ),
    Check(
        4,
        "Plan",
        "The plan's bytes hash to the commitment that opened the run; the rounds module, the"
        " contract's parameters, the initial model and the transferability of credits are the"
        " plan's.",
    ),
    Check(
        5,
        "Initial model",
        "The initial model's bytes hash to their commitment, are a canonical, finite state, and"
        " have the size that the plan says.",
    ),
    Check(
        6,
        "Consents",
        "Every site consented under a grant to this run's researcher for a dataset of its own,"
        " given before and not yet revoked; the bound on examples and the expiry are the"
        " grant's.",
    ),
    Check(
        7,
        "Cohort and quorum",
        "Each attempt's cohort is everybody who consented at its start; its quorum is above the"
        " plan's share of it and never falls within a round.",
    ),
    Check(
        8,
        "Submissions",
        "Each update was submitted by a member of the cohort, once, while its consent stood, with"
        " a weight within its bound; or handed in by another under its own signature.",
    ),
    Check(
        9,
        "Blobs",
        "Every blob that a final round names is served, and its bytes hash to the commitment on"
        " the ledger. Missing is never called altered; an update that its site erased with a"
        " closed dataset, on recorded grounds, is called erased, and its round not verified.",
    ),
    Check(
        10,
        "Inclusion",
        "Every update called invalid fails the intake for the stated reason, every update called"
        " included passes it, and none is left out; unavailable ones are listed and accuse nobody.",
    ),
    Check(
        11,
        "Aggregate",
        "Combining the included updates again gives the bytes of the next state, bit for bit.",
    ),
    Check(
        12,
        "Round record",
        "The proposed record is byte for byte the one that plan, previous record and updates"
        " lead to.",
    ),
    Check(
        13,
        "Settlement",
        "The state, the credits and the inclusion that the proposal told the contract are the"
        " record's, and the stored settlement is the hash of them.",
    ),
    Check(
        14,
        "Credits",
        "Each round shares out exactly the plan's credits among the included sites, by their"
        " examples; cumulative credits fold to the settled root.",
    ),
    Check(
        15,
        "Attestations",
        "Every attestor vouched for a right record and held the bytes: its witness can only be"
        " computed from all included updates and the next state.",
    ),
    Check(
        16,
        "Objections",
        "Every objector named a record that recomputation gives; whoever did not, disturbed.",
    ),
    Check(
        17,
        "Finality",
        "Each final round had a quorum of attestations by members of its cohort, or of the"
        " committee that a block's hash drew from it; rounds became final one after the other.",
    ),
    Check(
        18,
        "Claims",
        "Nobody claimed more than was earned, nobody claimed twice, and claims and transfers add"
        " up to the balances that the contract holds.",
    ),
    Check(
        19,
        "Membership",
        "Whoever consented, submitted, proposed or voted was an active site with the role for it at"
        " that moment, by the register's events in order; the register holds what they add up to.",
    ),
    Check(
        20,
        "Deadlines",
        "By the time of the blocks, every act came before its deadline, and every deadline is the"
        " plan's; no act of a masked attempt came before its stage.",
    ),
    Check(
        21,
        "Turns",
        "Every proposal, and every set of masked updates, came from the site whose turn it was, or"
        " after the reveal and the grace that the plan leaves it.",
    ),
    Check(
        22,
        "Plan kept",
        "Rounds, attempts, proposals, cohort, rule and credits stay within the plan.",
    ),
    Check(
        23,
        "Own work",
        "No update repeats another's or an earlier one, and none is the unchanged model. That it"
        " came of real training on real data is not proved.",
    ),
    Check(
        24,
        "Checkpoints",
        "Every block and round that a member signed for is on the chain as it was signed, so that"
        " the history up to there was not rewritten.",
    ),
    Check(
        25,
        "Proof by blocks",
        "The headers follow one another by hash up to the head; every event is in the receipts"
        " that a header's root covers, and none was left out; code, running"
        " hashes and settlements are in the storage that the head's root covers.",
    ),
    Check(
        26,
        "Early end",
        "A run that ended before its last round had a quorum of its last cohort vote for that, and"
        " everybody who voted so had a final record that says so: the pooled metric reached the"
        " plan's target, or the plan's patience was over.",
    ),
    Check(
        27,
        "Samples",
        "Where the plan asks for a sample, the hash of the block in which an attempt began drew"
        " it, or of a later one if nobody asked within 256 blocks; whoever submitted was in it.",
    ),
    Check(
        28,
        "Disclosures",
        "Folding every record of the ledger of disclosures gives the hash and the number that it"
        " stores: none is missing. Each record of the run was made by the site that holds the"
        " dataset; every decision answers its own request, once; only closed datasets are erased.",
    ),
    Check(
        29,
        "Privacy budgets",
        "What a run spent of a dataset never fell, nor passed what its plan promises; what all runs"
        " spent of it was under the ceiling in force at each moment, which rose on recorded grounds"
        " alone; the ledger holds what the records add up to. Where noise hides whole sites in a"
        " masked sum, it is the accountant's figure for as many updates as the site submitted;"
        " else, that the spending was computed rightly is not proved. That noise was added, never.",
    ),
    Check(
        30,
        "Airlock",
        "No site submitted an update whose release its own airlock had on record as rejected,"
        " returned, expired or undecided.",
    ),
    Check(
        31,
        "Masked acts",
        "Each act of a masked attempt came in its stage, once, from a member of the attempt's"
        " cohort, and the attempt's quorum affirmed the set that was frozen.",
    ),
    Check(
        32,
        "Shares",
        "Every share that was disclosed is the one that was dealt, for the frozen set; every dealer"
        " dealt shares of one secret, of the key that it advertised. A share that is not held, or"
        " not disclosed, is told and accuses nobody.",
    ),
    Check(
        33,
        "Frozen set",
        "No share was disclosed before it was settled which masked updates count, and every"
        " proposal counts exactly these; nobody proposed or affirmed a set that the updates' bytes"
        " contradict.",
    ),
    Check(
        34,
        "Encrypted sums",
        "A majority of the plan's aggregators committed to the same sum of each final round's"
        " encrypted updates, and adding the ciphertexts again, without any key of the sites', gives"
        " these very bytes. Needs the aggregators' keys; without them it is called sealed. No"
        " aggregator took part as a site, which has the key.",
    ),
    Check(
        35,
        "Decryptions",
        "Every final record is of the sum on which the aggregators agreed, and decrypting it again"
        " gives the next state. Needs the one key that all sites share; without it the sites'"
        " attestations stand, and it is called sealed. That a site and an aggregator did not"
        " collude to read single updates is not proved.",
    ),
)

(
    DEPLOYMENT,
    RUNNING_HASH,
    STATE,
    PLAN,
    INITIAL_MODEL,
    CONSENTS,
    COHORT,
    SUBMISSIONS,
    BLOBS,
    INCLUSION,
    AGGREGATE,
    RECORD,
    SETTLEMENT,
    CREDITS,
    ATTESTATIONS,
    OBJECTIONS,
    FINALITY,
    CLAIMS,
    MEMBERSHIP,
    DEADLINES,
    TURNS,
    PLAN_KEPT,
    OWN_WORK,
    CHECKPOINTS,
    PROOF,
    EARLY_END,
    SAMPLES,
    DISCLOSURES,
    PRIVACY_BUDGETS,
    AIRLOCK,
    MASKED_ACTS,
    MASKS,
    FROZEN_SET,
    ENCRYPTED_SUMS,
    DECRYPTIONS,
) = CHECKS

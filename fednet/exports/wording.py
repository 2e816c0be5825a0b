"""What a report says of every run alike, in plain language."""

from __future__ import annotations

from fednet.domain.plan import Plan
from fednet.provenance.safes.outputs import colluding

HOW = (
    "Several institutions trained one model together. The data stayed where it is: each"
    " institution computed an update of the model on its own records and handed in that update"
    " alone. The updates were averaged, round after round.",
    "Every step was recorded on a ledger (a blockchain) that the institutions share and whose"
    " entries carry the actor's digital signature. What is too large for the ledger is named there"
    " by its fingerprint (the SHA-256 of its bytes, here called a commitment): if one bit of it"
    " changes, the fingerprint no longer fits.",
)
NOTHING_HIDDEN = (
    "The plan asked neither for differential privacy nor for secure aggregation: the records stayed"
    " on site, but every member could read each single update, and an update may reveal something"
    " of the records that it was computed from."
)
NO_PRIVACY = f"No privacy mechanism was planned. {NOTHING_HIDDEN}"
SEALED = (
    "Updates and models were sealed: in the stores they lie encrypted for the members of each"
    " round's cohort, so that a stray copy tells nothing. Who else may read is on the ledger."
)
PRIVACY_UNKNOWN = "The plan's bytes could not be had; what it promised of privacy is not known."
RECORDS_HIDDEN = (
    "The plan promised differential privacy for single records (DP-SGD): in each step of training,"
    " an institution clipped every record's share to a length of {clip_norm} and hid their sum with"
    " noise of {noise_multiplier} times that. What an institution handed in during the whole run"
    " was to tell no more of any one record than an epsilon of {epsilon} at a delta of {delta}"
    " allows; its node was to sit out what goes past that. Each institution added the noise"
    " itself: that it did, and that it counted rightly, is its own word."
)
SITES_HIDDEN = (
    "The plan promised differential privacy for whole institutions: each cut its update to a length"
    " of {clip_norm} and added a share of noise before it was masked, so that the sum of the fewest"
    " institutions that could be opened had a deviation of {noise_multiplier} times the longest"
    " weighted update. The sums of the whole run were to tell no more of any one institution's"
    " data, and so of any one record, than an epsilon of {epsilon} at a delta of {delta} allows;"
    " its node was to sit out what goes past that. Each institution added its share itself, and"
    " masks hide that it did: no audit can see it, and one that leaves its share out weakens what"
    " hides the others."
)
NOT_MASKED = (
    " The plan did not ask for secure aggregation: every member could read each single update,"
    " noise included."
)
MASKED = (
    "The plan asked for secure aggregation: institutions masked their updates, and members could"
    " take the masks away from the sum of those that counted, and from nothing less, as long as"
    " no more than {colluding} of an attempt's cohort worked together against the others."
)
ENCRYPTED = (
    "The plan asked for homomorphic encryption: institutions encrypted their updates, aggregators"
    " without the key added the ciphertexts, and institutions decrypted the sum. All institutions"
    " shared one secret key: one of them and one aggregator could together have read any update."
)
LET_OUT = (
    "Institutions recorded what their own airlocks decided on updates before these left, and how"
    " much of a dataset's privacy (epsilon and delta of differential privacy) was spent. The"
    " ledger refuses spending beyond a ceiling over all runs. Whether the spending was computed"
    " rightly is each institution's own word; an institution that is not listed with a request"
    " recorded none."
)
AUDITED = (
    "The audit reads the ledger and the stored bytes, and computes everything again: which"
    " institution might act, which updates counted, the average of every round bit for bit, the"
    " credits, and whether members who vouched for a round can have recomputed it. It needs no"
    " key and trusts neither the operator nor the members who combined the updates."
)
MEASURED = (
    "Each institution judged the model that a round started from on its own data, and said so in"
    " its update. The mean is over examples, each institution counting by no more of them than its"
    " grant allows. It was computed again by everybody who vouched; the single figures are each"
    " institution's own word."
)
RECALLED = (
    "The stored bytes of some rounds were looked at by an earlier audit of the same machine, not by"
    " this one."
)
RESTS = (
    "Where something was found, what rests on it could not be relied on for the questions after it:"
    " there, no finding does not mean that all is well."
)
UNAUDITED = "No audit was made for this report. Nothing below was verified."
LIMITS = (
    "That the training was real: an institution can hand in numbers that it did not get by"
    " training. The ledger proves that everybody's numbers were combined as agreed.",
    "That the data was good, lawfully collected, or what its description says. The ledger names"
    " a fingerprint and a number of examples, as declared by the institution.",
    "That members did not collude outside of the ledger, or that one institution does not"
    " stand behind two entries; the operator vouches for that.",
    "That the model is accurate, fair or safe. Where the plan asks for a metric, the records hold"
    " what each institution says that it measured on its own data.",
    "That what a member said about itself, its name for example, is true. The operator admitted"
    " each institution by a signed act.",
)
ANCHORED = (
    "Checkpoints that were signed earlier cover every final round, and the chain agrees with them:"
    " up to there, its history was not rewritten since they were signed."
)
UNANCHORED = (
    "No checkpoint that was kept from before covers every final round (the chain is unanchored):"
    " whoever controls the whole chain could have replaced its history before this report."
)
PROVEN = (
    "The ledger's entries were proven from the headers of its blocks: the computer that was asked"
    " for them could neither leave one out nor alter one."
)
UNPROVEN = (
    "The ledger's entries were not proven from the headers of its blocks. They were compared with"
    " the running hash that the contract keeps, as the asked computer told it."
)
SIGNATURE = (
    "The signature says which account vouches for this report, and that no word of it was changed"
    " since. It does not make the findings more true: anybody can repeat the audit."
)


def privacy_of(plan: Plan | None) -> str:
    """Say what a plan promised of privacy; None where its bytes could not be had."""
    if plan is None:
        return PRIVACY_UNKNOWN
    promise, masked = plan.privacy, ""
    sealed = f" {SEALED}" if promise.sealed else ""
    if plan.is_masked:
        masked = MASKED.format(colluding=colluding(plan))
    if plan.is_encrypted:
        masked = ENCRYPTED
    if promise.mechanism == "none":
        return masked or (NOTHING_HIDDEN + sealed if sealed else NO_PRIVACY)
    hidden = (SITES_HIDDEN if promise.hides_sites else RECORDS_HIDDEN).format(
        clip_norm=f"{promise.clip_norm:f}",
        noise_multiplier=f"{promise.noise_multiplier:f}",
        epsilon=f"{promise.epsilon:f}",
        delta=f"{promise.delta:f}",
    )
    return f"{hidden} {masked}" if masked else hidden + NOT_MASKED + sealed

"""What a report says of every run alike, in plain language."""

from __future__ import annotations

from fednet.domain.plan import Plan
from fednet.provenance.safes.outputs import mechanism

HOW = (
    "Several institutions trained one model together. The data stayed where it is: each"
    " institution computed an update of the model on its own records and handed in that update"
    " alone. The updates were averaged, round after round.",
    "Every step was recorded on a ledger (a blockchain) that the institutions share and whose"
    " entries carry the actor's digital signature. What is too large for the ledger is named there"
    " by its fingerprint (the SHA-256 of its bytes, here called a commitment): if one bit of it"
    " changes, the fingerprint no longer fits.",
)
NO_PRIVACY = (
    "No privacy mechanism was planned. The plan asked neither for differential privacy nor for"
    " secure aggregation: the records stayed on site, but every member could read each single"
    " update, and an update may reveal something of the records that it was computed from."
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
    """Say which privacy a plan asks for."""
    if plan is None:
        return "The plan's bytes could not be had: which privacy it asks for is not known here."
    if plan.privacy.mechanism == "none":
        return NO_PRIVACY
    return (
        f"The plan asks for differential privacy at each institution: {mechanism(plan)}. It was the"
        " institutions' part to add the noise; what they recorded as spent is listed with what was"
        " let out."
    )

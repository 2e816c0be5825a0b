"""What final rounds earned, in integers: shares, cumulative accounts, Merkle proofs.

Claims and transfers happen in the Credits contract; nothing here sends anything.
"""

from fednet.credits.merkle import (
    CreditLedger,
    credits_leaf,
    merkle_proof,
    merkle_root,
    settlement_hash,
    verify_proof,
)
from fednet.credits.shares import CREDIT_RULES, accumulate, credit_rule_of, share_out

__all__ = [
    "CREDIT_RULES",
    "CreditLedger",
    "accumulate",
    "credit_rule_of",
    "credits_leaf",
    "merkle_proof",
    "merkle_root",
    "settlement_hash",
    "share_out",
    "verify_proof",
]

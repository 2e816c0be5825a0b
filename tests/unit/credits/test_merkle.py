from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from fednet.credits import (
    CreditLedger,
    credits_leaf,
    merkle_proof,
    merkle_root,
    settlement_hash,
    verify_proof,
)
from fednet.domain.identity import ZERO_DIGEST, Commitment, Digest
from fednet.domain.ledger import Settlement

VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "credits.json").read_text("utf-8"))
LEDGER = CreditLedger(VECTOR["chain_id"], VECTOR["contract"], VECTOR["run"])
LEAVES = st.lists(st.binary(min_size=32, max_size=32).map(Digest), min_size=1, max_size=40)


def word(value: int) -> bytes:
    return int(value).to_bytes(32, "big")


def pair(one: bytes, other: bytes) -> bytes:
    return keccak(min(one, other) + max(one, other))


def test_leaf_is_the_double_hash_of_five_words() -> None:
    encoded = word(1337) + bytes(12) + bytes.fromhex("22" * 20) + word(3) + word(5) + word(600)
    ledger = CreditLedger(1337, "0x" + "22" * 20, 3)
    assert credits_leaf(ledger, 5, 600) == keccak(keccak(encoded))


def test_root_of_nobody_is_zero() -> None:
    assert merkle_root([]) == ZERO_DIGEST
    assert LEDGER.root({}) == ZERO_DIGEST


def test_root_folds_pairs_and_moves_an_odd_leaf_up() -> None:
    a, b, c = (Digest(bytes([n]) * 32) for n in (9, 2, 5))
    assert merkle_root([a]) == a
    assert merkle_root([a, b, c]) == pair(pair(a, b), c)
    assert merkle_proof([a, b, c], 2) == (pair(a, b),)
    assert merkle_proof([a, b, c], 0) == (b, c)


@pytest.mark.parametrize("case", VECTOR["cases"])
def test_roots_and_proofs_are_the_golden_ones(case: Any) -> None:
    earned = {int(site): amount for site, amount in case["earned"].items()}
    assert str(LEDGER.root(earned)) == case["root"]
    for site, proof in case["proofs"].items():
        assert [str(node) for node in LEDGER.proof(earned, int(site))] == proof


@given(st.dictionaries(st.integers(1, 10**6), st.integers(1, 2**63), min_size=1, max_size=20))
def test_every_site_can_prove_its_credits_and_no_others(earned: Any) -> None:
    root = LEDGER.root(earned)
    for site, amount in earned.items():
        proof = LEDGER.proof(earned, site)
        assert verify_proof(root, credits_leaf(LEDGER, site, amount), proof)
        assert not verify_proof(root, credits_leaf(LEDGER, site, amount + 1), proof)
        assert not verify_proof(root, credits_leaf(LEDGER, site + 1, amount), proof)


@given(LEAVES)
def test_every_leaf_has_a_proof(leaves: list[Digest]) -> None:
    root = merkle_root(leaves)
    for index, leaf in enumerate(leaves):
        assert verify_proof(root, leaf, merkle_proof(leaves, index))


def test_proof_of_a_site_without_credits_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        LEDGER.proof({1: 5}, 2)


@pytest.mark.parametrize(
    "other",
    [
        CreditLedger(VECTOR["chain_id"] + 1, VECTOR["contract"], VECTOR["run"]),
        CreditLedger(VECTOR["chain_id"], "0x" + "33" * 20, VECTOR["run"]),
        CreditLedger(VECTOR["chain_id"], VECTOR["contract"], VECTOR["run"] + 1),
    ],
)
def test_leaves_are_bound_to_chain_contract_and_run(other: Any) -> None:
    assert credits_leaf(other, 1, 10) != credits_leaf(LEDGER, 1, 10)


def test_settlement_is_hashed_as_four_words() -> None:
    settlement = Settlement(
        Commitment(bytes([1]) * 32), Commitment(bytes([2]) * 32), Digest(bytes([3]) * 32), 4000
    )
    words = bytes([1]) * 32 + bytes([2]) * 32 + bytes([3]) * 32 + word(4000)
    assert settlement_hash(settlement) == keccak(words)

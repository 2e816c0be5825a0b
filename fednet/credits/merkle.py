"""The Merkle tree over cumulative credits, as the Credits contract verifies it.

Leaves are hashed twice and pairs in sorted order, like OpenZeppelin's
MerkleProof, https://docs.openzeppelin.com/contracts/5.x/api/utils#MerkleProof .
Values are laid out by abi.encode: one 32-byte big-endian word for each static
value. Leaves stand in the order of site ids; an odd node moves up unhashed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

from fednet.domain.identity import ZERO_DIGEST, Address, Digest, RunId, SiteId
from fednet.domain.ledger import Settlement

_WORD_SIZE_BYTES = 32


@dataclass(frozen=True, slots=True)
class CreditLedger:
    """Name the account that leaves are bound to: a run on one Credits contract."""

    chain_id: int
    contract: Address
    """The Credits contract."""
    run: RunId

    def root(self, earned: Mapping[SiteId, int]) -> Digest:
        """Commit to every site's cumulative credits; zero if there are none."""
        return merkle_root(self._leaves(earned))

    def proof(self, earned: Mapping[SiteId, int], site: SiteId) -> tuple[Digest, ...]:
        """Prove a site's credits against the root.

        Raises:
            KeyError: The site earned nothing.
        """
        order = sorted(earned)
        if site not in earned:
            raise KeyError(site)
        return merkle_proof(self._leaves(earned), order.index(site))

    def _leaves(self, earned: Mapping[SiteId, int]) -> list[Digest]:
        return [credits_leaf(self, site, earned[site]) for site in sorted(earned)]


def credits_leaf(ledger: CreditLedger, site: SiteId, earned: int) -> Digest:
    """Hash one site's cumulative credits into a leaf."""
    encoded = _words(ledger.chain_id, int(ledger.contract, 16), ledger.run, site, earned)
    return Digest(keccak(keccak(encoded)))


def merkle_root(leaves: Sequence[Digest]) -> Digest:
    """Fold leaves into their root; zero if there are none."""
    if not leaves:
        return ZERO_DIGEST
    level = list(leaves)
    while len(level) > 1:
        level = _parents(level)
    return level[0]


def merkle_proof(leaves: Sequence[Digest], index: int) -> tuple[Digest, ...]:
    """List the siblings that lead from one leaf to the root."""
    proof, level = [], list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        level, index = _parents(level), index // 2
    return tuple(proof)


def verify_proof(root: Digest, leaf: Digest, proof: Sequence[Digest]) -> bool:
    """Tell whether a proof leads from a leaf to the root, as the contract does."""
    node = leaf
    for sibling in proof:
        node = _pair(node, sibling)
    return node == root


def settlement_hash(settlement: Settlement) -> Digest:
    """Return keccak256(abi.encode(settlement)), which the rounds module stores."""
    words = (settlement.record, settlement.state, settlement.credits_root)
    return Digest(keccak(b"".join(words) + _words(settlement.credits_total)))


def _parents(level: Sequence[Digest]) -> list[Digest]:
    pairs = [_pair(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    return pairs + list(level[len(pairs) * 2 :])


def _pair(one: Digest, other: Digest) -> Digest:
    return Digest(keccak(min(one, other) + max(one, other)))


def _words(*values: int) -> bytes:
    return b"".join(value.to_bytes(_WORD_SIZE_BYTES, "big") for value in values)

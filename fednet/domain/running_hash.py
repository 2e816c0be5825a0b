"""The hash that covers a run's log, so that one slot proves its order and completeness.

A rounds module folds every event it emits: the hash of the former head, the
topics (those that are missing are left out) and the data, cut to 26 bytes
because the contract keeps counts in the other six.
"""

from __future__ import annotations

from collections.abc import Iterable

from eth_hash.auto import keccak

from fednet.domain.events import Log
from fednet.domain.identity import ZERO_DIGEST, Digest

KEPT_SIZE_BYTES = 26


def extend_running_hash(previous: Digest, log: Log) -> Digest:
    """Return the head after one more log."""
    full = keccak(b"".join((previous, *log.topics, log.data)))
    return Digest(full[:KEPT_SIZE_BYTES].ljust(len(full), b"\0"))


def running_hash_of(logs: Iterable[Log]) -> Digest:
    """Fold all logs of a run from a head of zeros, in the order of the chain."""
    head = ZERO_DIGEST
    for log in logs:
        head = extend_running_hash(head, log)
    return head

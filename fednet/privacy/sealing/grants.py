"""Content keys of a run for one reader who is no recipient: an auditor, or a site that joins late.

Any member that opened the blobs can write it, under a grant that the ledger
records. A reader need not trust the writer: a blob opens with one key only, so
that a wrong key is found out at the first blob.

::

    encapsulated key    32 bytes
    sealed entries      64 bytes each and 16: commitment and content key, by commitment
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fednet.domain import canonical
from fednet.domain.identity import DIGEST_SIZE_BYTES, Address, Commitment, RunId, SiteId
from fednet.errors import SettingsError, UnsealingError
from fednet.privacy.sealing import hpke
from fednet.privacy.sealing.keys import KEY_SIZE_BYTES, ContentKey

GRANT_FORMAT = "fednet-key-grant/1"
MOST_ENTRIES = 1 << 16
ENTRY_SIZE_BYTES = DIGEST_SIZE_BYTES + KEY_SIZE_BYTES
SIZE_CAP_BYTES = hpke.MESSAGE_OVERHEAD_SIZE_BYTES + MOST_ENTRIES * ENTRY_SIZE_BYTES


@dataclass(frozen=True, slots=True)
class GrantPlace:
    """Name what the ledger recorded: a grant of keys in one run."""

    chain_id: int
    contract: Address
    """The rounds module that leads the run."""
    run: RunId
    site: SiteId
    """Who grants them, as the record says; 0 for an operator."""

    def __str__(self) -> str:
        return f"keys of run {self.run} granted by site {self.site}"

    def bind(self) -> bytes:
        """Write it as canonical text, to seal with."""
        return canonical.encode([GRANT_FORMAT, self.chain_id, self.contract, self.run, self.site])


def write_grant(
    keys: Mapping[Commitment, ContentKey], place: GrantPlace, public_key: bytes
) -> bytes:
    """Seal keys for one reader; each call gives other bytes.

    Raises:
        SettingsError: Too many keys or none, or the reader's key is unusable.
    """
    if not 1 <= len(keys) <= MOST_ENTRIES:
        raise SettingsError(
            "cannot grant so many keys",
            subject=str(place),
            expected=f"1 to {MOST_ENTRIES}",
            actual=len(keys),
        )
    if not hpke.is_usable(public_key):
        raise SettingsError(
            "no secret can be agreed with this encryption key",
            subject=str(place),
            actual=public_key.hex(),
            hint="let the reader make another pair",
        )
    entries = b"".join(commitment + keys[commitment].secret for commitment in sorted(keys))
    return hpke.seal_message(public_key, place.bind(), entries)


def read_grant(
    data: bytes, place: GrantPlace, private: X25519PrivateKey
) -> dict[Commitment, ContentKey]:
    """Open what was granted to the holder of a key.

    Raises:
        UnsealingError: For another key or grant, altered, cut short, or not in its one form.
    """
    count, rest = divmod(len(data) - hpke.MESSAGE_OVERHEAD_SIZE_BYTES, ENTRY_SIZE_BYTES)
    if rest or not 1 <= count <= MOST_ENTRIES:
        raise UnsealingError(
            "has no size that granted keys can have",
            subject=str(place),
            actual=f"{len(data)} bytes",
            hint="it was cut short, or is something else",
        )
    entries = hpke.unseal_message(private, place.bind(), data, str(place))
    keys: dict[Commitment, ContentKey] = {}
    last = b""
    for start in range(0, len(entries), ENTRY_SIZE_BYTES):
        commitment = Commitment(entries[start : start + DIGEST_SIZE_BYTES])
        if commitment <= last:
            raise UnsealingError(
                "granted keys are not sorted by commitment",
                subject=str(place),
                hint="whoever wrote it did not follow the protocol: ask another member",
            )
        last = commitment
        keys[commitment] = ContentKey(entries[start + DIGEST_SIZE_BYTES : start + ENTRY_SIZE_BYTES])
    return keys

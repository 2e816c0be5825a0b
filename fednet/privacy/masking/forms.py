"""What every small blob of an attempt begins with, and the one strict way to read it.

A form's name (16 bytes), the chain id (32), the contract (20), run (8), round,
attempt and site (4 each), numbers big-endian. Who reads a blob knows from the
ledger all of what must stand there, and its size, and compares before it looks
at anything else.
"""

from __future__ import annotations

from struct import Struct

from fednet.domain.identity import SiteId
from fednet.domain.update import Place
from fednet.errors import MalformedBlobError

_HEAD = Struct(">16s32s20sQIII")
_WORD_SIZE_BYTES = 32
HEAD_SIZE_BYTES = _HEAD.size


def write_head(form: str, place: Place, site: SiteId) -> bytes:
    """Return the head of a blob."""
    return _HEAD.pack(
        form.encode("ascii"),
        place.chain_id.to_bytes(_WORD_SIZE_BYTES),
        bytes.fromhex(place.contract.removeprefix("0x")),
        place.run,
        place.round,
        place.attempt,
        site,
    )


def read_body(data: bytes, form: str, place: Place, site: SiteId, size_bytes: int) -> bytes:
    """Return what follows the head of a blob that a site published at a place.

    Raises:
        MalformedBlobError: Of another size, form, place or site.
    """
    subject = f"{form} of site {site}"
    if len(data) != size_bytes:
        raise MalformedBlobError(
            "has a wrong size", subject=subject, expected=size_bytes, actual=len(data)
        )
    if data[:HEAD_SIZE_BYTES] != write_head(form, place, site):
        raise MalformedBlobError(
            "does not belong here",
            subject=subject,
            expected=f"run {place.run}, round {place.round}, attempt {place.attempt}",
            actual=data[:HEAD_SIZE_BYTES].hex(),
        )
    return data[HEAD_SIZE_BYTES:]

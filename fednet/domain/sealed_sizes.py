"""How long a content is once it is sealed; the form itself is ``fednet.privacy.sealing``'s.

It stands here because whoever fetches a blob bounds its size first, with or
without a key. See "Sealed blobs" in docs/protocol.md.
"""

from __future__ import annotations

CHUNK_SIZE_BYTES = 1 << 16
TAG_SIZE_BYTES = 16
SALT_SIZE_BYTES = 32
LETTER_HEAD_SIZE_BYTES = 32
WRAP_SIZE_BYTES = 48


def sealed_size_bytes(content_size_bytes: int, recipients: int) -> int:
    """Return the size of a sealed blob, whatever is in it.

    Args:
        content_size_bytes: Of what is sealed; at least 0.
        recipients: Members that its letter has a wrap for.
    """
    head = LETTER_HEAD_SIZE_BYTES + WRAP_SIZE_BYTES * recipients + SALT_SIZE_BYTES
    chunks = max(1, -(-content_size_bytes // CHUNK_SIZE_BYTES))
    return head + content_size_bytes + chunks * TAG_SIZE_BYTES

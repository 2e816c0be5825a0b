"""Write topics and messages as the Kubo RPC does: multibase, base64url without padding.

See https://github.com/multiformats/multibase; of its bases only this one is used.
"""

from __future__ import annotations

import base64

_BASE64URL = "u"


def encode_multibase(data: bytes) -> str:
    """Write bytes as text that needs no escaping in a URL."""
    return _BASE64URL + base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode_multibase(text: str) -> bytes:
    """Read what `encode_multibase` writes.

    Raises:
        ValueError: It is something else.
    """
    if text[:1] != _BASE64URL:
        raise ValueError("not base64url in multibase")
    return base64.b64decode(text[1:] + "=" * (-(len(text) - 1) % 4), altchars=b"-_", validate=True)

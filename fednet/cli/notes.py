"""Texts that stay in the home and are committed to on the ledger, below a salt.

A text that can be guessed (a diagnosis, a name) could be found by its bare hash. The
salt stands in the file's first line, so that the commitment is the SHA-256 of the whole
file, and goes with the file.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from fednet.cli import settings
from fednet.domain.identity import Commitment
from fednet.errors import SettingsError

_SALT_BYTES = 16


def keep(folder: Path, subject: str, text: bytes) -> Commitment:
    """Keep a text for its owner only, and commit to it; the same text of a subject is kept once.

    Args:
        folder: Where; made if it is not there.
        subject: What it is about, as the beginning of a file's name.
        text: What somebody wrote.

    Raises:
        SettingsError: The disk does not take it, or does not give it back.
    """
    path = folder / f"{subject}-{str(Commitment.of(text))[:16]}.txt"
    try:
        return Commitment.of(path.read_bytes())
    except FileNotFoundError:
        kept = f"salt {secrets.token_hex(_SALT_BYTES)}\n".encode() + text
        settings.write_durably(path, kept, private=True)
        return Commitment.of(kept)
    except OSError as exc:
        raise SettingsError(
            "cannot read", subject=str(path), actual=exc.strerror, hint="see who owns the file"
        ) from exc

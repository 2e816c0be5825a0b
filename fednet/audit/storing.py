"""A new state on the disk: its bytes as they are to be stored, and its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fednet.audit.inputs import SealState
from fednet.domain.identity import Commitment, SiteId

STATE_SUFFIX, OPENED_SUFFIX = ".safetensors", ".opened"
"""Of a state as it is stored, and of the content of a sealed one."""


@dataclass(frozen=True, slots=True)
class StoredState:
    """A state that was put down in a folder."""

    commitment: Commitment
    """Of the bytes as they are to be stored: sealed, where the run seals."""
    size_bytes: int
    path: Path
    """Those bytes, named by their commitment."""
    base_path: Path
    """What the next round starts from: the same file, unless it is sealed."""


def put_down(
    content: Path,
    commitment: Commitment,
    out_dir: Path,
    seal: SealState | None,
    included: Sequence[SiteId],
) -> StoredState:
    """Name a state by the commitment of what is stored of it.

    Args:
        content: The state, in a folder of its own on the disk of the output folder; moved.
        commitment: Of the content.
        out_dir: Where it goes.
        seal: Seals it; None leaves it as it is.
        included: Sites whose updates it follows from.

    Raises:
        SettingsError: The disk refuses.
    """
    if seal is None:
        path = content.replace(out_dir / f"{commitment}{STATE_SUFFIX}")
        return StoredState(commitment, path.stat().st_size, path, path)
    unnamed = content.with_name("sealed")
    written = seal(content, unnamed, included)
    path = unnamed.replace(out_dir / f"{written.commitment}{STATE_SUFFIX}")
    base_path = content.replace(out_dir / f"{written.commitment}{OPENED_SUFFIX}")
    return StoredState(written.commitment, written.size_bytes, path, base_path)

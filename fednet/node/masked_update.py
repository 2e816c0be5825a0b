"""Mask this site's update, once in an attempt, in the bytes that leave.

Two different updates in the same masks would tell their difference, and the same
update in two sums of different sites somebody else's. So masked bytes are made of
what the journal says was masked, or the site sits the attempt out.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Set
from pathlib import Path

from fednet.domain.identity import Commitment
from fednet.domain.randomness import SecretWords
from fednet.domain.update import Manifest
from fednet.errors import TrainingError
from fednet.node.files import disk_error
from fednet.node.journal import RunNotes
from fednet.node.places import AttemptKey
from fednet.privacy.masking import (
    Dealers,
    FixedPoint,
    RingArray,
    SiteSecrets,
    Values,
    mask,
    write_masked_header,
)


def require_new(
    notes: RunNotes,
    key: AttemptKey,
    values: Commitment,
    unmasked: Set[AttemptKey],
    *,
    noisy: bool = False,
) -> None:
    """Raise if masking these values would tell more than one sum does.

    Args:
        notes: What the journal says of the run.
        key: The attempt.
        values: What the values to be masked hash to.
        unmasked: Attempts in which the ledger holds a frozen set.
        noisy: Whether noise is drawn anew each time, so that the same values are masked as others.

    Raises:
        TrainingError: Others are committed to in this attempt, or these were masked in one whose
            sum was unmasked.
    """
    subject = f"update for round {key.round}, attempt {key.attempt}"
    known = notes.masked.get(key)
    # What was masked and never committed to has not left this disk, and is overwritten.
    if key in notes.pledges and known is not None and (noisy or known != values):
        raise TrainingError(
            "another update was masked in this attempt",
            subject=subject,
            expected=known,
            actual=values,
            hint="the node sits this attempt out; in the next one it masks anew",
        )
    for other, masked in notes.masked.items():
        if other != key and masked == values and other in notes.bindings.keys() | unmasked:
            raise TrainingError(
                "this very update was in a sum that was unmasked",
                subject=subject,
                expected=f"another than in round {other.round}, attempt {other.attempt}",
                actual=values,
                hint="a second sum of it with other sites would tell one of them apart; let "
                "training.batch_size be smaller than the dataset, so that a new attempt trains "
                "in another order",
            )


def write_masked(
    path: Path,
    values: Values,
    manifest: Manifest,
    dealers: Dealers,
    secrets: SiteSecrets,
    fixed_point: FixedPoint,
) -> Commitment:
    """Write a masked update durably, whole or not at all, and commit to its bytes.

    Args:
        path: Where the file goes.
        values: The update.
        manifest: Who did this, where, from which state.
        dealers: Who masks.
        secrets: The site's.
        fixed_point: How values stand in the ring.

    Raises:
        TrainingError: A value is not finite, or too large where the plan refuses that.
        PrivacyError: The update is longer than its noise can hide.
        SettingsError: The disk refuses.
    """
    head = write_masked_header(dealers, manifest, fixed_point.ring, values.element_count)
    state, unfinished = hashlib.sha256(head), path.with_name(path.name + ".part")
    try:
        with unfinished.open("wb") as file:

            def write(start: int, chunk: RingArray) -> None:
                data = chunk.data.cast("B")
                state.update(data)
                file.write(data)

            file.write(head)
            # Noise that anybody could foretell would hide nothing: its key is made for this file.
            mask(dealers, secrets, fixed_point, manifest.examples, values, write, SecretWords())
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as exc:
        raise disk_error(path, exc) from exc
    finally:
        unfinished.unlink(missing_ok=True)
    return Commitment(state.digest())

"""An update's bytes: written on their way out, opened on their way in, bounded in size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fednet.codec.codecs import codec_of
from fednet.codec.files import HEADER_SLACK_BYTES
from fednet.domain.blobs import BlobFile
from fednet.domain.identity import Commitment
from fednet.domain.plan import Plan
from fednet.domain.sealed_sizes import sealed_size_bytes
from fednet.domain.sections import UpdateSection
from fednet.domain.shape import StateShape
from fednet.domain.tensors import MAX_HEADER_SIZE_BYTES, FloatArray
from fednet.domain.update import Manifest, UpdateFile

_PLAIN = UpdateSection()
FLOAT32_BITS = 32


def write_update(
    path: Path,
    arrays: Mapping[str, FloatArray],
    manifest: Manifest,
    section: UpdateSection = _PLAIN,
) -> Commitment:
    """Write an update durably in its one form and return its commitment.

    Args:
        path: Where the file goes; replaced whole or not at all.
        arrays: The difference new - base, float32, by the state's names.
        manifest: Who did this, where, from which state.
        section: The plan's ``update``: the codec and its settings.

    Raises:
        TypeError: An array is not float32.
        TrainingError: A value is not finite, where the codec has no way to say so.
        PlanError: Unknown codec.
    """
    return codec_of(section.codec).write(path, arrays, manifest.to_metadata(), section)


def open_update(path: BlobFile, subject: str, plan: Plan, shape: StateShape) -> UpdateFile:
    """Open an update as one flat float32 vector.

    Raises:
        MalformedBlobError: Too large, or not what the plan's codec writes.
        SettingsError: The file cannot be opened.
    """
    section, limit = plan.update, update_size_limit_bytes(plan)
    return codec_of(section.codec).open(path, subject, limit, shape, section)


def update_size_limit_bytes(plan: Plan) -> int:
    """Bound the complete bytes of an update under a plan, before any is fetched."""
    if plan.is_masked:
        words = plan.masking.ring_bits // FLOAT32_BITS
        return plan.model.size_bytes * words + HEADER_SLACK_BYTES
    if plan.is_encrypted:
        return plan.homomorphic.ciphertext_size_bytes(plan.model.size_bytes) + HEADER_SLACK_BYTES
    return codec_of(plan.update.codec).size_limit_bytes(plan.model.size_bytes, plan.update)


def update_blob_limit_bytes(plan: Plan) -> int:
    """Bound the blob that an update lies in, sealed or not, before any is fetched."""
    limit = update_size_limit_bytes(plan)
    if plan.is_encrypted:
        return sealed_size_bytes(limit, len(plan.homomorphic.aggregators))
    return plan.stored_size_bytes(limit)


def sum_size_limit_bytes(plan: Plan) -> int:
    """Bound the complete bytes of a sum of encrypted updates, which names all of them."""
    return plan.homomorphic.ciphertext_size_bytes(plan.model.size_bytes) + MAX_HEADER_SIZE_BYTES

"""How an update's values stand in its bytes.

A codec opens a file as one flat float32 vector that is read in chunks; rules and
checks see only that. A further codec is one more entry here and one more word
that a plan may say.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from fednet.codec.bfloat16 import BFloat16Codec
from fednet.codec.files import HEADER_SLACK_BYTES, TensorFile, write_tensors
from fednet.codec.quantised import QuantisedCodec
from fednet.codec.sparse import SparseCodec
from fednet.domain.blobs import BlobFile
from fednet.domain.identity import Commitment
from fednet.domain.sections import UpdateSection
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray
from fednet.domain.update import UpdateFile
from fednet.errors import PlanError


class Codec(Protocol):
    """Write and read the values of an update."""

    name: str

    def size_limit_bytes(self, state_size_bytes: int, section: UpdateSection) -> int:
        """Bound an update's complete bytes, given the size of a state's."""
        ...

    def write(
        self,
        path: Path,
        arrays: Mapping[str, FloatArray],
        metadata: Mapping[str, object],
        section: UpdateSection,
    ) -> Commitment:
        """Write an update durably and commit to its bytes; the same arguments, the same bytes.

        Raises:
            TypeError: An array is not float32.
            TrainingError: A value is not finite, where the codec has no way to say so.
            SettingsError: The file cannot be written.
        """
        ...

    def open(
        self,
        path: BlobFile,
        subject: str,
        size_limit_bytes: int,
        shape: StateShape,
        section: UpdateSection,
    ) -> UpdateFile:
        """Open an update as one flat float32 vector.

        Args:
            path: The file.
            subject: What it is, for errors.
            size_limit_bytes: Refuse a larger file before reading any of it.
            shape: States of the run; bytes that do not name their tensors are one of its parts.
            section: The plan's ``update``.

        Raises:
            MalformedBlobError: Too large, or not this codec's canonical form of anything.
            SettingsError: The file cannot be opened.
        """
        ...


class Float32Codec:
    """Keep every value as it is: little-endian float32, in the order of the state."""

    name = "float32"

    def size_limit_bytes(self, state_size_bytes: int, section: UpdateSection) -> int:
        return state_size_bytes + HEADER_SLACK_BYTES

    def write(
        self,
        path: Path,
        arrays: Mapping[str, FloatArray],
        metadata: Mapping[str, object],
        section: UpdateSection,
    ) -> Commitment:
        return write_tensors(path, arrays, metadata)

    def open(
        self,
        path: BlobFile,
        subject: str,
        size_limit_bytes: int,
        shape: StateShape,
        section: UpdateSection,
    ) -> UpdateFile:
        return TensorFile(path, subject, size_limit_bytes)


_ALL: tuple[Codec, ...] = (
    Float32Codec(),
    BFloat16Codec(),
    QuantisedCodec(8),
    QuantisedCodec(4),
    SparseCodec(32),
    SparseCodec(8),
    SparseCodec(4),
)
CODECS = {codec.name: codec for codec in _ALL}


def codec_of(name: str) -> Codec:
    """Find the codec that a plan names.

    Raises:
        PlanError: This version knows no such codec.
    """
    codec = CODECS.get(name)
    if codec is None:
        raise PlanError("unknown codec", expected=" or ".join(sorted(CODECS)), actual=name)
    return codec

"""What the codecs that pack values share: how their files are written, opened and let go of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fednet.codec.files import RawFile, require_float32, write_parts
from fednet.domain.blobs import BlobFile
from fednet.domain.identity import Commitment
from fednet.domain.sections import UpdateSection
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, TensorSpec

Packed = Mapping[TensorSpec, npt.NDArray[np.generic]]
"""What stands in a file: each tensor with its elements, contiguous."""


class PackedFile(RawFile, ABC):
    """Read one canonical file of packed tensors as a flat float32 vector.

    Args:
        path: The file, or where in one the tensors stand.
        subject: What the file is, for errors.
        size_limit_bytes: Refuse a larger file before reading any of it.
        shape: States of the run.
        section: The plan's ``update``.
        bits: Of each value.

    Raises:
        MalformedBlobError: Too large, or not the codec's canonical form of anything.
        SettingsError: The file cannot be opened.
    """

    dtypes: ClassVar[frozenset[str]]
    """What the tensors of such a file may be."""

    def __init__(
        self,
        path: BlobFile,
        subject: str,
        size_limit_bytes: int,
        shape: StateShape,
        section: UpdateSection,
        bits: int,
    ) -> None:
        super().__init__(path, subject, size_limit_bytes, self.dtypes)
        try:
            self._bits = bits
            self.layout = self._begin(shape, section)
        except BaseException:
            self.close()
            raise

    @abstractmethod
    def _begin(self, shape: StateShape, section: UpdateSection) -> Layout:
        """Check what must be checked before a value is read; return what the tensors decode to."""

    @abstractmethod
    def read_into(self, start: int, out: FloatArray) -> None:
        """Fill a contiguous buffer with the elements from ``start`` on."""


class PackingCodec(ABC):
    """Keep an update as tensors of another kind; see `Codec` for what is public.

    Args:
        bits: Of each value.
    """

    name: str
    file: ClassVar[type[PackedFile]]

    def __init__(self, bits: int) -> None:
        self._bits = bits

    @abstractmethod
    def size_limit_bytes(self, state_size_bytes: int, section: UpdateSection) -> int: ...

    def write(
        self,
        path: Path,
        arrays: Mapping[str, FloatArray],
        metadata: Mapping[str, object],
        section: UpdateSection,
    ) -> Commitment:
        require_float32(arrays)
        packed = self._pack(arrays, metadata, section)
        layout = Layout(tuple(sorted(packed, key=lambda spec: spec.name)))
        data = [packed[spec].data.cast("B") for spec in layout.tensors]
        return write_parts(path, layout, metadata, data)

    def open(
        self,
        path: BlobFile,
        subject: str,
        size_limit_bytes: int,
        shape: StateShape,
        section: UpdateSection,
    ) -> PackedFile:
        return self.file(path, subject, size_limit_bytes, shape, section, self._bits)

    @abstractmethod
    def _pack(
        self,
        arrays: Mapping[str, FloatArray],
        metadata: Mapping[str, object],
        section: UpdateSection,
    ) -> Packed:
        """Return the tensors that stand for an update.

        Raises:
            TrainingError: A value is not finite.
        """

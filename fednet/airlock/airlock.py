"""Check an update's complete bytes against the plan's bounds and the site's own.

The file itself is read, as every member will read it, not the arrays it was
written from: what was checked is what leaves. Memory stays constant, whatever
the size of the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.domain.tensors import FloatArray, Layout, require_same_layout
from fednet.domain.update import Manifest, UpdateFile
from fednet.errors import AirlockRefusedError, FednetError

DEFAULT_MAXIMUM_SIZE_BYTES = 1 << 34
_CHUNK_ELEMENTS = 1 << 16


@dataclass(frozen=True, slots=True)
class AirlockPolicy:
    """What a site lets out, whatever a plan would allow."""

    minimum_examples: int = 1
    """Fewest examples an update may rest on."""
    maximum_norm: float = math.inf
    """Largest Euclidean norm of an update."""
    maximum_size_bytes: int = DEFAULT_MAXIMUM_SIZE_BYTES
    """Largest file that may leave."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What an update showed of itself on its way out."""

    norm: float
    size_bytes: int
    examples: int


class Airlock:
    """Let an update out, or say which check keeps it in."""

    def __init__(self, policy: AirlockPolicy | None = None) -> None:
        self._policy = policy or AirlockPolicy()

    def check(
        self,
        open_file: Callable[[], UpdateFile],
        size_bytes: int,
        shape: StateShape,
        plan: Plan,
        manifest: Manifest,
    ) -> Passage:
        """Check the file of an update.

        Args:
            open_file: Opens the complete bytes that would be published, as members will.
            size_bytes: How many bytes they are.
            shape: State that training started from, and what of it may travel.
            plan: Plan of the run.
            manifest: What the update must say of itself.

        Raises:
            AirlockRefusedError: A check said no; ``check`` names it: size, form,
                manifest, layout, examples, finite or norm.
        """
        self._check_size(size_bytes)
        with _opened(open_file) as file:
            _check_manifest(file, manifest)
            _check_layout(file.layout, shape)
            self._check_examples(manifest.examples, plan)
            norm = _measure(file)
        self._check_norm(norm, plan)
        return Passage(norm, size_bytes, manifest.examples)

    def _check_size(self, size: int) -> None:
        if size > self._policy.maximum_size_bytes:
            raise _refusal(
                "size",
                "update is larger than this site lets out",
                f"at most {self._policy.maximum_size_bytes} bytes",
                f"{size} bytes",
            )

    def _check_examples(self, examples: int, plan: Plan) -> None:
        least = max(self._policy.minimum_examples, plan.update.minimum_examples)
        if examples < least:
            raise _refusal(
                "examples", "update rests on too few examples", f"at least {least}", examples
            )
        if examples > plan.update.maximum_examples:
            raise _refusal(
                "examples",
                "update rests on more examples than the plan allows",
                f"at most {plan.update.maximum_examples}",
                examples,
            )

    def _check_norm(self, norm: float, plan: Plan) -> None:
        bound = min(self._policy.maximum_norm, float(plan.update.maximum_norm))
        if norm > bound:
            raise _refusal(
                "norm",
                "update is larger than its bound",
                f"Euclidean norm of at most {bound:g}",
                f"{norm:g}",
                hint="check the data for outliers; the plan's learning rate may be too high",
            )


def _opened(open_file: Callable[[], UpdateFile]) -> UpdateFile:
    try:
        return open_file()
    except FednetError as exc:
        raise _refusal("form", exc.message, exc.expected, exc.actual) from exc


def _check_manifest(file: UpdateFile, manifest: Manifest) -> None:
    if file.metadata != manifest.to_metadata():
        raise _refusal(
            "manifest",
            "update speaks of another author or place",
            manifest.to_metadata(),
            file.metadata,
        )


def _check_layout(actual: Layout, shape: StateShape) -> None:
    if shape.part_of(actual) is not None:
        return
    try:
        require_same_layout(shape.parts[0].layout, actual, "update")
    except FednetError as exc:
        raise _refusal("layout", exc.message, exc.expected, exc.actual) from exc


def _measure(file: UpdateFile) -> float:
    """Return the Euclidean norm of the data, refusing what is not finite."""
    total = 0.0
    for chunk in _chunks(file):
        wide = chunk.astype(np.float64)
        np.square(wide, out=wide)
        part = float(wide.sum())  # np.dot would keep BLAS's threads spinning beside the node's
        # The square of a finite float32 is a finite float64, and so is their sum.
        if not math.isfinite(part):
            raise _refusal(
                "finite",
                "update holds NaN or infinite values",
                "finite numbers",
                f"{int(np.count_nonzero(~np.isfinite(chunk)))} others in one stretch",
                hint="lower the plan's learning rate, or check the data for outliers",
            )
        total += part
    return math.sqrt(total)


def _chunks(file: UpdateFile) -> Iterator[FloatArray]:
    count = file.element_count
    buffer = np.empty(min(_CHUNK_ELEMENTS, count), np.float32)
    for start in range(0, count, _CHUNK_ELEMENTS):
        chunk = buffer[: min(_CHUNK_ELEMENTS, count - start)]
        file.read_into(start, chunk)
        yield chunk


def _refusal(
    check: str, message: str, expected: object, actual: object, hint: str = ""
) -> AirlockRefusedError:
    return AirlockRefusedError(
        message,
        check=check,
        subject="airlock",
        expected=expected,
        actual=actual,
        hint=hint or "nothing has left this site; see the airlock's settings and the plan's bounds",
    )

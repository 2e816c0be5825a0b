"""The next state from a mean that came of something else than single updates: an unmasked sum."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fednet.aggregation.interface import Emit
from fednet.aggregation.kernels import choose_kernel, require_subnormals
from fednet.aggregation.output import StateWriter, WrittenState
from fednet.aggregation.parts import copy_untouched
from fednet.aggregation.server import PLAIN, ServerStep
from fednet.aggregation.vector import CHUNK_ELEMENTS, Vector
from fednet.domain.sections import ServerSection
from fednet.domain.shape import StateShape


def apply_mean(
    emit_mean: Callable[[Emit], None],
    shape: StateShape,
    base: Vector,
    path: Path,
    *,
    server: ServerSection = PLAIN,
) -> WrittenState:
    """Write the complete bytes of the state that a mean of updates leads to.

    Args:
        emit_mean: Emits every element of the mean once, as `Rule.combine` does.
        shape: What the states of the run hold; updates are of its one part.
        base: The base state's values.
        path: Where the next state is written.
        server: The optimiser that takes the mean.

    Raises:
        AggregationError: The next state would not be finite, or what ``emit_mean`` raises.
    """
    require_subnormals()
    (part,) = shape.parts
    writer = StateWriter(path, shape.state)
    try:
        kernel = choose_kernel(part.layout.element_count)
        emit_mean(ServerStep(server, part, base, writer.write, kernel=kernel).apply)
        copy_untouched(base, shape, frozenset({part.number}), writer.write, CHUNK_ELEMENTS)
        return writer.finish()
    finally:
        writer.close()

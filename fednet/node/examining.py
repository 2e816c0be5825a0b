"""Hold the one update that the airlock looks into, while that goes on aside.

It stands in memory only: a node that is killed meanwhile trains and looks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event

import numpy as np

from fednet.airlock import Exposure, Passage, Trace
from fednet.codec import open_update
from fednet.domain.tensors import FloatArray
from fednet.domain.update import UpdateFile
from fednet.node.contribution import Wrapped
from fednet.node.desk import Desk, Errand, Trained
from fednet.node.places import AttemptKey
from fednet.node.site import SiteTools
from fednet.node.terms import RunTerms
from fednet.node.view import Examination


class Bench:
    """Examine an update's content; belongs to one follower of a run.

    Args:
        tools: What the site acts with.
        terms: Of the run.
        desk: Sends the work out.
    """

    def __init__(self, tools: SiteTools, terms: RunTerms, desk: Desk) -> None:
        self._tools = tools
        self._terms = terms
        self._desk = desk
        self._wrapped: Wrapped | None = None
        self._errand: Errand[Passage] | None = None

    @property
    def examination(self) -> Examination | None:
        """What is looked into, or was; None if there is nothing."""
        if self._wrapped is None or self._errand is None:
            return None
        return Examination(self._wrapped.key, self._errand.is_over)

    def begin(self, wrapped: Wrapped, trained: Trained) -> None:
        """Begin to look into an update, in place of whatever was here."""
        self.clear()

        def work(halt: Event) -> Passage:
            with self._tools.training:
                return self._examine(wrapped, trained, halt)

        self._wrapped = wrapped
        self._errand = self._desk.send(work)

    def take(self, key: AttemptKey) -> tuple[Wrapped, Passage]:
        """Return, and forget, what was looked into.

        Raises:
            FednetError: It could not be looked into.
            RuntimeError: Nothing was for this attempt, or it is not over.
        """
        wrapped, errand = self._wrapped, self._errand
        if wrapped is None or errand is None or wrapped.key != key or not errand.is_over:
            raise RuntimeError(f"nothing was looked into for {key}")
        self.clear()
        if errand.failure is not None:
            raise errand.failure
        return wrapped, errand.result()

    def clear(self) -> None:
        """Stop and forget."""
        if self._errand is not None:
            self._errand.halt.set()
        self._wrapped = self._errand = None

    def _examine(self, wrapped: Wrapped, trained: Trained, halt: Event) -> Passage:
        tools, plan, result = self._tools, self._terms.plan, trained.result
        with open_update(wrapped.content, "update", plan, trained.shape) as file:
            update = _values(file)
            part = trained.shape.part_of(file.layout)
            count = file.element_count
        exposure = Exposure(result.examples)
        if tools.probe is not None:
            trace = Trace(
                plan=plan,
                base_state_path=trained.state_path,
                update=update,
                part=part.number if part else 0,
                steps=result.steps,
                kept=result.kept,
            )
            exposure = tools.probe.measure(tools.airlock.policy, trace, halt)
        return tools.airlock.judge(wrapped.passage, exposure, result.steps, count)


def _values(file: UpdateFile) -> Mapping[str, FloatArray]:
    """Read what the file decodes to, as members will."""
    values, start = {}, 0
    for spec in file.layout.tensors:
        array = np.empty(spec.element_count, np.float32)
        file.read_into(start, array)
        values[spec.name] = array.reshape(spec.shape)
        start += spec.element_count
    return values

"""Check an update's complete bytes against the plan's bounds and the site's own.

The file itself is read, as every member will read it, not the arrays it was
written from: what was checked is what leaves. Memory stays constant, whatever
the size of the model; what is compared with the data stands in ``content``.
"""

from __future__ import annotations

from collections.abc import Callable

from fednet.airlock.admission import check_examples
from fednet.airlock.content import check_content
from fednet.airlock.exposure import Exposure
from fednet.airlock.measuring import Measured, measure
from fednet.airlock.policy import AirlockPolicy
from fednet.airlock.report import Check, Passage, Verdict, judged
from fednet.airlock.tensors import check_tensors
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.domain.tensors import Layout, require_same_layout
from fednet.domain.update import Manifest, UpdateFile
from fednet.errors import FednetError


class Airlock:
    """Let an update out, or say which check keeps it in.

    Args:
        policy: The site's; what a plan allows unless given.
    """

    def __init__(self, policy: AirlockPolicy | None = None) -> None:
        self.policy = policy or AirlockPolicy()

    def examine(
        self,
        open_file: Callable[[], UpdateFile],
        size_bytes: int,
        shape: StateShape,
        plan: Plan,
        manifest: Manifest,
    ) -> Passage:
        """Put every check to the file of an update.

        Where the bytes are no update of this plan, nothing further is measured.

        Args:
            open_file: Opens the complete bytes that would be published, as members will.
            size_bytes: How many bytes they are.
            shape: State that training started from, and what of it may travel.
            plan: Plan of the run.
            manifest: What the update must say of itself.

        Returns:
            The checks that were made: size, form, manifest, layout, examples,
            data.minimum_examples, finite, norm, and tensors where the policy asks.
        """
        checks = [self._check_size(size_bytes)]
        if checks[-1].verdict is Verdict.REFUSED:
            return Passage(tuple(checks))
        try:
            opened = open_file()
        except FednetError as exc:
            return Passage((*checks, _malformed("form", exc)))
        with opened as file:
            checks += [
                judged("form", True, "the bytes are an update, packed as the plan says"),
                _check_manifest(file, manifest),
                _check_layout(file.layout, shape),
            ]
            if any(check.verdict is Verdict.REFUSED for check in checks):
                return Passage(tuple(checks))
            checks += [
                _check_examples(manifest.examples, plan),
                check_examples(self.policy, manifest.examples),
            ]
            try:
                found = measure(file)
            except FednetError as exc:
                return Passage((*checks, _malformed("form", exc)))
        checks.append(_check_finite(found))
        if not found.strange_values:
            checks += [self._check_norm(found, plan), *check_tensors(self.policy, found)]
        return Passage(tuple(checks))

    def judge(self, passage: Passage, exposure: Exposure, steps: int, parameters: int) -> Passage:
        """Add what was measured against the data to what the bytes showed.

        Args:
            passage: Of the same update.
            exposure: What was measured.
            steps: Optimiser steps that the update took.
            parameters: Values in it.
        """
        return Passage((*passage.checks, *check_content(self.policy, exposure, steps, parameters)))

    def _check_size(self, size: int) -> Check:
        most = self.policy.update.maximum_size_bytes
        return judged(
            "size",
            size <= most,
            "size of the file in bytes",
            expected=f"at most {most} bytes",
            actual=f"{size} bytes",
            figure=size,
            bound=most,
        )

    def _check_norm(self, found: Measured, plan: Plan) -> Check:
        bound = min(self.policy.update.maximum_norm, float(plan.update.maximum_norm))
        return judged(
            "norm",
            found.norm <= bound,
            "Euclidean norm of the update",
            expected=f"at most {bound:g}",
            actual=f"{found.norm:g}",
            figure=found.norm,
            bound=bound,
            remedy="check the data for outliers; the plan's learning rate may be too high",
        )


def _malformed(name: str, exc: FednetError) -> Check:
    texts = {
        key: value for key in ("expected", "actual") if (value := getattr(exc, key)) is not None
    }
    return judged(name, False, exc.message, **texts)


def _check_manifest(file: UpdateFile, manifest: Manifest) -> Check:
    expected = manifest.to_metadata()
    if file.metadata == expected:
        return judged("manifest", True, "the update names this site, this place and its base")
    return judged(
        "manifest",
        False,
        "the update speaks of another author or place",
        expected=expected,
        actual=dict(file.metadata),
    )


def _check_layout(actual: Layout, shape: StateShape) -> Check:
    if shape.part_of(actual) is None:
        try:
            require_same_layout(shape.parts[0].layout, actual, "update")
        except FednetError as exc:
            return _malformed("layout", exc)
    return judged("layout", True, "tensors are those that the plan lets travel")


def _check_examples(examples: int, plan: Plan) -> Check:
    least, most = plan.update.minimum_examples, plan.update.maximum_examples
    return judged(
        "examples",
        least <= examples <= most,
        "weight of the update, within what the plan allows",
        expected=f"{least} to {most}",
        actual=examples,
        figure=examples,
    )


def _check_finite(found: Measured) -> Check:
    return judged(
        "finite",
        not found.strange_values,
        "values that are NaN or infinite",
        expected="none",
        actual=found.strange_values,
        figure=found.strange_values,
        bound=0,
        remedy="lower the plan's learning rate, or check the data for outliers",
    )

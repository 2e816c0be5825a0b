"""Make this site's update: check the data, train, pass the airlock, commit to it.

The order is the promise: bytes durable on the disk, then the journal, and only
then may anybody hear of them.
"""

from __future__ import annotations

import os
from pathlib import Path

from fednet.audit import PreviousRound
from fednet.codec import check_state, open_update, write_update
from fednet.domain.events import ConsentGiven
from fednet.domain.identity import Commitment, Digest
from fednet.domain.shape import StateShape
from fednet.domain.tensors import Layout
from fednet.domain.update import Manifest
from fednet.errors import DataError, ShapeMismatchError
from fednet.node.places import AttemptKey
from fednet.node.site import SiteTools
from fednet.node.terms import RunTerms
from fednet.node.view import Pledge
from fednet.node.workshop import Workshop


def require_registered_data(tools: SiteTools, consent: ConsentGiven) -> None:
    """Refuse to train on anything but the data that the consent's grant names.

    Raises:
        DataError: The dataset is closed, or the data is not what was registered.
    """
    dataset = tools.reader.dataset(tools.reader.access(consent.grant).dataset)
    subject = f"dataset {dataset.dataset}"
    if dataset.closed:
        raise DataError("the dataset is closed", subject=subject)
    actual = tools.data.commitment()
    if actual != dataset.data:
        raise DataError(
            "the private data is not what was registered",
            subject=subject,
            expected=dataset.data,
            actual=actual,
            hint="restore the registered file, or register the data as it is now",
        )


def make_update(
    tools: SiteTools,
    terms: RunTerms,
    workshop: Workshop,
    key: AttemptKey,
    consent: ConsentGiven,
    base: PreviousRound,
) -> Pledge:
    """Train on the last final state and return what this site commits to.

    Raises:
        TrainingError: Training failed, or the data is not what was registered.
        TaskError: The task's code broke a rule.
        ShapeMismatchError: The update does not describe the model.
        AirlockRefusedError: A check keeps the update inside.
    """
    plan, place = terms.plan, terms.place(key.round, key.attempt)
    assert isinstance(base.state_path, Path)  # a node has files of its own, no bundle
    state = check_state(base.state_path, None, plan.model.size_bytes)
    shape = StateShape.of_state(plan, state.layout)
    with tools.training:
        require_registered_data(tools, consent)
        scratch = workshop.scratch()
        result = tools.trainer.train(plan, base.state_path, place, tools.site, scratch)
    if shape.part_of(Layout.of(result.arrays)) is None:
        raise ShapeMismatchError("update does not fit the plan", subject="update")
    weight = min(result.examples, consent.maximum_examples)
    manifest = Manifest(
        place,
        tools.site,
        base.state,
        weight,
        Digest(os.urandom(32)),
        result.steps,
        result.published_metrics,
        result.evaluated,
    )
    path = workshop.folder / workshop.update_name(key, tools.site)
    commitment: Commitment = write_update(path, result.arrays, manifest, plan.update)
    try:
        tools.airlock.check(
            lambda: open_update(path, "update", plan, shape),
            path.stat().st_size,
            shape,
            plan,
            manifest,
        )
    except BaseException:
        path.unlink()
        raise
    return Pledge(commitment, tools.blobs.locate(path), weight, path.name)

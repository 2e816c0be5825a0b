"""A model as people use it, out of a state: its own tensors by its task's names.

The state of a run may hold more: a server optimiser's moments, a control
variate, the models of several clusters. Where it holds one model and nothing
else, the state's bytes are the model's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fednet.domain.identity import Commitment
from fednet.domain.plan import Plan
from fednet.domain.shape import StateShape
from fednet.domain.tensors import Layout, decode_tensors, encode_tensors
from fednet.errors import DigestMismatchError, SealedError, SettingsError
from fednet.exports.writing import copy_verified, write_files

MODEL_FORMAT = "fednet-model/1"


@dataclass(frozen=True, slots=True)
class Taken:
    """A model that was given out."""

    commitment: Commitment
    """Of the file's complete bytes."""
    state: Commitment
    """Of the state that the model was taken from; the same if it is all of it."""
    cluster: int | None = None


def model_bytes(
    state: bytes, commitment: Commitment, plan: Plan, cluster: int | None, subject: str
) -> bytes:
    """Take one model out of the complete bytes of a state.

    Args:
        state: The state's bytes.
        commitment: Of these bytes; the model's file names it.
        plan: The run's plan.
        cluster: Number of the cluster, where there are clusters.
        subject: What the state is, for errors.

    Returns:
        The same bytes where the state is the model.

    Raises:
        DigestMismatchError: The bytes are not the committed ones.
        SettingsError: The cluster is missing, or there is none such.
        ShapeMismatchError: The state is not of this plan.
        MalformedBlobError: The bytes are no state.
        SealedError: The run seals its states.
    """
    _require_open(plan, commitment, subject)
    if Commitment.of(state) != commitment:
        raise DigestMismatchError(
            "bytes do not match their commitment",
            subject=subject,
            expected=commitment,
            actual=Commitment.of(state),
        )
    part = _part(plan, cluster)
    if _is_plain(plan):
        return state
    arrays, _ = decode_tensors(state, subject)
    shape = StateShape.of_state(plan, Layout.of(arrays), subject)
    taken = {spec.name: arrays[shape.state_name(spec.name, part)] for spec in shape.model.tensors}
    metadata: dict[str, object] = {"format": MODEL_FORMAT, "state": str(commitment)}
    return encode_tensors(taken, metadata | ({} if cluster is None else {"cluster": part}))


def take_model(
    source: Path, target: Path, commitment: Commitment, plan: Plan | None, cluster: int | None
) -> Taken:
    """Write one model of a state to a file; nothing stays of bytes that do not match.

    Args:
        source: The state's file.
        target: The model's file; replaced.
        commitment: Of the state.
        plan: The run's plan; without it the state is given out as it is.
        cluster: Number of the cluster, where there are clusters.

    Raises:
        DigestMismatchError: The bytes are not the committed ones.
        SettingsError: No such cluster, or the disk does not take it.
        ShapeMismatchError: The state is not of this plan.
        SealedError: The run seals its states.
    """
    if plan is not None:
        _require_open(plan, commitment, str(source.name))
    if plan is None or (_is_plain(plan) and cluster is None):
        copy_verified(source, target, commitment)
        return Taken(commitment, commitment)
    data = model_bytes(source.read_bytes(), commitment, plan, cluster, str(source.name))
    write_files({target: data}, force=True)
    return Taken(Commitment.of(data), commitment, cluster)


def _require_open(plan: Plan, commitment: Commitment, subject: str) -> None:
    if plan.privacy.sealed:
        raise SealedError(
            "the model is sealed",
            commitment=commitment,
            subject=subject,
            hint="`fednet sealed state RUN -o FILE` opens it where a key to it is",
        )


def _is_plain(plan: Plan) -> bool:
    """Tell whether a state of this plan is a model and nothing else."""
    return (
        plan.clusters.count == 1
        and plan.server.optimizer == "none"
        and plan.training.algorithm != "scaffold"
    )


def _part(plan: Plan, cluster: int | None) -> int:
    count = plan.clusters.count
    if count == 1 and cluster is None:
        return 0
    if count == 1 or cluster is None or not 0 <= cluster < count:
        raise SettingsError(
            "no such cluster" if cluster is not None else "this run has a model for each cluster",
            subject="--cluster" if cluster is None else f"cluster {cluster}",
            expected=f"0 to {count - 1}" if count > 1 else "no cluster: the run has one model",
            hint="`fednet ledger rounds RUN --json` tells which sites each cluster has",
        )
    return cluster

"""The card of a model that one institution trained on by itself, with its parent's commitment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from fednet.domain.identity import Commitment
from fednet.exports.texts import clean


@dataclass(frozen=True, slots=True)
class AdaptedModel:
    """What a card says of a model that was adapted."""

    run: int
    round: int
    cluster: int | None
    parent: Commitment
    """Of the state that the model came from."""
    plan: Commitment
    task: str
    model: Commitment
    """Of the adapted model's complete bytes."""
    examples: int
    epochs: int
    learning_rate: str
    trained: tuple[str, ...]
    """Tensors that were trained."""
    untouched: tuple[str, ...]
    judged_on: str
    """``held_out``, or ``private``: the data that it was trained on."""
    before: Mapping[str, float]
    after: Mapping[str, float]


def write_adapted_card(about: AdaptedModel) -> bytes:
    """Return the card, equal for equal arguments."""
    front: dict[str, object] = {
        "library_name": "safetensors",
        "license": "other",
        "license_name": "to-be-filled-in",
        "tags": ["federated-learning", "fednet", "fine-tuned"],
        "fednet": {
            "run": about.run,
            "round": about.round,
            "cluster": about.cluster,
            "parent_sha256": str(about.parent),
            "plan_sha256": str(about.plan),
            "model_sha256": str(about.model),
            "task": clean(about.task),
        },
    }
    # JSON is YAML, and leaves a stranger's text no way out of its quotes.
    lines = ["---", *(f"{key}: {json.dumps(value)}" for key, value in front.items()), "---", ""]
    which = "" if about.cluster is None else f", cluster {about.cluster}"
    lines += [
        f"# Adapted from run {about.run}, round {about.round}{which}",
        "",
        f"Trained on {about.examples} examples of one institution: {about.epochs} epochs, learning"
        f" rate {about.learning_rate}. Trained: {_names(about.trained)}."
        + (f" As in the parent: {_names(about.untouched)}." if about.untouched else ""),
        "",
        "## Evaluation",
        "",
        "On held-out data:"
        if about.judged_on == "held_out"
        else "On the very data that it was trained on, which flatters it:",
        "",
        "| metric | before | after |",
        "|---|--:|--:|",
        *(
            f"| {_word(name)} | {about.before[name]:.4f} | {about.after[name]:.4f} |"
            for name in sorted(about.before.keys() & about.after.keys())
        ),
        "",
        "## Origin",
        "",
        "SHA-256 of the complete bytes; check with `sha256sum`.",
        "",
        f"- parent, a state on the ledger: `{about.parent}`",
        f"- plan of its run: `{about.plan}`",
        f"- this model: `{about.model}`",
        "",
        "The parent can be traced and recomputed: `fednet ledger lineage` and `fednet audit`. What"
        " was done to it here cannot; this card is the word of whoever wrote it. The model"
        " has seen private data without any bound on what it remembers: whether it may"
        " leave the institution is for the institution to decide.",
        "",
    ]
    return "\n".join(lines).encode("utf-8")


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(_word(name) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _word(text: str) -> str:
    """Write a name so that Markdown and HTML read it as nothing but a name."""
    return f"`{clean(text).replace('`', '')}`"

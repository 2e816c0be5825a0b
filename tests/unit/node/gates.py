"""A site's gate with whatever policy a test wants, opened again as after a kill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from fednet.airlock import Check, Passage, Promises, Verdict, policy_of
from fednet.domain.identity import Commitment, DatasetId, RunId, SiteId
from fednet.node.gate import Asking, Gate
from fednet.node.passages import Subject
from fednet.node.places import AttemptKey
from tests.unit.audit.books import DEPLOYMENT
from tests.unit.node.views import attempt_key

SITE = SiteId(3)
RUN = RunId(1)
KEY = attempt_key()
PASSED = Passage((Check("norm", Verdict.PASSED, "norm of the update", "5", "3", 3.0, 5.0),))
REFUSED = Passage(
    (*PASSED.checks, Check("content.maximum_likeness", Verdict.REFUSED, "a copy", "0.9", "1"))
)
HUMAN: dict[str, Any] = {"gate": {"human": True, "answer_seconds": 50}}
ASKED, UNTIL = 1_000, 1_200


@contextmanager
def gate_in(folder: Path, policy: dict[str, Any] | None = None) -> Iterator[Gate]:
    """Open a gate; its process ends with the block."""
    gate = Gate(folder, DEPLOYMENT, SITE, policy_of(policy or {}, "policy"))
    try:
        yield gate
    finally:
        gate.close()


def asking(
    run: int = RUN,
    key: AttemptKey = KEY,
    *,
    dataset: int = 4,
    passage: Passage = PASSED,
    epsilon: str = "0",
    data: bytes = b"update",
    values: bytes = b"",
) -> Asking:
    known = Commitment.of(values) if values else None
    subject = Subject(RunId(run), key, DatasetId(dataset), Commitment.of(data), 10, known)
    return Asking(subject, "update-file", passage, Promises(epsilon=Decimal(epsilon)))


def ask(gate: Gate, now: int = ASKED, **what: Any) -> int:
    return gate.ask(asking(**what), now, UNTIL).number

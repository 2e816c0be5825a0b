"""What stands in for a member's parts under attack, and the plan its runs follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import TypeVar

import numpy as np
from eth_utils.crypto import keccak

from fednet.blobs import EmbeddedStore, KuboStore
from fednet.domain.canonical import decimal_text
from fednet.domain.identity import (
    Commitment,
    Digest,
    Locator,
    SiteId,
)
from fednet.domain.messages import LocalBus
from fednet.domain.plan import Plan
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Place
from fednet.errors import StoreUnavailableError
from fednet.node import NodeSettings, TrainingResult

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""How long an event may take on a busy machine before a test fails."""
SETTINGS = NodeSettings(
    poll_seconds=0.01, idle_poll_seconds=0.05, scan_seconds=0.05, longest_pause_seconds=0.5,
    fetch_threads=3, recompute_threads=1,
)  # fmt: skip
TASK = Commitment.of(b"a task whose training takes no time")
INITIAL = {"bias": np.zeros(2, np.float32), "weight": np.zeros((3, 2), np.float32)}


class Trainer:
    """Train without a model: the difference follows from site and round alone."""

    def __init__(self, examples: int) -> None:
        self.examples = examples

    def digest(self, plan: Plan) -> Commitment:
        return TASK

    def train(
        self,
        plan: Plan,
        base_state_path: Path,
        place: Place,
        site: SiteId,
        out_dir: Path,
        kept: Mapping[str, FloatArray],
        part: int | None,
        halt: Event,
    ) -> TrainingResult:
        metric = plan.evaluation.metric
        published = {metric: measured(site, place.round)} if metric else {}
        return TrainingResult(
            difference(site, place.round),
            self.examples,
            published_metrics=published,
            evaluated=self.examples if metric else 0,
        )


def measured(site: int, round_number: int) -> str:
    """Give what a site says of the model that a round starts from: it gets better, as one would."""
    random = np.random.default_rng([site, round_number, 1])
    accuracy = 0.93 - 0.4 * 0.5 ** (round_number - 1) + float(random.normal(0, 0.01))
    return decimal_text(round(accuracy, 3))


def difference(site: int, round_number: int) -> dict[str, FloatArray]:
    """Give what a site learns in a round."""
    random = np.random.default_rng([site, round_number])
    return {
        name: random.standard_normal(array.shape).astype(np.float32)
        for name, array in INITIAL.items()
    }


class Store(KuboStore):
    """A member's access to a real Kubo node, which notes what was fetched through it."""

    def __init__(self, kubo: EmbeddedStore, cache_dir: Path) -> None:
        super().__init__(kubo.node.endpoint, cache_dir)
        self.fetched: set[Commitment] = set()
        self.unreachable: dict[Commitment, Event] = {}
        """Blobs that nobody serves to this member until the event is set."""

    def fetch(
        self,
        commitment: Commitment,
        locators: Sequence[Locator],
        size_cap_bytes: int,
        timeout_seconds: float,
    ) -> Path:
        if commitment in self.unreachable:
            self.unreachable[commitment].wait(timeout_seconds)
        path = super().fetch(commitment, locators, size_cap_bytes, timeout_seconds)
        self.fetched.add(commitment)
        return path


class Post(LocalBus):
    """A member's messages, until somebody cuts the line."""

    is_cut = False

    def take(self, topic: str) -> Sequence[bytes]:
        if self.is_cut:
            raise StoreUnavailableError("the line is cut")
        return super().take(topic)


def until(probe: Callable[[], T | bool | None], explain: Callable[[], str]) -> T:
    """Ask again and again until the answer is not false."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if answer := probe():
            return answer  # type: ignore[return-value]
        time.sleep(0.01)
    raise AssertionError(f"waited in vain: {explain()}")


def make_plan(sites: int, model: bytes, changes: dict[str, object]) -> Plan:
    """Make a plan whose phases last long: tests move the clock where one must end."""
    sections: dict[str, dict[str, object]] = {
        "task": {"source": "attacked.py:Task", "digest": str(TASK)},
        "model": {"commitment": str(Commitment.of(model)), "size_bytes": len(model)},
        "cohort": {"minimum_sites": 2, "target_sites": sites, "maximum_sites": sites + 2},
        "timing": {
            "consent_seconds": 3_600, "collect_seconds": 600, "reveal_seconds": 300,
            "grace_seconds": 100, "propose_seconds": 600, "attest_seconds": 600,
            "max_proposals": 3, "max_attempts": 2,
        },
        "module": {},
        "update": {},
        "staleness": {},
        "evaluation": {},
        "credits": {"per_round": 1_000},
    }  # fmt: skip
    plan: dict[str, object] = {"name": "under attack", "rounds": 1, **sections}
    for name, value in changes.items():
        section, _, field = name.partition("_")
        if field and section in sections:
            sections[section][field] = value
        else:
            plan[name] = value
    return Plan.validated(plan, "plan")


def unguessed(text: str) -> Digest:
    """Make a digest that means nothing."""
    return Digest(keccak(text=text))

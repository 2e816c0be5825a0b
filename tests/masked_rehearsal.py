"""Masked runs of ten virtual sites on a real chain and a real store, with what they trained.

The clear updates are overheard where they are trained, which nobody outside of a
site can do; so a test can say what the sum of masked ones has to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fednet.airlock import Airlock
from fednet.cli import plans, rehearsing, variants
from fednet.cli.rehearsing import Stage
from fednet.domain.blobs import Wanted
from fednet.domain.events import RunOpened
from fednet.domain.history import RunHistory
from fednet.domain.identity import Commitment, Locator, RoundNumber, RunId, SiteId
from fednet.domain.masking_stages import MaskingHistory
from fednet.domain.plan import Plan
from fednet.domain.record import MAX_RECORD_SIZE_BYTES, RoundRecord
from fednet.domain.tensors import FloatArray, decode_tensors
from fednet.domain.update import Place
from fednet.node.ports import TrainingResult
from fednet.privacy.masking import (
    Circle,
    Dealers,
    FixedPoint,
    Frozen,
    Recovery,
    RingArray,
    agree_on,
    circle_of,
    dealers_of,
    frozen_of,
    included_in,
    read_dealings,
    recover,
    share_blobs,
)
from fednet.simulation import Member, Partition, Rehearsal, Scenario, Vanishing

SITES = 10
ALL = tuple(SiteId(number) for number in range(1, SITES + 1))
Heard = dict[tuple[RoundNumber, int, SiteId], TrainingResult]


class Overheard:
    """A site's trainer, of which a test keeps what it gave."""

    def __init__(self, trainer: Any, heard: Heard) -> None:
        self._trainer = trainer
        self._heard = heard

    def digest(self, plan: Plan) -> Commitment:
        digest: Commitment = self._trainer.digest(plan)
        return digest

    def train(self, plan: Plan, base: Path, place: Any, site: SiteId, *rest: Any) -> TrainingResult:
        result: TrainingResult = self._trainer.train(plan, base, place, site, *rest)
        self._heard[place.round, place.attempt, site] = result
        return result


@dataclass(frozen=True)
class Published:
    """Everything of one attempt's masks that anybody can read."""

    place: Place
    circle: Circle
    dealers: Dealers
    frozen: Frozen
    dealings: Mapping[SiteId, bytes]
    disclosures: Mapping[SiteId, bytes]

    def recover(self, disclosures: Mapping[SiteId, bytes] | None = None) -> Recovery:
        """Give back what the disclosed shares allow; or these ones instead."""
        told = self.disclosures if disclosures is None else disclosures
        return recover(self.frozen, read_dealings(self.dealers, self.dealings)[0], told)


@dataclass
class Played:
    """One run, and what is known of it outside of the ledger."""

    stage: Stage
    plan: Plan
    rehearsal: Rehearsal
    heard: Heard

    @property
    def run(self) -> RunId:
        return self.rehearsal.run

    @property
    def folder(self) -> Path:
        """Where all virtual sites keep what is their own."""
        return self.stage.app.home / "runs" / f"run-{self.run}"

    @cached_property
    def history(self) -> RunHistory:
        history = RunHistory(self.run)
        history.extend(self.stage.reader.run_events(self.run))
        return history

    @cached_property
    def masking(self) -> MaskingHistory:
        return MaskingHistory.fold(self.stage.reader.masking_events(self.run))

    def published(self, number: int, attempt: int) -> Published:
        """Read an attempt with a frozen set off the chain and out of the store."""
        reader, key = self.stage.reader, (RoundNumber(number), attempt)
        record, begun = self.masking.attempt(*key), self.history.rounds[key[0]].attempts[attempt]
        assert record.seed_block is not None
        assert record.frozen_inclusion is not None
        agreement = agree_on(self.plan, SITES)
        place = Place(reader.deployment.chain_id, self.opened.module, self.run, *key)
        (head,) = reader.blocks([record.seed_block])
        circle = circle_of(place, record, head.block_hash, agreement)
        dealers = dealers_of(circle, record)
        positions = {site: at for at, site in enumerate(ALL)}
        included = included_in(record.frozen_inclusion, begun.submissions, positions)
        assert included is not None
        dealt, disclosed = share_blobs(record, SITES)
        return Published(
            place,
            circle,
            dealers,
            frozen_of(dealers, agreement, included),
            {site: self._bytes(wanted) for site, wanted in dealt.items()},
            {site: self._bytes(wanted) for site, wanted in disclosed.items()},
        )

    def _bytes(self, wanted: Wanted) -> bytes:
        found = self.stage.store.fetch(
            wanted.commitment, [wanted.locator], wanted.size_cap_bytes, 10.0
        )
        return found.read_bytes()

    @cached_property
    def opened(self) -> RunOpened:
        reader = self.stage.reader
        events = reader.events((RunOpened,), reader.deployment.block)
        return next(each for each in events if isinstance(each, RunOpened) and each.run == self.run)

    def record(self, number: int) -> RoundRecord:
        """Fetch the record that a round became final with."""
        final = self.history.rounds[RoundNumber(number)].final_proposal
        assert final is not None
        said = final.proposed
        path = self.stage.store.fetch(
            said.record, [said.record_locator], MAX_RECORD_SIZE_BYTES, 10.0
        )
        return RoundRecord.from_bytes(path.read_bytes(), f"record of round {number}")

    def state(self, number: int) -> FloatArray:
        """Fetch the values of the state that a round led to; of round 0 the initial one."""
        if number:
            record = self.record(number)
            blob = Commitment(record.state), Locator(record.state_locator)
            path = self.stage.store.fetch(blob[0], [blob[1]], record.state_size_bytes, 10.0)
        else:
            path = self.stage.app.home / f"{self.plan.name}.safetensors"
        return flat(decode_tensors(path.read_bytes(), f"state {number}")[0])

    @cached_property
    def fixed_point(self) -> FixedPoint:
        return agree_on(self.plan, SITES).fixed_point

    def encoded(self, number: int, attempt: int, site: SiteId) -> tuple[RingArray, int]:
        """Encode what a site trained, without any mask; give its weight as well."""
        result = self.heard[RoundNumber(number), attempt, site]
        values = flat(result.arrays)
        out = np.empty(values.size, self.fixed_point.ring.dtype)
        weight = min(result.examples, self.plan.update.maximum_examples)
        self.fixed_point.encode_into(values, weight, out, f"site {site}")
        return out, weight

    def clear_state(self, number: int, attempt: int, sites: Iterable[SiteId]) -> bytes:
        """Return the state that follows from these sites' updates, added in the clear."""
        parts = [self.encoded(number, attempt, site) for site in sites]
        total = sum((part for part, _ in parts[1:]), parts[0][0].copy())
        mean = np.empty(total.size, np.float64)
        self.fixed_point.mean_into(total, sum(weight for _, weight in parts), mean)
        return (self.state(number - 1).astype(np.float64) + mean).astype(np.float32).tobytes()


def flat(arrays: Any) -> FloatArray:
    """Lay arrays one behind the other, by name, as the ring holds them."""
    return np.concatenate([arrays[name].reshape(-1) for name in sorted(arrays)])


@contextmanager
def ten_sites(folder: Path) -> Iterator[Stage]:
    """Start a chain and a store, and let ten sites join."""
    scenario = Scenario(SITES, Partition.parse("iid"), None, 0)
    with rehearsing.staged(scenario, "digits", folder, lambda step: None) as stage:
        yield stage


def play(
    stage: Stage,
    vanishing: Vanishing | None = None,
    rounds: int = 1,
    sections: Sequence[tuple[str, str, Any]] = (),
    corrupt: Callable[[Member], None] = lambda member: None,
) -> Played:
    """Play one masked run to its end; some of its sites may be corrupted once they consent."""
    scenario = replace(stage.scenario, vanishing=vanishing)
    changes: dict[str, dict[str, Any]] = {}
    for section, name, value in sections:
        changes.setdefault(section, {})[name] = value
    raw = variants.lay_out("masked", scenario, rounds, changes, None)
    heard: Heard = {}

    def overhear(member: Member, trainer: Any) -> tuple[Any, Airlock]:
        corrupt(member)
        return Overheard(trainer, heard), Airlock()

    rehearsal = rehearsing.play(
        replace(stage, scenario=scenario), raw, overhear, lambda number, metrics: None
    )
    plan = plans.read(stage.app.home / "masked.toml").plan
    return Played(stage, plan, rehearsal, heard)

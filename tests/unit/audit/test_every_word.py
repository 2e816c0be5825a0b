"""Every word that a plan may hold is played: the audit verifies the run, and finds a tampered one.

The words come from the plan's own schema and from the registries behind it, so that a
new one without a run fails here. Training, updates, records and audit are real.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest

from fednet.aggregation import RULES
from fednet.audit import AuditReport, RoundVerdict
from fednet.codec import CODECS
from fednet.credits import CREDIT_RULES
from fednet.domain import disclosure_events as de
from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.domain.plan import Plan
from fednet.domain.record import RoundRecord
from fednet.domain.sections import ModelSection, Section, TaskSection
from fednet.domain.tensors import FloatArray
from tests.unit.audit.books import RUN
from tests.unit.audit.encrypted_school import PLANNED, Encrypted
from tests.unit.audit.hidden_world import Following, Hidden
from tests.unit.audit.masking import Masking
from tests.unit.audit.modules import Batching, Sampling
from tests.unit.audit.schooling import SITES, School
from tests.unit.audit.sealed_world import Sealing

HONEST_ROUNDS = 2
ROUNDS = HONEST_ROUNDS + 1
PROPOSER = SiteId(2)
GROUNDS = Digest(b"\1" * 32)
TRAINING = {"local_epochs": 1, "batch_size": 16, "learning_rate": "0.1"}
Sections = Mapping[str, Mapping[str, Any]]


class Dwindling(School):
    """From round 2 on only three sites train."""

    def contributors(self) -> Sequence[SiteId]:
        return self.sites if self.place.round == 1 else self.sites[:3]


class Straggling(School):
    """A round closes with five updates, the last of them late where it can be."""

    def contributors(self) -> Sequence[SiteId]:
        return self.sites[1:]

    def contribute(self, site: SiteId) -> None:
        late = site == self.sites[-1] and self.place.round > 1
        self.train(site, late=int(late))


class Private(School):
    """Every site records what it spends of its dataset before it hands in."""

    def contribute(self, site: SiteId) -> None:
        spent = {"epsilon_micro": self.place.round, "delta_pico": 1}
        if self.place.round == 1:
            most = {"epsilon_micro": 10**9, "delta_pico": 10**9}
            self.emit(de.CeilingSet, dataset=site, site=site, grounds=GROUNDS, **most)
        self.emit(de.BudgetSpent, run=RUN, round=self.place.round, site=site, dataset=site, **spent)
        super().contribute(site)


class Sampled(Sampling, School):
    """A drawn sample trains."""


class Batched(Batching, School):
    """All is handed in at once."""


class Sealed(Sealing, School):
    """Updates and states are sealed, and the audit has the keys."""

    def audit(self, *arguments: Any, **named: Any) -> AuditReport:
        return super().audit(*arguments, keys=self.keyring(), **named)


class SealedBatch(Sealed, Batched):
    """They are, and handed in at once."""


class Masked(Masking, School):
    """All is masked."""


def server(optimizer: str, learning_rate: str, **more: str) -> Sections:
    return {"server": {"optimizer": optimizer, "learning_rate": learning_rate, **more}}


def rule(name: str, **more: object) -> Sections:
    cohort = {"target_sites": SITES, "minimum_updates": 2 if "fallback" in more else 5}
    return {"aggregation": {"rule": name, **more}, "cohort": cohort}


def codec(name: str, **more: str) -> Sections:
    return {"update": {"codec": name, **more}}


RUNS: dict[str, tuple[Sections, type[School]]] = {
    "fedavg": ({}, School),
    "fedprox": ({"training": {"algorithm": "fedprox", "proximal_mu": "0.1"}}, School),
    "scaffold": ({"training": {"algorithm": "scaffold"}}, School),
    "local momentum": ({"training": {"momentum": "0.5", "seed": 5, "local_epochs": 2}}, School),
    "fedavgm": (server("fedavgm", "0.5", momentum="0.8"), School),
    "fedadam": (server("fedadam", "0.02", second_momentum="0.98", adaptivity="0.01"), School),
    "fedyogi": (server("fedyogi", "0.02"), School),
    "fedadagrad": (server("fedadagrad", "0.05"), School),
    "scaffold and momentum": (
        {"training": {"algorithm": "scaffold"}, **server("fedavgm", "1")},
        School,
    ),
    "fednova": (rule("fednova"), School),
    "median": (rule("median", hostile=2), School),
    "trimmed-mean": (rule("trimmed-mean", hostile=1), School),
    "krum": (rule("krum", hostile=1, fallback="median"), Dwindling),
    "multi-krum": (rule("multi-krum", keep=3), School),
    "bulyan": (rule("bulyan"), School),
    "geometric-median": (rule("geometric-median", hostile=2, iterations=4), School),
    "norm-bounding": (rule("norm-bounding", norm="0.5"), School),
    "centred-clipping": (rule("centred-clipping", norm="0.5", hostile=2), School),
    "bfloat16": (codec("bfloat16"), School),
    "int8": (codec("int8"), School),
    "int4": (codec("int4"), School),
    "topk": (codec("topk", keep_ratio="0.1"), School),
    "topk-int8": (codec("topk-int8", keep_ratio="0.1"), School),
    "topk-int4": (codec("topk-int4", keep_ratio="0.1"), School),
    "frozen layers, with moments": (
        {"update": {"travelling": ["2.*"]}, **server("fedadam", "0.02")},
        School,
    ),
    "local heads": ({"update": {"personal": ["2.*"]}}, School),
    "ditto": ({"personal": {"method": "ditto", "pull": "0.1", "epochs": 2}}, School),
    "ifca": ({"clusters": {"method": "ifca", "count": 2}}, School),
    "similarity": ({"clusters": {"method": "similarity", "count": 2, "form_round": 2}}, School),
    "ifca, where a cluster may be small": (
        {
            "clusters": {"method": "ifca", "count": 3},
            **rule("trimmed-mean", hostile=1, fallback="median"),
        },
        School,
    ),
    "differential privacy": (
        {
            "privacy": {
                "mechanism": "dp-sgd", "clip_norm": "1", "noise_multiplier": "1",
                "epsilon": "1000", "delta": "0.001",
            },
            "training": {"batch_size": 4},
            "update": {"minimum_examples": 4},
        },
        Private,
    ),
    "sealed": ({"privacy": {"sealed": True}}, Sealed),
    "sealed, handed in at once": (
        {"privacy": {"sealed": True}, "module": {"name": "batched", "batch_seconds": 60}},
        SealedBatch,
    ),
    "metric to raise": (
        {"evaluation": {"metric": "accuracy", "target": 1, "lowest": 0, "highest": 1}},
        School,
    ),
    "metric to lower": (
        {
            "evaluation": {
                "metric": "accuracy", "goal": "minimise", "patience": 9, "lowest": 0, "highest": 1,
            }
        },
        School,
    ),
    "late updates": (
        {
            "staleness": {"rounds": 1, "weights": ["0.5"]},
            "cohort": {"target_sites": SITES, "target_updates": SITES - 1},
        },
        Straggling,
    ),
    "a wait for stragglers": (
        {
            "timing": {"straggler_percent": 50},
            "cohort": {"target_sites": SITES, "target_updates": SITES - 1},
        },
        School,
    ),
    "sampled": (
        {"module": {"name": "sampled", "sampled_sites": 3}},
        Sampled,
    ),
    "masked": (
        {
            "module": {"name": "masked"},
            "masking": {"clip": 1, "vanishing": "0.2"},
            "update": {"maximum_examples": 1_000},
        },
        Masked,
    ),
    "masked, in the larger ring": (
        {
            "module": {"name": "masked"},
            "masking": {
                "clip": 10, "clips": False, "ring_bits": 64, "colluding": "0.2", "targeted": False,
                "key_seconds": 100, "share_seconds": 101, "holding_seconds": 102,
                "freeze_seconds": 103,
            },
            "update": {"maximum_examples": 1_000},
            **server("fedadam", "0.02"),
        },
        Masked,
    ),
    "masked, with noise for whole sites": (
        {
            "module": {"name": "masked"},
            "masking": {"clip": 1, "vanishing": "0.2"},
            "update": {"maximum_examples": 1_000},
            "privacy": {
                "mechanism": "distributed-gaussian", "clip_norm": "1", "noise_multiplier": "2",
                "epsilon": "1000", "delta": "0.0001",
            },
        },
        Hidden,
    ),
    "masked, with noise, and a norm that follows": (
        {
            "module": {"name": "masked"},
            "masking": {"clip": 1, "vanishing": "0.2"},
            "update": {"maximum_examples": 1_000},
            "privacy": {
                "mechanism": "distributed-gaussian", "clip_norm": "0.1", "noise_multiplier": "0.2",
                "epsilon": "1000", "delta": "0.0001", "quantile": "0.5", "norm_rate": "0.5",
            },
        },
        Following,
    ),
    "encrypted": (PLANNED, Encrypted),
    "batched": ({"module": {"name": "batched", "batch_seconds": 60}}, Batched),
    "batched, with a committee": (
        {"module": {"name": "batched", "committee_sites": 3}},
        Batched,
    ),
    "every bound": (
        {
            "cohort": {
                "minimum_sites": 3, "target_sites": SITES, "maximum_sites": SITES + 1,
                "minimum_updates": 3, "quorum_basis_points": 6_000,
            },
            "timing": {
                "consent_seconds": 90_000, "collect_seconds": 900, "reveal_seconds": 0,
                "grace_seconds": 9, "propose_seconds": 90, "attest_seconds": 99,
                "max_proposals": 2, "max_attempts": 2,
            },
            "update": {"minimum_examples": 2, "maximum_examples": 1_000, "maximum_norm": 99},
            "credits": {"per_round": 999, "transferable": True},
        },
        School,
    ),
}  # fmt: skip
"""By name: the plan's sections, and how the run goes."""


def sections_of(name: str) -> Sections:
    sections, _ = RUNS[name]
    return {**sections, "training": TRAINING | sections.get("training", {})}


def tampered(school: School) -> Callable[[RoundRecord], RoundRecord]:
    """Flip one bit of the state that a round leads to, and propose that."""

    def flip(record: RoundRecord) -> RoundRecord:
        data = bytearray((school.folder / f"{record.state}.safetensors").read_bytes())
        data[-1] ^= 1
        path = school.folder / "tampered"
        path.write_bytes(data)
        located = school.store.publish(path)
        state = Commitment.of(bytes(data))
        return record.model_copy(update={"state": str(state), "state_locator": str(located)})

    return flip


@pytest.mark.parametrize("name", RUNS)
def test_the_audit_verifies_a_run_and_finds_a_tampered_aggregate_in_it(
    tmp_path: Path, name: str
) -> None:
    school = RUNS[name][1](tmp_path, ROUNDS, sections_of(name))
    before = school.global_state()
    school.play(HONEST_ROUNDS)
    report = school.audit()
    assert report.findings == ()
    assert report.verified
    require_progress(school, before)

    school.collect()
    school.propose(by=PROPOSER, lie=tampered(school))
    school.attest(*school.sites)
    school.finalize()
    report = school.audit()
    assert [result.verdict for result in report.rounds] == [
        *[RoundVerdict.VERIFIED] * HONEST_ROUNDS, RoundVerdict.WRONG,
    ]  # fmt: skip
    found = {(each.code, each.accused) for each in report.findings}
    assert ("aggregate-differs", PROPOSER) in found
    assert {code for code, _ in found} == {
        "aggregate-differs", "record-differs", "attestation-false",
    }  # fmt: skip


def require_progress(school: School, before: Mapping[str, FloatArray]) -> None:
    """Require that every tensor was learnt that the plan does not freeze."""
    after = school.global_state()
    changed = {name for name in after if not np.array_equal(before[name], after[name])}
    frozen = {"0.bias", "0.weight"} if school.plan.update.travelling else set()
    if school.plan.clusters.count == 1:
        assert changed == after.keys() - frozen
    assert changed


@dataclass(frozen=True, slots=True, order=True)
class Word:
    """A field of a plan, and what it may hold that is a mode of its own."""

    section: str
    field: str
    value: object


def words() -> Iterator[Word]:
    """List every value that a plan's schema or a registry behind it knows by name."""
    for section, kind in sections().items():
        for name, field in kind.model_fields.items():
            if get_origin(field.annotation) is Literal:
                for value in get_args(field.annotation):
                    yield Word(section, name, value)
    yield from (Word("aggregation", "rule", name) for name in RULES)
    yield from (Word("update", "codec", name) for name in CODECS)
    yield from (Word("credits", "rule", name) for name in CREDIT_RULES)


def sections() -> dict[str, type[Section]]:
    """List the sections of a plan, but for what is learnt."""
    kinds = {name: field.annotation for name, field in Plan.model_fields.items()}
    return {
        name: kind
        for name, kind in kinds.items()
        if isinstance(kind, type) and issubclass(kind, Section)
        if kind not in (TaskSection, ModelSection)
    }


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    """Make the plan of every run."""
    made = []
    for name in RUNS:
        raw: dict[str, Any] = {
            "name": "every word", "rounds": ROUNDS,
            "task": {"source": "digits", "digest": "0" * 64},
            "model": {"commitment": "0" * 64, "size_bytes": 1},
        }  # fmt: skip
        made.append(Plan.validated(raw | dict(sections_of(name)), "plan"))
    return made


def test_every_word_of_a_plan_has_a_run(plans: list[Plan]) -> None:
    missing = [
        word
        for word in words()
        if not any(getattr(getattr(plan, word.section), word.field) == word.value for plan in plans)
    ]
    assert missing == []


def test_every_field_of_a_plan_has_a_run_in_which_it_is_not_as_usual(plans: list[Plan]) -> None:
    missing = [
        f"{section}.{name}"
        for section, kind in sections().items()
        for name, field in kind.model_fields.items()
        if get_args(field.annotation) != ("examples",)
        if all(
            getattr(getattr(plan, section), name) == field.get_default(call_default_factory=True)
            for plan in plans
        )
    ]
    assert missing == []

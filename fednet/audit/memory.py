"""Rounds that this machine verified before, so that a grown run is audited by what is new.

A round is bound to everything its verdict followed from: deployment, run, plan,
what the contract stores, every event of the round, the hash of the log up to
its end, and the version of this software. If any of it changes, the round is
looked at again. Only rounds in which nothing worse than a notice was found are
kept, so that this can never turn a finding into its absence. The files are
trusted by the machine that wrote them and by nobody else; whether blobs are
still served is not asked again. The ledger's part of an audit is never recalled.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import fednet
from fednet.audit.checks import CHECKS
from fednet.audit.findings import Finding, Severity
from fednet.audit.likeness import MOST_SAMPLE_ELEMENTS, Sample
from fednet.audit.own_work import Work
from fednet.audit.report import Recalled, RoundResult, RoundVerdict, SiteResult
from fednet.audit.snapshot import Snapshot
from fednet.domain import canonical
from fednet.domain.history import RoundHistory
from fednet.domain.identity import Commitment, Digest, RoundNumber, SiteId
from fednet.domain.running_hash import running_hash_of

_FORMAT = "fednet-kept-round/1"
_MAX_SIZE_BYTES = 1 << 26


@dataclass(frozen=True, slots=True)
class KeptRound:
    """What a later audit needs of a round that was verified."""

    recalled: Recalled
    seed: Digest
    """Seed of the samples."""
    result: RoundResult
    earned: Mapping[SiteId, int]
    notices: Sequence[Finding]
    samples: Sequence[tuple[SiteId, int, Commitment, Sample]]
    """Site, attempt, base and sample of each update that was looked at."""

    def works(self, entry: RoundHistory) -> list[Work]:
        """Return what was looked at, beside what the ledger says of it."""
        found = []
        for site, attempt, base, sample in self.samples:
            history = entry.attempts.get(attempt)
            if history is not None and site in history.submissions:
                counted = history is entry.final_attempt
                found.append(Work(history.submissions[site], base, sample, counted))
        return found


@dataclass(slots=True)
class AuditMemory:
    """Keep verified rounds in a folder; a damaged or foreign file is as good as none.

    Args:
        folder: Where; made when first needed.
        afresh: Recall nothing, and keep what is found now.
    """

    folder: Path
    afresh: bool = False
    _seed: Digest | None = field(default=None)

    def recall(self, binding: Digest) -> KeptRound | None:
        """Return a round that was verified as it is now; None if there is none."""
        if self.afresh:
            return None
        path = self._path(binding)
        try:
            if path.stat().st_size > _MAX_SIZE_BYTES:
                return None
            kept = _decode(json.loads(path.read_bytes()), binding)
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        if self._seed not in (None, kept.seed):
            return None
        self._seed = kept.seed
        return kept

    def keep(self, binding: Digest, kept: KeptRound) -> None:
        """Keep a verified round; a disk that refuses costs time, not truth."""
        data = json.dumps(_encode(kept, binding), separators=(",", ":")).encode()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder, prefix=".kept-")
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(self._path(binding))
        except OSError:
            return

    def _path(self, binding: Digest) -> Path:
        return self.folder / f"{binding}.json"


def bind(snapshot: Snapshot, number: RoundNumber, entry: RoundHistory) -> Digest:
    """Hash everything that the verdict on a final round follows from."""
    assert entry.finalized is not None
    deployment, end = snapshot.deployment, entry.finalized.log
    of_round = [event.log for event in snapshot.run_events if getattr(event, "round", 0) == number]
    of_masks = [
        event.log
        for event in snapshot.masked()
        if (event.run, event.round) == (snapshot.run_id, number)
    ]
    before = [event.log for event in snapshot.run_events if event.log <= end]
    bound = [
        _FORMAT,
        fednet.__version__,
        len(CHECKS),
        deployment.chain_id,
        str(deployment.genesis_hash),
        deployment.runs,
        deployment.credits,
        [[name, str(code)] for name, code in deployment.code_hashes],
        snapshot.run_id,
        snapshot.run.module,
        str(snapshot.run.plan),
        str(snapshot.run.initial_model),
        number,
        str(snapshot.settlements.get(number, b"")),
        str(running_hash_of(before)),
        str(running_hash_of(of_round)),
        str(running_hash_of(of_masks)),
    ]
    return Digest(Commitment.of(canonical.encode(bound)))


def now() -> int:
    """Read this machine's clock, in seconds since 1970."""
    return int(time.time())


def _encode(kept: KeptRound, binding: Digest) -> dict[str, object]:
    return {
        "format": _FORMAT,
        "binding": str(binding),
        "recalled": kept.recalled.to_json(),
        "seed": str(kept.seed),
        "result": kept.result.to_json(),
        "earned": [[site, amount] for site, amount in sorted(kept.earned.items())],
        "notices": [notice.to_json() for notice in kept.notices],
        "samples": [
            [site, attempt, str(base), sample.astype("<f4").tobytes().hex()]
            for site, attempt, base, sample in kept.samples
        ],
    }


def _decode(raw: dict[str, object], binding: Digest) -> KeptRound:
    if raw["format"] != _FORMAT or raw["binding"] != str(binding):
        raise ValueError("not the round that is asked for")
    said, found = _object(raw["recalled"]), _object(raw["result"])
    result = RoundResult(
        round=RoundNumber(_integer(found["round"])),
        verdict=RoundVerdict(str(found["verdict"])),
        attempt=_integer(found["attempt"]),
        record=Commitment(str(found["record"])),
        state=Commitment(str(found["state"])),
        attestations=_integer(found["attestations"]),
        sites=tuple(
            SiteResult(
                SiteId(_integer(site["site"])),
                _integer(site["weight"]),
                str(site["verdict"]),
                str(site["reason"]),
                _integer(site["earned"]),
                _integer(site["staleness"]),
            )
            for site in map(_object, _list(found["sites"]))
        ),
        outcome={name: _told(told) for name, told in _object(found["outcome"]).items()},
    )
    if result.verdict is not RoundVerdict.VERIFIED:
        raise ValueError("only verified rounds are kept")
    return KeptRound(
        recalled=Recalled(result.round, _integer(said["time"]), _integer(said["block"])),
        seed=Digest(str(raw["seed"])),
        result=result,
        earned={
            SiteId(_integer(site)): _integer(amount)
            for site, amount in map(_list, _list(raw["earned"]))
        },
        notices=[_notice(_object(each)) for each in _list(raw["notices"])],
        samples=[_sample(_list(each)) for each in _list(raw["samples"])],
    )


def _notice(raw: dict[str, object]) -> Finding:
    if raw["severity"] != Severity.NOTICE.value:
        raise ValueError("only notices are kept")
    texts = ("code", "subject", "message", "duty", "expected", "actual", "evidence")
    said = {name: str(raw[name]) for name in texts}
    accused, number = raw["accused"], raw["round"]
    return Finding(
        severity=Severity.NOTICE,
        check=_integer(raw["check"]),
        round=None if number is None else RoundNumber(_integer(number)),
        accused=None if accused is None else SiteId(_integer(accused)),
        **said,
    )


def _sample(raw: list[object]) -> tuple[SiteId, int, Commitment, Sample]:
    site, attempt, base, data = raw
    sample = np.frombuffer(bytes.fromhex(str(data)), "<f4").astype(np.float32)
    if len(sample) > MOST_SAMPLE_ELEMENTS:
        raise ValueError("the sample is too long")
    return SiteId(_integer(site)), _integer(attempt), Commitment(str(base)), sample


def _told(value: object) -> str | int | list[int]:
    """Read what an outcome says under one word."""
    if isinstance(value, list):
        return [_integer(site) for site in value]
    return value if isinstance(value, str) else _integer(value)


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("not an integer")
    return value


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value

"""Homomorphic encryption: updates encrypted, added without the key, decrypted; no network.

Sites and aggregators act in one process, one after the other, without store and
chain. Then a round is played on a ledger in memory, with everything that is sealed,
opened, recorded and attested, and audited by somebody with every key.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

from benchmarks._figures import is_full, show
from fednet.domain.identity import Commitment, Digest, SiteId
from fednet.domain.tensors import FloatArray
from fednet.domain.update import Manifest
from fednet.privacy.homomorphic import (
    CKKS,
    CkksKey,
    WordArray,
    add,
    decrypt_mean,
    encrypt_update,
    fit_numbers,
    require_all_words,
    write_encrypted_header,
)
from fednet.privacy.masking.fixed_point import DoubleArray, FixedPoint
from tests.encrypting import ckks_key
from tests.masking_fixtures import PLACE, WEIGHT_CAP, Array, weight_of
from tests.unit.audit.encrypted_world import EncryptedWorld

MINUTES = 0.1, 0.2
SITES = 4
COUNTS = (10_000, 1_000_000)
MASKED_BYTES = 4

_Result = TypeVar("_Result")


def main() -> int:
    """Print seconds and bytes for both sizes of a model."""
    repeats = 9 if is_full(__doc__) else 5
    holds = [report(count, repeats) for count in COUNTS]
    return 0 if all([*holds, report_audit(repeats)]) else 1


def report_audit(repeats: int) -> bool:
    """Print what a whole round and its audit take; tell whether the audit verifies it."""
    what, rows = f"{SITES} sites of {COUNTS[0]:,} parameters", []
    for _ in range(repeats):
        with TemporaryDirectory() as folder:
            world = WideWorld(Path(folder))
            seconds, _ = timed(world.play)
            audit = partial(world.audit, keys=world.keyring(), shared_key=ckks_key())
            audited, found = timed(audit)
            sealed = next(iter(world.blobs.values())).stat().st_size
            rows.append((seconds, audited, sealed, found.verified))
    played, audited, sealed, verified = map(statistics.median, zip(*rows, strict=True))
    show("homomorphic", f"{what}: a whole round, on a ledger in memory", round(played, 3), "s")
    show("homomorphic", f"{what}: its audit, which adds and decrypts again", round(audited, 3), "s")
    show("homomorphic", f"{what}: a sealed update for a parameter",
         round(sealed / COUNTS[0], 2), "bytes")  # fmt: skip
    return show("homomorphic", f"{what}: verified by the audit", int(verified), at_least=1)


class WideWorld(EncryptedWorld):
    """Play a round of a model of so many parameters."""

    def initial(self) -> dict[str, FloatArray]:
        """Return zeros."""
        return {"weight": np.zeros(COUNTS[0], np.float32)}

    def contribute(self, site: SiteId) -> None:
        """Submit values of 0.1."""
        drawn = np.random.default_rng(site).standard_normal(COUNTS[0]).astype(np.float32)
        self.submit(site, arrays={"weight": drawn * np.float32(0.1)})


def report(count: int, repeats: int) -> bool:
    """Print what a model of so many parameters takes; tell whether the limit is kept."""
    what = f"{SITES} sites of {count:,} parameters"
    plays = [play(count) for _ in range(repeats)]
    for name in ("a site encrypts", "an aggregator or auditor adds", "a site decrypts"):
        seconds = statistics.median(row[name] for row in plays)
        show("homomorphic", f"{what}: {name}", round(seconds, 4), "s")
    show("homomorphic", f"{what}: largest error of the mean, values of 0.1", plays[0]["error"])
    return show(
        "homomorphic", f"{what}: upload of a site for a parameter; masked, {MASKED_BYTES}",
        round(plays[0]["bytes"] / count, 2), "bytes", at_most=36,
    )  # fmt: skip


def play(count: int) -> dict[str, float]:
    """Play one round; every figure is of one site, or of one who adds."""
    key, sites = CkksKey.generate(), [SiteId(number) for number in range(1, SITES + 1)]
    numbers = fit_numbers(Decimal(1), WEIGHT_CAP, SITES, clips=True)
    values = np.random.default_rng(count).standard_normal((SITES, count)).astype(np.float32)
    values *= np.float32(0.1)
    figures: dict[str, float] = {}
    sources = []
    for site, update in zip(sites, values, strict=True):
        figures["a site encrypts"], words = timed(partial(encrypt, key, numbers, site, update))
        sources.append(Array(words))

    def add_up() -> list[WordArray]:
        total: list[WordArray] = []
        for source in sources:
            require_all_words(source, CKKS, "update")
        add(CKKS, sources, lambda words: total.append(words.copy()))
        return total

    figures["an aggregator or auditor adds"], total = timed(add_up)
    mean, weights = np.empty(count), [weight_of(site) for site in sites]

    def emit(start: int, part: DoubleArray) -> None:
        mean[start : start + part.size] = part

    added = Array(np.concatenate(total))
    figures["a site decrypts"], _ = timed(
        lambda: decrypt_mean(key, numbers, weights, added, count, emit)
    )
    manifest = Manifest(PLACE, sites[0], Commitment(bytes(32)), weights[0], Digest(bytes(32)))
    head = write_encrypted_header(CKKS, key.identity, manifest, count)
    expected = np.average(values, axis=0, weights=weights)
    figures["error"] = float(np.abs(mean - expected).max())
    figures["bytes"] = len(head) + 8 * sources[0].element_count
    return figures


def encrypt(key: CkksKey, numbers: FixedPoint, site: SiteId, update: FloatArray) -> WordArray:
    """Return the words of a site's encrypted update."""
    blocks: list[WordArray] = []
    subject = f"update of site {site}"
    encrypt_update(key, numbers, weight_of(site), Array(update), blocks.append, subject)
    return np.concatenate(blocks)


def timed(act: Callable[[], _Result]) -> tuple[float, _Result]:
    """Do something, and say how long it took in seconds."""
    began = time.perf_counter()
    result = act()
    return time.perf_counter() - began, result


if __name__ == "__main__":
    sys.exit(main())

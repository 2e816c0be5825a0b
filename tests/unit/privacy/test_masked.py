"""A masked update's bytes: four a parameter, bound to author, place, base, weight and company."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from safetensors.numpy import load

from fednet.domain.identity import Commitment, Digest, RunId, SiteId
from fednet.domain.tensors import Layout, TensorSpec, encode_header
from fednet.domain.update import Manifest
from fednet.errors import MalformedBlobError, VerificationError
from fednet.privacy.masking import Dealers, Ring, read_masked_header, write_masked_header
from fednet.privacy.masking.masked import masks_of
from tests.masking_fixtures import PLACE, TEN, Attempt, fixed_point_of, weight_of

COUNT = 10_000
ONE = SiteId(1)
BASE = Commitment(bytes([7]) * 32)
MANIFEST = Manifest(PLACE, ONE, BASE, weight_of(1), Digest(bytes([9]) * 32))


@pytest.fixture(scope="module")
def attempt() -> Attempt:
    begun = Attempt.begin(TEN)
    begun.deal(TEN)
    begun.hold(TEN)
    return begun


@pytest.fixture(scope="module")
def dealers(attempt: Attempt) -> Dealers:
    return attempt.close()


def read(
    head: bytes,
    dealers: Dealers,
    *,
    total: int | None = None,
    site: SiteId = ONE,
    base: Commitment = BASE,
    weight: int = weight_of(1),
    ring: Ring = Ring.BITS_32,
    count: int = COUNT,
) -> tuple[Manifest, int]:
    size = len(head) + COUNT * 4 if total is None else total
    return read_masked_header(head, size, dealers, site, base, weight, ring, count)


@pytest.mark.parametrize("ring", list(Ring))
def test_any_reader_of_tensors_reads_it(attempt: Attempt, dealers: Dealers, ring: Ring) -> None:
    attempt.mask(dealers, [ONE], COUNT, fixed_point_of(ring))
    head = write_masked_header(dealers, MANIFEST, ring, COUNT)
    data = head + attempt.masked[ONE].tobytes()
    assert read(head, dealers, total=len(data), ring=ring) == (MANIFEST, len(head))
    loaded = load(data)["masked"]
    assert loaded.dtype == ring.dtype
    assert np.array_equal(loaded, attempt.masked[ONE])


def test_upload_is_four_bytes_a_parameter_and_a_header(dealers: Dealers) -> None:
    head = write_masked_header(dealers, MANIFEST, Ring.BITS_32, COUNT)
    assert len(head) < 1_024
    assert (len(head) + COUNT * 4) / COUNT < 4.1


def test_masks_of_one_update_are_made_again_byte_by_byte(
    attempt: Attempt, dealers: Dealers
) -> None:
    attempt.mask(dealers, [ONE], COUNT, fixed_point_of())
    once = attempt.masked[ONE].copy()
    attempt.mask(dealers, [ONE], COUNT, fixed_point_of())
    assert np.array_equal(attempt.masked[ONE], once)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"place": dataclasses.replace(PLACE, run=RunId(2))}, "place"),
        ({"site": SiteId(2)}, "site"),
        ({"base": Commitment(bytes(32))}, "base"),
        ({"examples": 1}, "weight"),
    ],
)
def test_update_of_another_author_place_base_or_weight_is_refused(
    dealers: Dealers, change: dict[str, object], name: str
) -> None:
    other = dataclasses.replace(MANIFEST, **change)  # type: ignore[arg-type]
    head = write_masked_header(dealers, other, Ring.BITS_32, COUNT)
    with pytest.raises(VerificationError, match=f"another {name}"):
        read(head, dealers)


def test_update_masked_in_other_company_is_refused(attempt: Attempt, dealers: Dealers) -> None:
    fewer = dict(attempt.holdings) | {SiteId(site): frozenset() for site in (2, 3, 4)}
    again = Attempt(attempt.circle, attempt.secrets, dict(attempt.dealings), holdings=fewer)
    del again.dealings[SiteId(9)]
    head = write_masked_header(again.close(), MANIFEST, Ring.BITS_32, COUNT)
    with pytest.raises(VerificationError, match="another view"):
        read(head, dealers)
    # Nor is any mask of the one company used in the other, not even that of a pair in both.
    here, there = (masks_of(each, attempt.secrets[ONE]) for each in (dealers, again.close()))
    assert not {term.key for term in here} & {term.key for term in there}


def test_update_of_another_size_or_ring_is_refused(dealers: Dealers) -> None:
    head = write_masked_header(dealers, MANIFEST, Ring.BITS_32, COUNT)
    with pytest.raises(MalformedBlobError, match="size"):
        read(head, dealers, total=len(head) + COUNT * 4 - 1)
    with pytest.raises(MalformedBlobError, match="model"):
        read(head, dealers, count=COUNT - 1)
    with pytest.raises(MalformedBlobError, match="dtype"):
        read(head, dealers, ring=Ring.BITS_64)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"format": "fednet-update/1", "manifest": MANIFEST.to_metadata(), "view": ""},
        {"format": "fednet-masked-update/1", "manifest": [], "view": ""},
        {"format": "fednet-masked-update/1", "manifest": {}, "view": ""},
        {"format": "fednet-masked-update/1", "manifest": MANIFEST.to_metadata(), "view": 1},
        MANIFEST.to_metadata(),
    ],
)
def test_metadata_of_something_else_is_refused(
    dealers: Dealers, metadata: dict[str, object]
) -> None:
    layout = Layout((TensorSpec("masked", (COUNT,), "U32"),))
    with pytest.raises(VerificationError):
        read(encode_header(layout, metadata), dealers)

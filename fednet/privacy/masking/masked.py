"""Stage 3: an update in its masks, in the byte form of every tensor file.

A site adds to its encoded update its share of the noise, if the plan has any, its
self-mask and, with each neighbour that dealt, the mask of the pair, which the site
of the lower number adds and the other takes away. The file holds one tensor of ring
elements and the manifest of a plain update, so that author, place, base and weight
stand in its bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from fednet.domain.identity import Commitment, SiteId
from fednet.domain.tensors import (
    FloatArray,
    Layout,
    TensorHeader,
    TensorSpec,
    encode_header,
    parse_header,
)
from fednet.domain.update import Manifest
from fednet.errors import MalformedBlobError, VerificationError
from fednet.privacy.masking.dealers import Dealers
from fednet.privacy.masking.derivation import Purpose, derive
from fednet.privacy.masking.fixed_point import FixedPoint
from fednet.privacy.masking.hiding import Hider
from fednet.privacy.masking.keys import SiteSecrets, agree, load
from fednet.privacy.masking.ring import Ring, RingArray
from fednet.privacy.masking.streams import CHUNK_ELEMENTS, Masks, Term
from fednet.privacy.noise import Words

MASKED_FORMAT = "fednet-masked-update/1"
_TENSOR = "masked"


class Values(Protocol):
    """A flat float32 vector that is read in chunks."""

    @property
    def element_count(self) -> int:
        """Count the elements."""
        ...

    def read_into(self, start: int, out: FloatArray) -> None:
        """Fill a contiguous buffer with the elements from ``start`` on."""
        ...


Write = Callable[[int, RingArray], None]
"""Takes a start and the elements from there on, which change once it comes back."""


def mask(
    dealers: Dealers,
    secrets: SiteSecrets,
    fixed_point: FixedPoint,
    weight: int,
    values: Values,
    write: Write,
    words: Words | None = None,
) -> None:
    """Write a site's update in its masks, chunk by chunk; once in an attempt.

    Two different updates in the same masks would tell their difference: what is
    masked again after a restart must be what was masked before, or nothing.

    Args:
        dealers: Who masks; the site is one of them.
        secrets: The site's.
        fixed_point: How values stand in the ring.
        weight: Examples; from 1 to the plan's cap.
        values: The update.
        write: Takes each chunk, in order; what it took counts once this comes back.
        words: Where noise comes from, which nobody may foretell; needed if the plan has any.

    Raises:
        TrainingError: A value is not finite, or too large where that is refused.
        PrivacyError: The update is longer than its noise can hide.
        ValueError: There is nothing to draw noise from.
    """
    hider = _hider(fixed_point, words)
    masks = Masks(masks_of(dealers, secrets), fixed_point.ring)
    count, subject = values.element_count, f"update of site {secrets.site}"
    read = np.empty(min(CHUNK_ELEMENTS, count), np.float32)
    masked = np.empty(read.size, fixed_point.ring.dtype)
    for start in range(0, count, CHUNK_ELEMENTS):
        size = min(CHUNK_ELEMENTS, count - start)
        values.read_into(start, read[:size])
        fixed_point.encode_into(read[:size], weight, masked[:size], subject)
        if hider is not None:
            hider.add_to(read[:size], fixed_point.ring.signed(masked[:size]))
        masks.add_to(masked[:size])
        write(start, masked[:size])
    if hider is not None:
        hider.require_short(subject)


def _hider(fixed_point: FixedPoint, words: Words | None) -> Hider | None:
    if fixed_point.noise is None:
        return None
    if words is None:
        raise ValueError("noise needs words to be drawn from")
    return Hider(fixed_point.noise, fixed_point.noise_share, words)


def masks_of(dealers: Dealers, secrets: SiteSecrets) -> list[Term]:
    """Return the masks of one site."""
    site, private = secrets.site, load(secrets.mask_key)
    terms = [self_mask(dealers, site, secrets.seed)]
    terms += [pair_mask(dealers, site, private, other) for other in dealers.neighbours[site]]
    return terms


def self_mask(dealers: Dealers, site: SiteId, seed: bytes) -> Term:
    """Return the mask that a site shares with nobody, as it stands in its update."""
    key = derive(seed, Purpose.SELF_MASK, dealers.circle.place, str(dealers.view), site)
    return Term(key, adds=True)


def pair_mask(dealers: Dealers, site: SiteId, private: X25519PrivateKey, other: SiteId) -> Term:
    """Return the mask of a pair of neighbours, as it stands in the update of the first.

    Args:
        dealers: Who masks.
        site: The first.
        private: Its private mask key.
        other: Its neighbour.
    """
    shared = agree(private, dealers.circle.keys[other].mask)
    pair = (min(site, other), max(site, other))
    key = derive(shared, Purpose.PAIR_MASK, dealers.circle.place, str(dealers.view), *pair)
    return Term(key, adds=site < other)


def write_masked_header(
    dealers: Dealers, manifest: Manifest, ring: Ring, element_count: int
) -> bytes:
    """Return the bytes before the elements of a masked update."""
    metadata = {
        "format": MASKED_FORMAT,
        "manifest": manifest.to_metadata(),
        "view": str(dealers.view),
    }
    return encode_header(_layout(ring, element_count), metadata)


def read_masked_header(
    head: bytes,
    total_size_bytes: int,
    dealers: Dealers,
    site: SiteId,
    base: Commitment,
    weight: int,
    ring: Ring,
    element_count: int,
) -> tuple[Manifest, int]:
    """Read the header of a site's masked update; return its manifest and where elements begin.

    Args:
        head: At least the bytes before the elements.
        total_size_bytes: Size of the complete file.
        dealers: Who masked; binds the place as well.
        site: Who submitted it.
        base: State of the last final round.
        weight: Examples, as submitted to the ledger.
        ring: Ring.
        element_count: Elements of an update.

    Raises:
        MalformedBlobError: No masked update, or not of this model and ring.
        VerificationError: Of another author, place, base or weight, or masked with others.
    """
    subject = f"masked update of site {site}"
    header = parse_header(head, total_size_bytes, subject, frozenset({ring.tensor_dtype}))
    manifest, view = read_masked_metadata(header, ring, element_count, subject)
    expected = (dealers.circle.place, site, base, weight, str(dealers.view))
    actual = (manifest.place, manifest.site, manifest.base, manifest.examples, view)
    names = ("place", "site", "base", "weight", "view")
    for name, wanted, given in zip(names, expected, actual, strict=True):
        if wanted != given:
            raise VerificationError(
                f"is of another {name}", subject=subject, expected=wanted, actual=given
            )
    return manifest, header.data_offset


def read_masked_metadata(
    header: TensorHeader, ring: Ring, element_count: int, subject: str
) -> tuple[Manifest, str]:
    """Read what a masked update says of itself: its manifest, and the company it was masked in.

    Whether that is true of its place on the ledger is for the caller to compare.

    Raises:
        MalformedBlobError: No masked update, or not of this model and ring.
    """
    if header.layout != _layout(ring, element_count):
        raise MalformedBlobError(
            "does not fit the model",
            subject=subject,
            expected=f"{element_count} elements",
            actual=f"{header.layout.element_count} elements",
        )
    raw = header.metadata
    if raw.keys() != {"format", "manifest", "view"} or raw["format"] != MASKED_FORMAT:
        raise MalformedBlobError("is no masked update", subject=subject, expected=MASKED_FORMAT)
    nested, view = raw["manifest"], raw["view"]
    if not isinstance(nested, dict) or not isinstance(view, str):
        raise MalformedBlobError("carries no manifest", subject=subject)
    return Manifest.from_metadata(nested, subject), view


def _layout(ring: Ring, element_count: int) -> Layout:
    return Layout((TensorSpec(_TENSOR, (element_count,), ring.tensor_dtype),))

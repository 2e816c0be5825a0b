"""What stands before the ciphertexts of an update, and before those of a sum.

Both are tensor files of one tensor, of words; see ``fednet.domain.tensors``. An
update has the manifest of a plain one, so that author, place, base and weight stand
in its bytes. A sum says of which updates it is, and names nobody who made it: all
who add the same updates write the same bytes, and commit to the same sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from fednet.domain.identity import Address, Commitment, Digest, RoundNumber, RunId, SiteId
from fednet.domain.tensors import Layout, TensorHeader, TensorSpec, encode_header
from fednet.domain.update import Manifest, Place
from fednet.errors import MalformedBlobError, VerificationError
from fednet.privacy.homomorphic.scheme import WORD_SIZE_BYTES, Form

ENCRYPTED_FORMAT = "fednet-encrypted-update/1"
SUM_FORMAT = "fednet-encrypted-sum/1"
TENSOR_DTYPE = f"U{8 * WORD_SIZE_BYTES}"
MOST_SUMMED = 2_000
"""Updates in a sum, whose header names each."""
_TENSOR = "ciphertexts"
_MOST = (1 << 64) - 1
_MOST_REASON = 64


@dataclass(frozen=True, slots=True)
class Summed:
    """One update of a sum."""

    commitment: Commitment
    """Of its sealed bytes, as they are on the ledger."""
    weight: int


@dataclass(frozen=True, slots=True)
class SumHeader:
    """Of which updates an encrypted sum is."""

    place: Place
    key: Digest
    """Identity of the key that decrypts it."""
    included: Mapping[SiteId, Summed]
    refused: Mapping[SiteId, str]
    """Why others are not in it: a word of the intake, or empty if the bytes were not to be had."""

    @property
    def total_weight(self) -> int:
        """Add the weights."""
        return sum(entry.weight for entry in self.included.values())

    def to_metadata(self) -> dict[str, object]:
        """Return it as it stands in the bytes."""
        at = self.place
        return {
            "attempt": at.attempt,
            "chain_id": at.chain_id,
            "contract": at.contract,
            "format": SUM_FORMAT,
            "included": [
                [site, str(entry.commitment), entry.weight]
                for site, entry in sorted(self.included.items())
            ],
            "key": str(self.key),
            "refused": [[site, reason] for site, reason in sorted(self.refused.items())],
            "round": at.round,
            "run": at.run,
        }

    @classmethod
    def from_metadata(cls, raw: Mapping[str, object], subject: str) -> Self:
        """Read of which updates a sum is.

        Raises:
            MalformedBlobError: No sum, or not in its one spelling.
        """
        try:
            place = Place(
                chain_id=_number(raw["chain_id"]),
                contract=Address(_text(raw["contract"])),
                run=RunId(_number(raw["run"])),
                round=RoundNumber(_number(raw["round"])),
                attempt=_number(raw["attempt"]),
            )
            included = {
                SiteId(_number(site)): Summed(Commitment(_text(commitment)), _number(weight))
                for site, commitment, weight in _rows(raw["included"])
            }
            refused = {
                SiteId(_number(site)): _text(reason) for site, reason in _rows(raw["refused"])
            }
            header = cls(place, Digest(_text(raw["key"])), included, refused)
        except (KeyError, TypeError, ValueError, VerificationError) as exc:
            raise MalformedBlobError("is no encrypted sum", subject=subject) from exc
        long = any(len(reason) > _MOST_REASON for reason in refused.values())
        if header.to_metadata() != raw or long or not included:
            raise MalformedBlobError(
                "does not say in the one spelling of which updates it is", subject=subject
            )
        return header


def encrypted_layout(form: Form, values: int) -> Layout:
    """Describe the ciphertexts of so many values."""
    shape = (form.block_count(values), form.block_words)
    return Layout((TensorSpec(_TENSOR, shape, TENSOR_DTYPE),))


def write_encrypted_header(form: Form, key: Digest, manifest: Manifest, values: int) -> bytes:
    """Return the bytes before the words of an encrypted update."""
    metadata = {
        "format": ENCRYPTED_FORMAT,
        "key": str(key),
        "manifest": manifest.to_metadata(),
        "scheme": form.name,
    }
    return encode_header(encrypted_layout(form, values), metadata)


def read_encrypted_metadata(
    header: TensorHeader, form: Form, key: Digest, values: int, subject: str
) -> Manifest:
    """Read what an encrypted update says of itself.

    Whether that is true of its place on the ledger is for the caller to compare.

    Raises:
        MalformedBlobError: No encrypted update, of another scheme or key, or not of this model.
    """
    _require_layout(header, form, values, subject)
    raw = header.metadata
    expected = {"format": ENCRYPTED_FORMAT, "key": str(key), "scheme": form.name}
    nested = raw.get("manifest")
    if {**raw, "manifest": None} != {**expected, "manifest": None} or not isinstance(nested, dict):
        raise MalformedBlobError(
            "is no update encrypted with this key",
            subject=subject,
            expected=f"{ENCRYPTED_FORMAT}, {form.name}, key {key}",
            actual=f"{raw.get('format')}, {raw.get('scheme')}, key {raw.get('key')}"[:200],
        )
    return Manifest.from_metadata(nested, subject)


def write_sum_header(form: Form, header: SumHeader, values: int) -> bytes:
    """Return the bytes before the words of a sum."""
    return encode_header(encrypted_layout(form, values), header.to_metadata())


def read_sum_header(header: TensorHeader, form: Form, values: int, subject: str) -> SumHeader:
    """Read of which updates a sum is; whether it is their sum is for who has them to compute.

    Raises:
        MalformedBlobError: No encrypted sum, or not of this model.
    """
    _require_layout(header, form, values, subject)
    return SumHeader.from_metadata(header.metadata, subject)


def _require_layout(header: TensorHeader, form: Form, values: int, subject: str) -> None:
    if header.layout != encrypted_layout(form, values):
        raise MalformedBlobError(
            "does not hold the ciphertexts of this model",
            subject=subject,
            expected=f"{form.word_count(values)} words",
            actual=f"{header.layout.element_count} elements",
        )


def _rows(raw: object) -> list[list[object]]:
    if not isinstance(raw, list) or len(raw) > MOST_SUMMED:
        raise ValueError("not a short list")
    if not all(isinstance(row, list) for row in raw):
        raise ValueError("not a list of lists")
    return raw


def _number(raw: object) -> int:
    if type(raw) is not int or not 0 <= raw <= _MOST:
        raise ValueError("not a number in range")
    return raw


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise ValueError("not a text")
    return raw

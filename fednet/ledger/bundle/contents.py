"""What the members of a bundle say, and their reading from a stranger's file.

=============== ===========================================================
bundle.json     run, head, the blobs it names and which of them it holds
deployment.json the deployment file
headers.rlp     every header from the first block proven to the head, one after the other
receipts.rlp    by block that may hold a log: all receipts, and transaction hashes
storage.rlp     nodes that prove the contracts' storage at the head
state.json      code, and what the contracts' views answered at the head; on a chain
                whose blocks cannot be proven also its logs and the heads of blocks
blobs/HASH      a blob, by its commitment
=============== ===========================================================
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fednet.domain.identity import Address, Digest
from fednet.domain.ledger import Head
from fednet.errors import VerificationError
from fednet.ledger.bundle.archive import Archive, damaged
from fednet.ledger.proofs import rlp_values
from fednet.ledger.proofs.collect import BlockReceipts, StorageProof
from fednet.ledger.proofs.headers import Header

BUNDLE_FORMAT = "fednet-bundle/1"
BUNDLE, DEPLOYMENT, STATE = "bundle.json", "deployment.json", "state.json"
HEADERS, RECEIPTS, STORAGE = "headers.rlp", "receipts.rlp", "storage.rlp"
MAX_TEXT_SIZE_BYTES = 256 << 20
MAX_PROOFS_SIZE_BYTES = 1 << 30
_HEX64 = r"^[0-9a-f]{64}$"
HexBytes = Annotated[str, Field(pattern=r"^0x([0-9a-f]{2})*$")]
_AnyForm = TypeVar("_AnyForm", bound=BaseModel)


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class BlobEntry(_Form):
    """One blob that the run names."""

    commitment: str = Field(pattern=_HEX64)
    what: str = Field(max_length=200)
    needed: bool
    """Whether a final round cannot be verified without it."""
    held: bool
    """Whether the bundle holds its bytes."""


class BundleForm(_Form):
    """The first member."""

    format: str = Field(pattern=f"^{BUNDLE_FORMAT}$")
    run: int = Field(ge=1, lt=1 << 64)
    head_number: int = Field(ge=0, lt=1 << 64)
    head_hash: str = Field(pattern=_HEX64)
    head_time: int = Field(ge=0, lt=1 << 64)
    unproven: str = Field(max_length=400)
    """Why the chain's blocks prove nothing; empty if they do."""
    blobs: list[BlobEntry]

    @property
    def head(self) -> Head:
        """Name the last block that the bundle speaks of."""
        return Head(self.head_number, Digest(self.head_hash), self.head_time)


class CallForm(_Form):
    """One view that was asked."""

    to: HexBytes
    data: HexBytes
    result: HexBytes


class StateForm(_Form):
    """What a node answered."""

    chain_id: int
    genesis_hash: str = Field(pattern=_HEX64)
    code: dict[str, HexBytes]
    calls: list[CallForm]
    logs: list[dict[str, Any]]
    """As JSON-RPC gives them; empty where receipts prove them."""
    blocks: list[dict[str, Any]]
    """As JSON-RPC gives them; empty where headers are there."""


def encode_form(form: BaseModel) -> bytes:
    """Write a member of text."""
    return (json.dumps(form.model_dump(), indent=1, sort_keys=True) + "\n").encode()


def read_bundle(archive: Archive) -> BundleForm:
    """Read the first member.

    Raises:
        MalformedBlobError: It is missing or malformed.
    """
    return _read(archive, BUNDLE, BundleForm)


def read_state(archive: Archive) -> StateForm:
    """Read what a node answered.

    Raises:
        MalformedBlobError: It is missing or malformed.
    """
    return _read(archive, STATE, StateForm)


def read_headers(archive: Archive) -> list[Header]:
    """Read every header.

    Raises:
        MalformedBlobError: The member is missing or malformed.
    """
    data = archive.read(HEADERS, MAX_PROOFS_SIZE_BYTES)
    return [Header.read(raw, f"header {at}") for at, raw in enumerate(_items(archive, data))]


def read_receipts(archive: Archive) -> dict[int, BlockReceipts]:
    """Read the receipts by block.

    Raises:
        MalformedBlobError: The member is missing or malformed.
    """
    found: dict[int, BlockReceipts] = {}
    for raw in _items(archive, archive.read(RECEIPTS, MAX_PROOFS_SIZE_BYTES)):
        number, receipts, transactions = rlp_values.as_list(
            rlp_values.decode(raw, RECEIPTS), RECEIPTS, 3
        )
        block = rlp_values.as_int(number, RECEIPTS)
        entry = BlockReceipts(
            receipts=_byte_strings(receipts),
            transactions=tuple(Digest(each) for each in _byte_strings(transactions, 32)),
        )
        if block in found or len(entry.receipts) != len(entry.transactions):
            raise damaged(f"{archive.path}: {RECEIPTS}", f"block {block} is there twice or in part")
        found[block] = entry
    return found


def read_storage(archive: Archive) -> dict[Address, StorageProof]:
    """Read the proofs of storage by contract.

    Raises:
        MalformedBlobError: The member is missing or malformed.
    """
    found = {}
    for raw in _items(archive, archive.read(STORAGE, MAX_PROOFS_SIZE_BYTES)):
        address, account, slots = rlp_values.as_list(rlp_values.decode(raw, STORAGE), STORAGE, 3)
        by_slot = {}
        for slot in rlp_values.as_list(slots, STORAGE):
            key, nodes = rlp_values.as_list(slot, STORAGE, 2)
            by_slot[rlp_values.as_int(key, STORAGE)] = _byte_strings(nodes)
        name = rlp_values.as_bytes(address, STORAGE, 20).hex()
        found[Address(name)] = StorageProof(_byte_strings(account), by_slot)
    return found


def encode_receipts(number: int, found: BlockReceipts) -> bytes:
    """Write the receipts of one block."""
    return rlp_values.encode([number, found.receipts, found.transactions])


def encode_storage(address: Address, proof: StorageProof) -> bytes:
    """Write the proof of one contract's storage."""
    slots = [[slot, nodes] for slot, nodes in sorted(proof.slots.items())]
    return rlp_values.encode([bytes.fromhex(address[2:]), proof.account, slots])


def _read(archive: Archive, name: str, form: type[_AnyForm]) -> _AnyForm:
    subject = f"{archive.path}: {name}"
    try:
        return form.model_validate_json(archive.read(name, MAX_TEXT_SIZE_BYTES))
    except ValidationError as exc:
        first = exc.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise damaged(subject, f"{field or 'text'}: {first['msg']}"[:300]) from exc


def _items(archive: Archive, data: bytes) -> Sequence[bytes]:
    try:
        return rlp_values.split(data, str(archive.path))
    except VerificationError as exc:
        raise damaged(str(archive.path), exc.message) from exc


def _byte_strings(value: rlp_values.Rlp, length: int | None = None) -> tuple[bytes, ...]:
    items = rlp_values.as_list(value, "bundle")
    return tuple(rlp_values.as_bytes(each, "bundle", length) for each in items)

"""The ledger as a bundle tells it: the same reader, on answers that were recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fednet.domain.blobs import FileSpan
from fednet.domain.identity import Address, Commitment, RunId
from fednet.domain.ledger import Deployment
from fednet.domain.proofs import LedgerClaims, LogProof
from fednet.errors import LedgerError, SettingsError, VerificationError
from fednet.ledger.bundle import contents
from fednet.ledger.bundle.archive import BLOB_FOLDER, Archive, damaged
from fednet.ledger.bundle.recording import RecordedRpc
from fednet.ledger.codec import read_log
from fednet.ledger.deployment import decode_deployment
from fednet.ledger.proofs.collect import BlockReceipts, StorageProof, Unprovable
from fednet.ledger.proofs.headers import Header
from fednet.ledger.proofs.history import first_block, prove_claims, read_logs
from fednet.ledger.reader import Web3Reader

_NO_LIMIT = 1 << 62


class BundleReader(Web3Reader):
    """Implement ``LedgerReader`` over a bundle; needs no network.

    Reads no blob: `spans` says where they stand.

    Args:
        path: The bundle.

    Raises:
        MalformedBlobError: It is damaged, or no bundle.
        DeploymentMismatchError: What it says of the chain is not its own deployment's.
        SettingsError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._archive = Archive(path)
        try:
            self.form = contents.read_bundle(self._archive)
            raw = self._archive.read(contents.DEPLOYMENT, contents.MAX_TEXT_SIZE_BYTES)
            deployment = decode_deployment(raw.decode("utf-8", "replace"), str(path))
            state = contents.read_state(self._archive)
            headers = contents.read_headers(self._archive)
            self._proofs = BundleSource(
                headers=headers,
                held=contents.read_receipts(self._archive),
                proofs=contents.read_storage(self._archive),
                unproven=self.form.unproven,
            )
            logs = [read_log(each) for each in state.logs]
            for number, found in sorted(self._proofs.held.items()):
                logs += read_logs(number, found)
            by_number = {header.number: header for header in headers}
            chain = RecordedRpc(state, self.form.head, by_number, logs)
        except (LedgerError, SettingsError, ValueError) as exc:
            raise damaged(str(path), str(exc)[:300]) from exc
        except VerificationError as exc:
            if exc.message.startswith("the bundle"):
                raise
            raise damaged(str(path), str(exc)[:300]) from exc
        _require_headers(headers, deployment, self.form, path)
        self._begin(deployment, chain)

    @property
    def is_recorded(self) -> bool:
        return True

    @property
    def run_id(self) -> RunId:
        """Return the run that the bundle is of."""
        return RunId(self.form.run)

    def prove(self, claims: LedgerClaims) -> LogProof:
        return prove_claims(self._proofs, self.deployment, claims, _NO_LIMIT)

    def spans(self) -> dict[Commitment, FileSpan]:
        """Say where each blob's bytes stand; whether they are the blob's, nobody has looked."""
        found = {}
        for name in self._archive.names():
            span = self._archive.span(name)
            if name.startswith(BLOB_FOLDER) and span is not None:
                found[Commitment(name.removeprefix(BLOB_FOLDER))] = span
        return found


class BundleSource:
    """Give what a bundle holds to prove it."""

    def __init__(
        self,
        headers: Sequence[Header],
        held: Mapping[int, BlockReceipts],
        proofs: Mapping[Address, StorageProof],
        unproven: str,
    ) -> None:
        self.held = held
        self._headers, self._proofs, self._unproven = headers, proofs, unproven

    def headers(self, first: int, last: int) -> Sequence[Header]:
        if not self._headers:
            raise Unprovable(self._unproven)
        return self._headers

    def receipts(self, numbers: Sequence[int]) -> Mapping[int, BlockReceipts]:
        return {number: self.held[number] for number in self.held}

    def storage(self, address: Address, slots: Sequence[int], block: int) -> StorageProof:
        proof = self._proofs.get(Address(address[2:].lower()))
        if proof is None:
            raise Unprovable("the bundle proves no storage")
        if any(slot not in proof.slots for slot in slots):
            raise VerificationError("a value's proof is missing", subject=f"storage of {address}")
        return proof


def _require_headers(
    headers: Sequence[Header], deployment: Deployment, form: contents.BundleForm, path: Path
) -> None:
    """Raise unless all headers are there, or none because they prove nothing."""
    first = first_block(deployment)
    if headers or not form.unproven:
        numbers = [header.number for header in headers]
        if numbers[:1] != [first] or len(numbers) != form.head_number - first + 1:
            raise damaged(
                f"{path}: {contents.HEADERS}",
                f"it does not hold every header from block {first} to {form.head_number}",
            )

"""What the layers ask of a ledger: a reader that needs no key, a writer with one.

The blob store's port stands in ``fednet.domain.blobs``. A function takes the
narrowest of these that serves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from fednet.domain.batch_signing import Attestation, Update
from fednet.domain.checkpoint import Checkpoint, SignedCheckpoint
from fednet.domain.disclosures import (
    BlobReader,
    DatasetBudget,
    DatasetUse,
    DisclosureLog,
    PrivacyLoss,
    ReleaseStatus,
)
from fednet.domain.events import LedgerEvent, RunEvent
from fednet.domain.identity import (
    Address,
    Commitment,
    DatasetId,
    Digest,
    GrantId,
    Locator,
    ReaderId,
    RoundNumber,
    RunId,
    SiteId,
)
from fednet.domain.ledger import (
    Access,
    Application,
    CreditAccount,
    Dataset,
    Deployment,
    Head,
    Member,
    Parameters,
    Proposal,
    Receipt,
    Role,
    Run,
    RunState,
    Settlement,
    Site,
)
from fednet.domain.masking_ports import MaskingReader, MaskingWriter
from fednet.domain.masking_stages import MaskingTimes
from fednet.domain.proofs import LedgerClaims, LogProof


class LedgerReader(MaskingReader, Protocol):
    """Read the ledger at its head; raises only LedgerError and its kin.

    A question about an id that was never given out raises RevertedError or
    LedgerError with a hint; events come in the order of the chain.
    """

    @property
    def deployment(self) -> Deployment: ...
    @property
    def is_recorded(self) -> bool:
        """Tell whether this is what the ledger said once, so that later blocks say nothing."""
        ...

    def head(self) -> Head: ...
    def blocks(self, numbers: Sequence[int]) -> Sequence[Head]:
        """Read the headers of blocks, in the order asked for; LedgerError if there is none."""
        ...

    def verify_checkpoint(self, signed: SignedCheckpoint) -> None:
        """Raise VerificationError unless the account that is named signed it."""
        ...

    def signer_of(self, digest: Digest, signature: bytes) -> Address | None:
        """Recover whose signature it is; None if it is nobody's."""
        ...

    def balance_wei(self, account: Address) -> int: ...
    def site(self, site: SiteId) -> Site: ...
    def site_count(self) -> int: ...
    def account(self, account: Address) -> tuple[SiteId, Role]: ...
    def dataset(self, dataset: DatasetId) -> Dataset: ...
    def access(self, grant: GrantId) -> Access: ...
    def run(self, run: RunId) -> Run: ...
    def run_count(self) -> int: ...
    def parameters(self, run: RunId) -> Parameters: ...
    def drawn_sites(self, run: RunId) -> int | None:
        """Return how many sites the module draws, as the run was opened; None if it draws none."""
        ...

    def state(self, run: RunId) -> RunState: ...
    def member(self, run: RunId, site: SiteId) -> Member: ...
    def running_hash(self, run: RunId) -> Digest: ...
    def settlement(self, run: RunId, round_number: RoundNumber) -> Digest: ...
    def credit_account(self, run: RunId, site: SiteId) -> CreditAccount: ...
    def credit_total(self, run: RunId) -> tuple[int, bool]: ...
    def disclosures(self) -> DisclosureLog: ...
    def budget(self, dataset: DatasetId) -> DatasetBudget:
        """Read a dataset's privacy budget; nothing may be spent of one that nobody set."""
        ...

    def dataset_use(self, run: RunId, dataset: DatasetId) -> DatasetUse:
        """Read what a run made of a dataset; all zero if nothing was recorded."""
        ...

    def blob_reader(self, reader: ReaderId) -> BlobReader: ...
    def run_events(self, run: RunId, from_block: int = 0) -> Sequence[RunEvent]:
        """Read a rounds module's events of one run, from a block on."""
        ...

    def module_events(self, modules: Sequence[Address], from_block: int = 0) -> Sequence[RunEvent]:
        """Read everything that rounds modules say, of whatever run, from a block on."""
        ...

    def events(
        self, kinds: Sequence[type[LedgerEvent]], from_block: int = 0
    ) -> Sequence[LedgerEvent]:
        """Read events of the given classes from the deployment's other contracts."""
        ...

    def prove(self, claims: LedgerClaims) -> LogProof:
        """Compare what was said of a run with what headers, receipts and storage prove."""
        ...

    def announced(self, commitment: Commitment) -> Sequence[Locator]:
        """List further locators that members announced for a blob."""
        ...


class LedgerWriter(MaskingWriter, Protocol):
    """Act on the ledger with one account; every call waits for its receipt.

    Raises RevertedError with the contract's error, FundsError, or
    LedgerUnavailableError (retryable: ask the reader first what came of it).
    """

    @property
    def address(self) -> Address: ...
    def sign_application(self, application: Application) -> bytes: ...
    def sign_checkpoint(self, statement: Checkpoint) -> SignedCheckpoint: ...
    def sign_carried(self, value: Update | Attestation, module: Address) -> bytes:
        """Sign what another's transaction may carry, for a module of this chain."""
        ...

    def apply_for(self, application: Application, signature: bytes) -> Receipt: ...
    def admit(self, site: SiteId, roles: Role, allowance_wei: int) -> Receipt: ...
    def suspend(self, site: SiteId) -> Receipt: ...
    def reinstate(self, site: SiteId) -> Receipt: ...
    def revoke(self, site: SiteId) -> Receipt: ...
    def set_account_roles(self, site: SiteId, account: Address, roles: Role) -> Receipt: ...
    def rotate_account(self, site: SiteId, account: Address) -> Receipt: ...
    def rotate_key(self, site: SiteId, encryption_key: bytes) -> Receipt: ...
    def move_store(self, site: SiteId, store_address: str) -> Receipt: ...
    def register_dataset(
        self, site: SiteId, description: Commitment, data: Commitment, examples: int
    ) -> Receipt: ...
    def close_dataset(self, dataset: DatasetId) -> Receipt: ...
    def request_access(
        self, dataset: DatasetId, purpose: Commitment, purpose_locator: Locator
    ) -> Receipt: ...
    def grant_access(
        self, grant: GrantId, terms: Commitment, terms_locator: Locator, expiry: int
    ) -> Receipt: ...
    def deny_access(self, grant: GrantId, reason: Digest) -> Receipt: ...
    def revoke_access(self, grant: GrantId) -> Receipt: ...
    def approve_module(self, module: Address) -> Receipt: ...
    def withdraw_module(self, module: Address) -> Receipt: ...
    def open_run(
        self,
        module: Address,
        plan: tuple[Commitment, Locator],
        initial_model: tuple[Commitment, Locator],
        transferable: bool,
        parameters: Parameters,
        drawn_sites: int | None = None,
        masking: MaskingTimes | None = None,
    ) -> Receipt: ...
    def announce(self, site: SiteId, commitment: Commitment, locator: Locator) -> Receipt: ...
    def consent(self, run: RunId, site: SiteId, grant: GrantId) -> Receipt: ...
    def withdraw(self, run: RunId, site: SiteId) -> Receipt: ...
    def drop(self, run: RunId, site: SiteId) -> Receipt: ...
    def submit(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        commitment: Commitment,
        weight: int,
        locator: Locator,
    ) -> Receipt: ...
    def propose(self, proposal: Proposal) -> Receipt: ...
    def attest(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        proposal: int,
        witness: Digest,
    ) -> Receipt: ...
    def object_to(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        proposal: int,
        expected: Commitment,
    ) -> Receipt: ...
    def draw(self, run: RunId) -> Receipt: ...
    def submit_batch(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        sheet: tuple[Commitment, Locator],
        entries: Mapping[int, tuple[Commitment, int]],
    ) -> Receipt:
        """Hand in signed updates of many sites; in a run of the batched module.

        Args:
            run: Run.
            site: Site that hands them in.
            round_number: Round at hand.
            attempt: Attempt at hand.
            sheet: Blob with the locator and the signature of each, in the order of positions.
            entries: Commitment and weight, in examples, by roster position.
        """
        ...

    def attest_batch(
        self,
        run: RunId,
        round_number: RoundNumber,
        attempt: int,
        proposal: int,
        votes: Sequence[bytes],
        and_advance: bool = False,
    ) -> Receipt:
        """Carry signed attestations, of ``pack_vote``; in a run of the batched module."""
        ...

    def conclude(self, run: RunId, site: SiteId, round_number: RoundNumber) -> Receipt: ...
    def advance(self, run: RunId) -> Receipt: ...
    def abort(self, run: RunId) -> Receipt: ...
    def claim(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        settlement: Settlement,
        earned: int,
        proof: Sequence[Digest],
    ) -> Receipt: ...
    def transfer_credits(
        self, run: RunId, from_site: SiteId, to_site: SiteId, amount: int
    ) -> Receipt: ...
    def request_release(
        self,
        run: RunId,
        round_number: RoundNumber,
        attempt: int,
        dataset: DatasetId,
        request: Commitment,
    ) -> Receipt:
        """Record that an update waits for the site's own airlock."""
        ...

    def decide_release(
        self,
        run: RunId,
        round_number: RoundNumber,
        attempt: int,
        dataset: DatasetId,
        decision: ReleaseStatus,
        reason: Commitment,
    ) -> Receipt:
        """Record what the airlock decided on the release that was requested last."""
        ...

    def set_ceiling(self, dataset: DatasetId, ceiling: PrivacyLoss, grounds: Digest) -> Receipt:
        """Set what may be spent of a dataset over all runs; zero grounds only lower it."""
        ...

    def spend_budget(
        self, run: RunId, round_number: RoundNumber, dataset: DatasetId, spent: PrivacyLoss
    ) -> Receipt:
        """Record what a run has spent of a dataset so far, before the update leaves."""
        ...

    def set_retention(self, dataset: DatasetId, seconds: int) -> Receipt: ...
    def admit_reader(
        self,
        run: RunId,
        site: SiteId,
        account: Address,
        key: Digest,
        letter: tuple[Commitment, Locator],
    ) -> Receipt:
        """Let an account read a run's sealed blobs; for a site, or for an operator as site 0."""
        ...

    def dismiss_reader(self, reader: ReaderId, site: SiteId) -> Receipt: ...
    def record_erasure(
        self,
        run: RunId,
        dataset: DatasetId,
        blobs: int,
        erased: Commitment,
        grounds: Commitment,
    ) -> Receipt:
        """Record that blobs of a run from a closed dataset, of a committed list, are erased."""
        ...

    def send_wei(self, account: Address, amount_wei: int) -> Receipt: ...

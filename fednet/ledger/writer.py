"""Act on the ledger with one account; every call waits for its receipt.

Each method is one contract function. Nothing is decided here, and nothing is
sent twice: what came of a lost answer is for the caller to read from the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eth_account.signers.local import LocalAccount

from fednet.domain.batch_signing import Attestation, Module, Update
from fednet.domain.batches import pack_positions, pack_rows
from fednet.domain.checkpoint import Checkpoint, SignedCheckpoint
from fednet.domain.disclosures import PrivacyLoss, ReleaseStatus
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
from fednet.domain.ledger import Application, Parameters, Proposal, Receipt, Role, Settlement
from fednet.domain.masking_stages import MaskingTimes
from fednet.errors import LedgerError
from fednet.ledger import abi, application, codec
from fednet.ledger.batches import sign
from fednet.ledger.checkpoints import sign_checkpoint
from fednet.ledger.fees import FeeCaps
from fednet.ledger.masking import MaskingActs
from fednet.ledger.reader import Web3Reader
from fednet.ledger.transacting import Transactor

_PLAIN_STAGE = 0


class Web3Writer(MaskingActs):
    """Implement ``LedgerWriter`` over JSON-RPC.

    Args:
        reader: Connection whose chain has been checked; shared.
        account: Unlocked account, from ``keystore.unlock``.
        caps: How much gas may cost.
    """

    def __init__(
        self, reader: Web3Reader, account: LocalAccount, caps: FeeCaps | None = None
    ) -> None:
        self._reader = reader
        self._account = account
        self._deployment = reader.deployment
        self._transactor = Transactor(reader.rpc, account, reader.deployment.chain_id, caps)

    @property
    def account(self) -> LocalAccount:
        """Return the account that signs."""
        return self._account

    def use(self, transactor: Transactor) -> None:
        """Send by another way from now on."""
        self._transactor = transactor

    @property
    def address(self) -> Address:
        return Address(self._account.address)

    def sign_application(self, application_: Application) -> bytes:
        return application.sign(application_, self._deployment, self._account)

    def sign_checkpoint(self, statement: Checkpoint) -> SignedCheckpoint:
        return sign_checkpoint(statement, self._account)

    def sign_carried(self, value: Update | Attestation, module: Address) -> bytes:
        return sign(Module(self._deployment.chain_id, module).digest(value), self._account)

    def apply_for(self, application: Application, signature: bytes) -> Receipt:
        return self._register("applyFor", application, signature)

    def admit(self, site: SiteId, roles: Role, allowance_wei: int) -> Receipt:
        return self._register("admit", site, int(roles), value_wei=allowance_wei)

    def suspend(self, site: SiteId) -> Receipt:
        return self._register("suspend", site)

    def reinstate(self, site: SiteId) -> Receipt:
        return self._register("reinstate", site)

    def revoke(self, site: SiteId) -> Receipt:
        return self._register("revoke", site)

    def set_account_roles(self, site: SiteId, account: Address, roles: Role) -> Receipt:
        return self._register("setAccountRoles", site, account, int(roles))

    def rotate_account(self, site: SiteId, account: Address) -> Receipt:
        return self._register("rotateAccount", site, account)

    def rotate_key(self, site: SiteId, encryption_key: bytes) -> Receipt:
        return self._register("rotateKey", site, encryption_key)

    def move_store(self, site: SiteId, store_address: str) -> Receipt:
        return self._register("moveStore", site, store_address)

    def register_dataset(
        self, site: SiteId, description: Commitment, data: Commitment, examples: int
    ) -> Receipt:
        return self._access("registerDataset", site, description, data, examples)

    def close_dataset(self, dataset: DatasetId) -> Receipt:
        return self._access("closeDataset", dataset)

    def request_access(
        self, dataset: DatasetId, purpose: Commitment, purpose_locator: Locator
    ) -> Receipt:
        return self._access("requestAccess", dataset, purpose, purpose_locator)

    def grant_access(
        self, grant: GrantId, terms: Commitment, terms_locator: Locator, expiry: int
    ) -> Receipt:
        return self._access("grantAccess", grant, terms, terms_locator, expiry)

    def deny_access(self, grant: GrantId, reason: Digest) -> Receipt:
        return self._access("denyAccess", grant, reason)

    def revoke_access(self, grant: GrantId) -> Receipt:
        return self._access("revokeAccess", grant)

    def approve_module(self, module: Address) -> Receipt:
        return self._runs("approveModule", module)

    def withdraw_module(self, module: Address) -> Receipt:
        return self._runs("withdrawModule", module)

    def open_run(
        self,
        module: Address,
        plan: tuple[Commitment, Locator],
        initial_model: tuple[Commitment, Locator],
        transferable: bool,
        parameters: Parameters,
        drawn_sites: int | None = None,
        masking: MaskingTimes | None = None,
    ) -> Receipt:
        if (masking is None) == (module == self._deployment.modules.masked):
            raise LedgerError(
                "the module and the times of masked stages need each other",
                subject=f"module {module}",
                expected="no times" if masking else "times of the stages",
                hint="masked runs are those of the masked module alone",
            )
        packed = encode_parameters(parameters)
        if drawn_sites is not None:
            packed += abi.encode(["uint16"], [drawn_sites])
        if masking is not None:
            packed += encode_returned("Masking", "timesOf", masking)
        return self._runs("open", module, *plan, *initial_model, transferable, packed)

    def announce(self, site: SiteId, commitment: Commitment, locator: Locator) -> Receipt:
        return self._runs("announce", site, commitment, locator)

    def consent(self, run: RunId, site: SiteId, grant: GrantId) -> Receipt:
        return self._round("consent", run, site, grant)

    def withdraw(self, run: RunId, site: SiteId) -> Receipt:
        return self._round("withdraw", run, site)

    def drop(self, run: RunId, site: SiteId) -> Receipt:
        return self._round("drop", run, site)

    def submit(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        commitment: Commitment,
        weight: int,
        locator: Locator,
    ) -> Receipt:
        return self._round(
            "submit", run, site, round_number, attempt, _PLAIN_STAGE, commitment, weight, locator
        )

    def propose(self, proposal: Proposal) -> Receipt:
        at = self._reader.run(proposal.run).module
        return self._transactor.act("PlainRounds", at, "propose", [proposal])

    def attest(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        proposal: int,
        witness: Digest,
    ) -> Receipt:
        return self._round("attest", run, site, round_number, attempt, proposal, witness)

    def object_to(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        proposal: int,
        expected: Commitment,
    ) -> Receipt:
        return self._round("objectTo", run, site, round_number, attempt, proposal, expected)

    def draw(self, run: RunId) -> Receipt:
        """Draw the sample of the attempt at hand; in a run of the sampled module."""
        module = self._reader.run(run).module
        return self._transactor.act("SampledRounds", module, "draw", [run])

    def conclude(self, run: RunId, site: SiteId, round_number: RoundNumber) -> Receipt:
        return self._round("conclude", run, site, round_number)

    def submit_batch(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        attempt: int,
        sheet: tuple[Commitment, Locator],
        entries: Mapping[int, tuple[Commitment, int]],
    ) -> Receipt:
        words, rows = pack_positions(entries), pack_rows(entries)
        return self._batch("submitBatch", run, site, round_number, attempt, *sheet, words, rows)

    def attest_batch(
        self,
        run: RunId,
        round_number: RoundNumber,
        attempt: int,
        proposal: int,
        votes: Sequence[bytes],
        and_advance: bool = False,
    ) -> Receipt:
        rows = b"".join(votes)
        return self._batch("attestBatch", run, round_number, attempt, proposal, rows, and_advance)

    def advance(self, run: RunId) -> Receipt:
        return self._round("advance", run)

    def abort(self, run: RunId) -> Receipt:
        return self._round("abort", run)

    def claim(
        self,
        run: RunId,
        site: SiteId,
        round_number: RoundNumber,
        settlement: Settlement,
        earned: int,
        proof: Sequence[Digest],
    ) -> Receipt:
        return self._credits("claim", run, site, round_number, settlement, earned, list(proof))

    def transfer_credits(
        self, run: RunId, from_site: SiteId, to_site: SiteId, amount: int
    ) -> Receipt:
        return self._credits("transfer", run, from_site, to_site, amount)

    def request_release(
        self,
        run: RunId,
        round_number: RoundNumber,
        attempt: int,
        dataset: DatasetId,
        request: Commitment,
    ) -> Receipt:
        return self._disclose("requestRelease", run, round_number, attempt, dataset, request)

    def decide_release(
        self,
        run: RunId,
        round_number: RoundNumber,
        attempt: int,
        dataset: DatasetId,
        decision: ReleaseStatus,
        reason: Commitment,
    ) -> Receipt:
        return self._disclose(
            "decideRelease", run, round_number, attempt, dataset, int(decision), reason
        )

    def set_ceiling(self, dataset: DatasetId, ceiling: PrivacyLoss, grounds: Digest) -> Receipt:
        return self._disclose(
            "setCeiling", dataset, ceiling.epsilon_micro, ceiling.delta_pico, grounds
        )

    def spend_budget(
        self, run: RunId, round_number: RoundNumber, dataset: DatasetId, spent: PrivacyLoss
    ) -> Receipt:
        return self._disclose(
            "spendBudget", run, round_number, dataset, spent.epsilon_micro, spent.delta_pico
        )

    def set_retention(self, dataset: DatasetId, seconds: int) -> Receipt:
        return self._disclose("setRetention", dataset, seconds)

    def admit_reader(
        self,
        run: RunId,
        site: SiteId,
        account: Address,
        key: Digest,
        letter: tuple[Commitment, Locator],
    ) -> Receipt:
        return self._disclose("admitReader", run, site, account, key, *letter)

    def dismiss_reader(self, reader: ReaderId, site: SiteId) -> Receipt:
        return self._disclose("dismissReader", reader, site)

    def record_erasure(
        self,
        run: RunId,
        dataset: DatasetId,
        blobs: int,
        erased: Commitment,
        grounds: Commitment,
    ) -> Receipt:
        return self._disclose("recordErasure", run, dataset, blobs, erased, grounds)

    def send_wei(self, account: Address, amount_wei: int) -> Receipt:
        return self._transactor.transfer(account, amount_wei)

    def _register(self, function: str, *arguments: object, value_wei: int = 0) -> Receipt:
        at = self._deployment.site_registry
        return self._transactor.act("SiteRegistry", at, function, arguments, value_wei)

    def _access(self, function: str, *arguments: object) -> Receipt:
        return self._transactor.act("DataAccess", self._deployment.data_access, function, arguments)

    def _runs(self, function: str, *arguments: object) -> Receipt:
        return self._transactor.act("Runs", self._deployment.runs, function, arguments)

    def _credits(self, function: str, *arguments: object) -> Receipt:
        return self._transactor.act("Credits", self._deployment.credits, function, arguments)

    def _disclose(self, function: str, *arguments: object) -> Receipt:
        at = self._deployment.disclosures
        return self._transactor.act("Disclosures", at, function, arguments)

    def _batch(self, function: str, run: RunId, *arguments: object) -> Receipt:
        module = self._reader.run(run).module
        return self._transactor.act("BatchedRounds", module, function, [run, *arguments])

    def _round(self, function: str, run: RunId, *arguments: object) -> Receipt:
        module = self._reader.run(run).module
        return self._transactor.act("PlainRounds", module, function, [run, *arguments])


def encode_parameters(parameters: Parameters) -> bytes:
    """Encode a plan's parameters as a rounds module takes them."""
    return encode_returned("PlainRounds", "parametersOf", parameters)


def encode_returned(contract: str, function: str, value: object) -> bytes:
    """Encode a value as a view gives it."""
    form = abi.contract(contract).functions[function].outputs
    return abi.encode([each.abi_type for each in form], [codec.plain(value)])
